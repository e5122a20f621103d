"""A server in front of a scripted model, with one object of each kind, for whoever asks it by the hundred."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest

from scripts.stage import stage

PATIENCE = 30
EDGE = "edge"
UPLOAD = (
    f'--{EDGE}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
    f'--{EDGE}\r\nContent-Disposition: form-data; name="file"; filename="notes.txt"\r\n\r\nOslo is cold.\r\n--{EDGE}--\r\n'
).encode()


class Inhabited:
    """A running server, and the ids of what lives in it."""

    def __init__(self, url: str) -> None:
        self.url = url.removesuffix("/v1")
        assistant = self.post("/assistants", {"model": "scripted"})
        thread = self.post("/threads", {"messages": [{"role": "user", "content": "Hello"}]})
        run = self.post(f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]})
        run = self.get(f"/threads/{thread['id']}/runs/{run['id']}?wait=20")
        steps = self.get(f"/threads/{thread['id']}/runs/{run['id']}/steps")
        self.ids = {
            "assistant_id": assistant["id"],
            "thread_id": thread["id"],
            "message_id": self.get(f"/threads/{thread['id']}/messages")["data"][0]["id"],
            "run_id": run["id"],
            "step_id": steps["data"][0]["id"] if steps["data"] else "step_none",
            "model": "scripted",
            **self._store(),
        }

    def _store(self) -> dict[str, str]:
        """A vector store with a file in it, in a batch."""
        file = self._ask(
            Request(f"{self.url}/v1/files", UPLOAD, {"Content-Type": f"multipart/form-data; boundary={EDGE}"})
        )
        store = self.post("/vector_stores", {"name": "notes"})
        batch = self.post(f"/vector_stores/{store['id']}/file_batches", {"file_ids": [file["id"]]})
        return {"file_id": file["id"], "vector_store_id": store["id"], "batch_id": batch["id"]}

    def post(self, path: str, body: Any) -> Any:
        return self._ask(
            Request(f"{self.url}/v1{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        )

    def get(self, path: str) -> Any:
        return self._ask(Request(f"{self.url}/v1{path}"))

    def _ask(self, request: Request) -> Any:
        with urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def inhabited() -> Iterator[Inhabited]:
    with stage() as running:
        yield Inhabited(running.url)
