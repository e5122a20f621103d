"""A chat-completions server that costs next to nothing: prebuilt chunks, sent one by one, paced, or all at once.

The mode is the model's name: `each-N` sends N chunks one write each, `paced-MS-N` with a pause between, `burst-N`
in one write, `clock-1` the moment at which it was asked, `bomb-N` a call of code that wants every core N times. Printing the port on one line, it serves until it is ended.
"""

import asyncio
import json
import re
import sys
import time
from typing import cast

import uvloop

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def piece(payload: bytes) -> bytes:
    """One HTTP chunk with one event."""
    event = b"data: " + payload + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(event), event)


def chunk(delta: dict[str, object], finish: str | None = None) -> bytes:
    """One completion chunk, as servers write them."""
    body = {
        "id": "chatcmpl-0123456789",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "bench",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }
    return piece(json.dumps(body).encode())


BOMB = """
import os
for _ in range(%d):
    if os.fork() == 0:
        while True:
            pass
while True:
    pass
"""
USAGE = piece(b'{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":100,"total_tokens":109}}')
END = chunk({}, "stop") + USAGE + piece(b"[DONE]") + b"0\r\n\r\n"
MODE = re.compile(rb'"model":\s*"(each|paced|burst|clock|bomb)-(\d+)(?:-(\d+))?"')


class Upstream(asyncio.Protocol):
    """One connection, one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if length is not None and len(body) < int(length[1]):
            return
        self.buffer = b""
        mode = MODE.search(body)
        if mode is None:
            answer = b'{"object":"list","data":[]}'
            self.transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                % (len(answer), answer)
            )
            return
        asyncio.get_running_loop().create_task(self.answer(mode[1], int(mode[2]), int(mode[3] or 0)))

    async def answer(self, mode: bytes, first: int, second: int) -> None:
        """Send the chunks in the asked manner."""
        count, pause = (second, first / 1000) if mode == b"paced" else (first, 0.0)
        words = [chunk({"content": f" word{i}"}) for i in range(count)]
        if mode == b"clock":
            # By the clock that all processes of a machine share.
            self.transport.write(HEAD + chunk({"content": str(time.monotonic())}) + END)
            return
        if mode == b"bomb":
            function = {"name": "code_interpreter", "arguments": json.dumps({"code": BOMB % first})}
            call = {"index": 0, "id": "call_bomb", "type": "function", "function": function}
            self.transport.write(HEAD + chunk({"tool_calls": [call]}) + chunk({}, "tool_calls") + END)
            return
        if mode == b"burst":
            self.transport.write(HEAD + b"".join(words) + END)
            return
        self.transport.write(HEAD)
        for word in words:
            self.transport.write(word)
            await asyncio.sleep(pause)
        self.transport.write(END)


async def main() -> None:
    """Serve on a free port of loopback."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
