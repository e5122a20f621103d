"""Lines between a node and its servers, which a test may cut, block, slow down and lead elsewhere.

A blocked line is what a lost network looks like: nothing arrives, nothing ends, and what was on its way arrives late.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

BACKLOG = 256
PATIENCE = 10.0


class Line:
    """A port of loopback that leads to another one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, port: int) -> None:
        self._loop = loop
        self._leads_to = port
        self._is_cut = False
        self._delay = 0.0
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def listen(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=BACKLOG)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def close(self) -> None:
        """Nobody is let in any more."""
        assert self._server is not None
        self._do(self._server.close)

    def cut(self) -> None:
        """Every connection ends, and so does each new one."""
        self._is_cut = True
        self._do(self._hang_up)

    def block(self) -> None:
        """From now on nothing passes, in either direction, and nobody is told."""
        self._do(self._is_open.clear)

    def slow(self, seconds: float) -> None:
        """Each piece takes that much longer."""
        self._delay = seconds

    def restore(self) -> None:
        """As before; what a blocked line held goes on its way."""
        self._is_cut, self._delay = False, 0.0
        self._do(self._is_open.set)

    def lead_to(self, port: int) -> None:
        """New connections go there, and the old ones end."""
        self._leads_to = port
        self._do(self._hang_up)

    def _do(self, act: Callable[[], Any]) -> None:
        done = threading.Event()

        def acting() -> None:
            act()
            done.set()

        self._loop.call_soon_threadsafe(acting)
        assert done.wait(PATIENCE)

    def _hang_up(self) -> None:
        for end in self._ends:
            end.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        self._ends.add(writer)
        try:
            await self._is_open.wait()
            if self._is_cut:
                return
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self._leads_to)
            ends.append(other_writer)
            self._ends.add(other_writer)
            await asyncio.gather(self._pump(reader, other_writer), self._pump(other_reader, writer))
        except (OSError, asyncio.CancelledError):  # cancelled only in the end, and asyncio wants no cancelled server
            return
        finally:
            for end in ends:
                end.transport.abort()
            self._ends.difference_update(ends)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if self._delay:
                    await asyncio.sleep(self._delay)
                await self._is_open.wait()
                writer.write(data)
                await writer.drain()
        await self._is_open.wait()
        writer.close()


@contextlib.contextmanager
def lines() -> Iterator[Callable[[int], Line]]:
    """Makes lines to ports, until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="lines", daemon=True)
    thread.start()

    made: list[Line] = []

    def line(port: int) -> Line:
        made.append(asyncio.run_coroutine_threadsafe(Line(loop, port).listen(), loop).result(PATIENCE))
        return made[-1]

    try:
        yield line
    finally:
        for each in made:
            each.close()
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # What was aborted is closed in one of the loop's next turns.
    for _ in range(3):
        await asyncio.sleep(0)
