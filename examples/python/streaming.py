"""The answer on the terminal, word by word as the model says it."""

import os

from openai import AssistantEventHandler, OpenAI


class Terminal(AssistantEventHandler):
    def on_text_delta(self, delta, snapshot):
        print(delta.value, end="", flush=True)

    def on_text_done(self, text):
        print()


client = OpenAI(base_url=os.environ.get("RUNSTEAD_URL", "http://127.0.0.1:8000/v1"), api_key="any")

assistant = client.beta.assistants.create(model="gpt-4o", instructions="You tell stories.")
thread = client.beta.threads.create(messages=[{"role": "user", "content": "Tell me a very short one."}])
with client.beta.threads.runs.stream(
    thread_id=thread.id, assistant_id=assistant.id, event_handler=Terminal()
) as stream:
    stream.until_done()
