"""Boxes on another machine: the same sessions, over TLS, from a `runstead sandbox serve`."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from runstead.sandbox import tunnel
from runstead.sandbox.box import Ending, NoBox
from runstead.sandbox.tunnel import Connection, Hello, Severed, Welcome

PATIENCE = 30.0


class RemoteBox:
    """A box whose line ends here in a pair of sockets, so that whoever does not read makes the other side wait."""

    originals: Path | None = None

    def __init__(self, connection: Connection, ours: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        self._connection = connection
        self.reader, self.writer = ours
        self._staged: asyncio.Queue[str | None] = asyncio.Queue()
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._lock = asyncio.Lock()
        self._pumps: list[asyncio.Task[None]] = []

    def pump(self, far: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Begin to carry bytes."""
        reader, writer = far
        self._pumps = [
            asyncio.create_task(self._out(reader), name="to a remote sandbox"),
            asyncio.create_task(self._in(writer), name="from a remote sandbox"),
        ]

    async def stage(self, key: str, contents: AsyncIterator[bytes]) -> None:
        try:
            async with self._lock:
                await self._connection.send(tunnel.FILE, key.encode())
                async for block in contents:
                    for start in range(0, len(block), tunnel.PART):
                        await self._connection.send(tunnel.DATA, block[start : start + tunnel.PART])
                await self._connection.send(tunnel.WHOLE)
                problem = await asyncio.wait_for(self._staged.get(), PATIENCE)
        except (Severed, TimeoutError) as error:
            raise NoBox(f"its machine is out of reach: {error}") from None
        if problem:
            raise NoBox(problem)

    async def ended(self, within: float) -> Ending:
        # The other side ends it by itself when the connection does.
        done, _ = await asyncio.wait([self._ending], timeout=within)
        for pump in self._pumps:
            pump.cancel()
        await asyncio.wait(self._pumps)
        self.writer.close()
        await self._connection.close()
        return self._ending.result() if done else Ending()

    async def _out(self, reader: asyncio.StreamReader) -> None:
        try:
            await self._connection.forward(reader)
        except Severed:
            self._end(Ending(words="the connection to its machine ended"))

    async def _in(self, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                kind, data = await self._connection.receive()
                if kind == tunnel.LINE:
                    writer.write(data)
                    await writer.drain()
                elif kind == tunnel.STAGED:
                    self._staged.put_nowait(data.decode("utf-8", "replace") or None)
                elif kind == tunnel.ENDED:
                    self._end(msgspec.json.decode(data, type=Ending))
                    break
        except (Severed, ConnectionError, msgspec.DecodeError) as error:
            self._end(Ending(words=f"the connection to its machine ended: {error}"))
            self._staged.put_nowait("the connection to its machine ended")
        finally:
            writer.close()

    def _end(self, ending: Ending) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)


class Remote:
    """Boxes of another machine's."""

    name = "remote"

    def __init__(self, url: str, secret: str, authority: Path | None) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 0
        self._secret, self._authority = secret, authority
        self._welcome: Welcome | None = None

    async def open(self) -> RemoteBox:
        try:
            context = ssl.create_default_context(cafile=self._authority)
        except (OSError, ssl.SSLError) as error:
            raise NoBox(f"RUNSTEAD_SANDBOX_CA={str(self._authority)!r} cannot be used: {error}") from None
        try:
            async with asyncio.timeout(PATIENCE):
                streams = await asyncio.open_connection(self._host, self._port, ssl=context)
                connection = Connection(*streams)
                try:
                    self._welcome = await self._greet(connection)
                except BaseException:
                    await asyncio.shield(connection.close())
                    raise
        except (OSError, TimeoutError, Severed, msgspec.DecodeError) as error:
            raise NoBox(f"{self._host}:{self._port} does not open a sandbox: {str(error) or 'no answer'}") from None
        near, far = socket.socketpair()
        box = RemoteBox(connection, await asyncio.open_unix_connection(sock=near))
        box.pump(await asyncio.open_unix_connection(sock=far))
        return box

    @property
    def python(self) -> str:
        return self._welcome.python if self._welcome is not None else ""

    @property
    def packages(self) -> str:
        return self._welcome.packages if self._welcome is not None else ""

    def lacks(self) -> str | None:
        return self._welcome.lacks if self._welcome is not None else None

    async def close(self) -> None:
        """Nothing is shared."""

    async def _greet(self, connection: Connection) -> Welcome:
        await connection.send(tunnel.HELLO, msgspec.json.encode(Hello(tunnel.VERSION, self._secret)))
        kind, data = await connection.receive()
        if kind != tunnel.WELCOME:
            raise Severed(data.decode("utf-8", "replace")[:300] or "it said nothing of use")
        return msgspec.json.decode(data, type=Welcome)
