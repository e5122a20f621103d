"""A server of embeddings whose vectors count letters: the same model for everybody who runs it, and quick."""

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class EmbeddingServer:
    """The running server; while `is_down` it answers 503."""

    url: str = ""
    is_down: bool = False
    asked: list[str] = field(default_factory=list)

    def settings(self, model: str = "letters") -> dict[str, str]:
        return {"RUNSTEAD_EMBEDDINGS_URL": self.url, "RUNSTEAD_EMBEDDINGS_MODEL": model}


@contextmanager
def embedding_server() -> Iterator[EmbeddingServer]:
    """Until the block ends."""
    state = EmbeddingServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if state.is_down:
                self._answer(503, {"error": {"message": "down for a test"}})
                return
            texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
            state.asked += texts
            data = [{"object": "embedding", "index": i, "embedding": _vector(each)} for i, each in enumerate(texts)]
            self._answer(200, {"object": "list", "model": asked["model"], "data": data})

        def _answer(self, status: int, body: Any) -> None:
            sent = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _vector(text: str) -> list[float]:
    counts = [0.01] * 26
    for letter in text.lower():
        if "a" <= letter <= "z":
            counts[ord(letter) - 97] += 1
    length = math.sqrt(sum(count * count for count in counts))
    return [count / length for count in counts]
