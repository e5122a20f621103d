"""Plots: a table is uploaded, and the model writes code that draws it and cleans it; picture and file are downloaded."""

import os
import sys
from pathlib import Path

from openai import OpenAI

TABLE = b"month,sales\nJanuary,12\nFebruary,\nMarch,17\nApril,21\n"

client = OpenAI(base_url=os.environ.get("RUNSTEAD_URL", "http://127.0.0.1:8000/v1"), api_key="any")

table = client.files.create(file=("sales.csv", TABLE), purpose="assistants")
assistant = client.beta.assistants.create(
    model="gpt-4o", instructions="You are an analyst.", tools=[{"type": "code_interpreter"}]
)
question = {
    "role": "user",
    "content": "Plot the sales of each month, and give me the table without its gaps.",
    "attachments": [{"file_id": table.id, "tools": [{"type": "code_interpreter"}]}],
}
thread = client.beta.threads.create(messages=[question])
run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
if run.status != "completed":
    sys.exit(f"The run is {run.status}: {run.last_error.message if run.last_error else ''}")


def download(file_id):
    # Whatever a file is called, it is written here.
    name = Path(client.files.retrieve(file_id).filename).name
    Path(name).write_bytes(client.files.content(file_id).read())
    print(f"Downloaded {name}")


[answer] = client.beta.threads.messages.list(thread_id=thread.id, run_id=run.id)
for part in answer.content:
    if part.type == "image_file":
        download(part.image_file.file_id)
    elif part.type == "text":
        print(part.text.value)
        for annotation in part.text.annotations:
            if annotation.type == "file_path":
                download(annotation.file_path.file_id)
