"""Streams from a target with a number of keep-alive connections for a bounded time."""

import asyncio
import json
import time
from dataclasses import dataclass, field

from targets import Target


@dataclass
class Result:
    """Streams that ended, and when their first token came (seconds)."""

    streams: int = 0
    first_tokens: list[float] = field(default_factory=list)


async def one(target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
    """One stream to its end; the seconds to its first token."""
    body = json.dumps(target.body).encode()
    head = f"POST {target.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    started = time.perf_counter()
    writer.write(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)
    seen, first = b"", 0.0
    while not seen.endswith(b"0\r\n\r\n"):
        data = await reader.read(65_536)
        if not data:
            raise SystemExit(f"{target.name} closed the connection")
        if not first and target.first_token in seen[-64:] + data:
            first = time.perf_counter() - started
        seen = (seen + data)[-4_096:]
        if b"HTTP/1.1 " in data and b"HTTP/1.1 200" not in data:
            raise SystemExit(f"{target.name} answered {data[:300]!r}")
    if not first:
        raise SystemExit(f"{target.name} sent no token")
    return first


async def run(target: Target, connections: int, seconds: float, *, spread: float = 0.0) -> Result:
    """Load for a while; streams begun in time are ended.

    `spread` (seconds) is the time over which the connections begin: streams of one length that begin together go on
    beginning together, which no independent clients do.
    """
    result = Result()
    end = time.monotonic() + seconds

    async def worker(number: int) -> None:
        await asyncio.sleep(spread * number / connections)
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        while time.monotonic() < end:
            result.first_tokens.append(await one(target, reader, writer))
            result.streams += 1
        writer.close()

    await asyncio.gather(*(worker(number) for number in range(connections)))
    return result
