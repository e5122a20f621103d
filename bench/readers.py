"""Clients of a cluster: they start paced runs and read each to its end, wherever that is told."""

import asyncio
import json
import random
from dataclasses import dataclass, field

import aiohttp
import engines

BROKEN = (aiohttp.ClientError, ConnectionError, TimeoutError, asyncio.IncompleteReadError)
PAUSE = 0.1
"""Seconds until a client that was sent away comes again."""
GIVE_UP_AFTER = 120.0


@dataclass
class Told:
    """What the reader of one run was told, over however many connections."""

    place: tuple[int, int] | None = None
    words: list[str] = field(default_factory=list)
    last: str = ""
    gaps: int = 0
    broken_off: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the run's end was told."""
        return self.last.startswith("thread.run.") and self.last.rpartition(".")[2] in engines.ENDS

    def take(self, frame: bytes) -> bool:
        """One frame; False when the stream is over."""
        fields = dict(line.split(b": ", 1) for line in frame.split(b"\n") if b": " in line and line[:1] != b":")
        name = fields.get(b"event", b"").decode()
        if name in ("", "done"):
            return name != "done"
        if name == "error":
            self.broken_off += 1
            return False
        if b"id" in fields:
            epoch, _, seq = fields[b"id"].partition(b".")
            self._took((int(epoch), int(seq)))
        if name == "thread.message.created":
            # What the epoch before had said is said anew.
            self.words = []
        elif name == "thread.message.delta":
            for part in json.loads(fields[b"data"])["delta"]["content"]:
                self.words += part["text"]["value"].split()
        self.last = name
        return True

    def _took(self, place: tuple[int, int]) -> None:
        if self.place is not None and place[0] == self.place[0] and place[1] != self.place[1] + 1:
            self.gaps += 1
        if self.place is not None and place[0] != self.place[0] and (place[0] < self.place[0] or place[1] != 0):
            self.gaps += 1
        self.place = place


async def read(session: aiohttp.ClientSession, port: int, path: str, told: Told) -> None:
    """One connection's worth of a run's events."""
    headers = {} if told.place is None else {"last-event-id": f"{told.place[0]}.{told.place[1]}"}
    async with session.get(f"http://127.0.0.1:{port}{path}/stream", headers=headers) as answer:
        if answer.status != 200:
            return
        rest = b""
        async for data in answer.content.iter_any():
            *frames, rest = (rest + data).split(b"\n\n")
            for frame in frames:
                if not told.take(frame):
                    return


async def ask(session: aiohttp.ClientSession, nodes: list[engines.Node], method: str, path: str, body=None):
    """An answer of 200, or the API's refusal with 400, from whichever node gives one."""
    async with asyncio.timeout(GIVE_UP_AFTER):
        while True:
            port = random.choice(nodes).port
            try:
                async with session.request(method, f"http://127.0.0.1:{port}{path}", json=body) as answer:
                    if answer.status in (200, 400):
                        return await answer.json()
                    if answer.status != 503:
                        raise SystemExit(f"{method} {path}: {answer.status} {await answer.text()}")
            except BROKEN:
                pass
            await asyncio.sleep(PAUSE)


def session() -> aiohttp.ClientSession:
    """As many connections as are wanted, for as long as a stream lasts."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout)
