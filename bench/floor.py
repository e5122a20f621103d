"""The least that a server with our promise can do: parse, store durably, ask the model, pass on what it says.

It uses the libraries that the product uses and does nothing for anybody: no API, no events, no run. What it adds to the
first token, a server built on them cannot save. Prints its port on one line and serves until it is ended.

Environment: FLOOR_UPSTREAM is the model server's address, FLOOR_DATABASE the file to commit to, or empty for none.
"""

import asyncio
import json
import os
import socket
import sqlite3
import sys
from queue import SimpleQueue
from threading import Thread

import uvicorn
from aiohttp import ClientSession, TCPConnector
from starlette.types import Receive, Scope, Send

STREAM = [(b"content-type", b"text/event-stream")]


class Writer:
    """One durable commit for each request, by a thread, so that the loop goes on."""

    def __init__(self, path: str) -> None:
        self.loop = asyncio.get_running_loop()
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute("CREATE TABLE IF NOT EXISTS requests (body BLOB)")
        self.turn = asyncio.Lock()
        self.waiting: SimpleQueue[asyncio.Future[None]] = SimpleQueue()
        Thread(target=self.commit_all, daemon=True).start()

    def commit_all(self) -> None:
        while True:
            future = self.waiting.get()
            self.connection.execute("COMMIT")
            self.loop.call_soon_threadsafe(future.set_result, None)

    async def store(self, body: bytes) -> None:
        async with self.turn:
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.execute("INSERT INTO requests VALUES (?)", (body,))
            future = self.loop.create_future()
            self.waiting.put(future)
            await future


class App:
    """ASGI."""

    session: ClientSession | None = None
    writer: Writer | None = None

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        if self.session is None:
            self.session = ClientSession(connector=TCPConnector(limit=0))
            if path := os.environ["FLOOR_DATABASE"]:
                self.writer = Writer(path)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        asked = json.loads(body)
        if self.writer is not None:
            await self.writer.store(body)
        async with self.session.post(os.environ["FLOOR_UPSTREAM"], json=asked) as answer:
            await send({"type": "http.response.start", "status": 200, "headers": STREAM})
            async for piece in answer.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def main() -> None:
    """Serve on a free port of loopback."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(App(), loop="uvloop", http="httptools", access_log=False, log_level="error", lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
