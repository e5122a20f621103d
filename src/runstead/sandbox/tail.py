"""The last words of a process that is not to be trusted with more."""

import asyncio
import os

MOST = 2048
"""Bytes that are kept, however much comes."""


async def read_tail(source: int) -> bytes:
    """Read a pipe to its end, which closes it, and keep the last of it."""
    reader = asyncio.StreamReader(limit=MOST)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(source, "rb", 0)
    )
    kept = b""
    try:
        while data := await reader.read(MOST):
            kept = (kept + data)[-MOST:]
    finally:
        transport.close()
    return kept
