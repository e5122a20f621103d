"""Questions about documents: they are uploaded into a vector store, searched by the model, and cited in the answer."""

import os

from openai import OpenAI

NOTES = b"The office in Oslo is closed in July.\n\nThe office in Rome is closed in August.\n"

client = OpenAI(base_url=os.environ.get("RUNSTEAD_URL", "http://127.0.0.1:8000/v1"), api_key="any")

store = client.vector_stores.create(name="Handbook")
batch = client.vector_stores.file_batches.upload_and_poll(store.id, files=[("handbook.txt", NOTES)])
print(f"{batch.file_counts.completed} of {batch.file_counts.total} files can be searched.")

assistant = client.beta.assistants.create(
    model="gpt-4o",
    instructions="You answer from the handbook.",
    tools=[{"type": "file_search"}],
    tool_resources={"file_search": {"vector_store_ids": [store.id]}},
)
thread = client.beta.threads.create(messages=[{"role": "user", "content": "When is the office in Oslo closed?"}])
run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)

[answer] = client.beta.threads.messages.list(thread_id=thread.id, run_id=run.id)
text = answer.content[0].text
for number, citation in enumerate(text.annotations, start=1):
    text.value = text.value.replace(citation.text, f" [{number}]")
print(text.value)
for number, citation in enumerate(text.annotations, start=1):
    print(f"[{number}] {client.files.retrieve(citation.file_citation.file_id).filename}")
