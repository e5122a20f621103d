"""An application that was written for the Assistants API. One line of it changed: the one that makes the client."""

import os

from openai import OpenAI

client = OpenAI(base_url=os.environ.get("RUNSTEAD_URL", "http://127.0.0.1:8000/v1"), api_key="any")

assistant = client.beta.assistants.create(model="gpt-4o", name="Tutor", instructions="You answer in one sentence.")
thread = client.beta.threads.create()
client.beta.threads.messages.create(thread_id=thread.id, role="user", content="What is a thread?")
run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)

for message in client.beta.threads.messages.list(thread_id=thread.id, order="asc"):
    print(f"{message.role}: {message.content[0].text.value}")
print(f"The run is {run.status} and used {run.usage.total_tokens} tokens.")
