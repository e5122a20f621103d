"""A function of the application's own: the model asks for it, the application runs it, the run goes on."""

import json
import os

from openai import OpenAI


def get_weather(city: str) -> str:
    return json.dumps({"city": city, "degrees": 12, "sky": "clear"})


FUNCTIONS = {"get_weather": get_weather}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city, now.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]

client = OpenAI(base_url=os.environ.get("RUNSTEAD_URL", "http://127.0.0.1:8000/v1"), api_key="any")

assistant = client.beta.assistants.create(model="gpt-4o", instructions="You know the weather.", tools=TOOLS)
thread = client.beta.threads.create(messages=[{"role": "user", "content": "What is the weather in Oslo?"}])
run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)

while run.status == "requires_action":
    outputs = []
    for call in run.required_action.submit_tool_outputs.tool_calls:
        print(f"The model calls {call.function.name}({call.function.arguments})")
        output = FUNCTIONS[call.function.name](**json.loads(call.function.arguments))
        outputs.append({"tool_call_id": call.id, "output": output})
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=thread.id, tool_outputs=outputs
    )

answer = client.beta.threads.messages.list(thread_id=thread.id, limit=1).data[0]
print(answer.content[0].text.value)
