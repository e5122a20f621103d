"""The scripted server itself, where the adapter's tests do not show it."""

import asyncio
import logging

from aiohttp import ClientSession
from yarl import URL

from runstead.model.scripted.server import serve

REQUEST = b'{"model": "paced-0-1000", "stream": true}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: scripted\r\nContent-Length: %d\r\n\r\n" % len(REQUEST)


async def test_a_client_that_leaves_a_paced_answer_is_no_fault(caplog):
    async def ask_and_leave(port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + REQUEST)
        await writer.drain()
        writer.transport.abort()

    with caplog.at_level(logging.WARNING):
        async with serve() as url:
            port = URL(url).port
            assert port is not None
            await asyncio.gather(*(ask_and_leave(port) for _ in range(50)))
            # Asked last and written in a thousand pieces: by its end every departure was noticed.
            async with ClientSession() as http, http.post(f"{url}/chat/completions", data=REQUEST) as answer:
                assert (await answer.read()).endswith(b"data: [DONE]\n\n")

    assert caplog.records == []
