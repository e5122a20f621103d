"""A machine that runs sandboxes for servers elsewhere: `runstead sandbox serve`.

It has no database, no keys and no files but those it is sent for a session. Who knows the secret may run code in its
boxes; who does not is told nothing. A connection is one box, and the box ends with it.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import structlog

from runstead.sandbox import tunnel
from runstead.sandbox.box import Box, Launcher, NoBox
from runstead.sandbox.limits import Limits
from runstead.sandbox.tunnel import Connection, Hello, Severed, Welcome

log = structlog.get_logger(__name__)

GREETING_LIMIT = 10.0
STRANGERS = 32
"""Connections beyond those with a box, while they greet."""
END_LIMIT = 1.0
"""Seconds for a box to end by itself once its line has, so that its reason is known."""
LARGEST_STAGED = 64 * 2**30
"""Bytes that one session may be sent."""


class Node:
    """Serves boxes of one launcher."""

    def __init__(self, launcher: Launcher, limits: Limits, secret: str, most: int) -> None:
        self._launcher, self._limits, self._secret = launcher, limits, secret
        self._most = most
        self._serving: set[asyncio.Task[None]] = set()
        self.lent = 0
        """Boxes that somebody uses."""

    async def listen(self, host: str, port: int, certificate: Path, key: Path | None) -> asyncio.Server:
        """Begin to serve. Raises OSError or ssl.SSLError for what cannot be used."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key)
        return await asyncio.start_server(
            self._connected, host, port, ssl=context, ssl_handshake_timeout=GREETING_LIMIT
        )

    async def cut(self) -> None:
        """End every box and its connection."""
        for task in list(self._serving):
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving)

    async def close(self) -> None:
        """End everything."""
        await self.cut()
        await self._launcher.close()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._serving) >= self._most + STRANGERS:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(Connection(reader, writer)), name="remote session")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, connection: Connection) -> None:
        try:
            problem = await self._judge(connection)
            if problem is None:
                await self._lend(connection)
            else:
                await connection.send(tunnel.NO, problem.encode())
        except (Severed, TimeoutError, msgspec.DecodeError):
            pass
        finally:
            await asyncio.shield(connection.close())

    async def _judge(self, connection: Connection) -> str | None:
        """Why this connection gets no box, if it does not."""
        async with asyncio.timeout(GREETING_LIMIT):
            kind, data = await connection.receive()
        if kind != tunnel.HELLO:
            return "no greeting"
        hello = msgspec.json.decode(data, type=Hello)
        if not hello.is_right(self._secret):
            log.warning("a server with another secret was refused")
            return "the secret is another one"
        if hello.version != tunnel.VERSION:
            return f"it speaks version {tunnel.VERSION}, not {hello.version}"
        if self.lent >= self._most:
            return f"all {self._most} sessions of this machine are in use"
        return None

    async def _lend(self, connection: Connection) -> None:
        self.lent += 1
        try:
            try:
                box = await self._launcher.open()
            except NoBox as error:
                await connection.send(tunnel.NO, str(error).encode()[: tunnel.PART])
                return
            await self._carry(connection, box)
        finally:
            self.lent -= 1

    async def _carry(self, connection: Connection, box: Box) -> None:
        launcher = self._launcher
        welcome = Welcome(launcher.name, launcher.python, launcher.packages, launcher.lacks())
        out: asyncio.Task[None] | None = None
        back: asyncio.Task[None] | None = None
        has_ended = False
        try:
            await connection.send(tunnel.WELCOME, msgspec.json.encode(welcome))
            out = asyncio.create_task(connection.forward(box.reader), name="from a lent sandbox")
            back = asyncio.create_task(_obey(connection, box), name="to a lent sandbox")
            longest = self._limits.lifetime + self._limits.idle
            await asyncio.wait([out, back], return_when=asyncio.FIRST_COMPLETED, timeout=longest)
            has_ended = out.done() and not back.done()
        finally:
            for task in (out, back):
                if task is not None:
                    task.cancel()
            # What went wrong with the connection is seen by the next who uses it.
            await asyncio.gather(*(task for task in (out, back) if task is not None), return_exceptions=True)
            ending = await asyncio.shield(box.ended(END_LIMIT))
        if has_ended:
            # The server waits for the reason.
            await connection.send(tunnel.ENDED, msgspec.json.encode(ending))


async def _obey(connection: Connection, box: Box) -> None:
    """Do what the server asks, until it goes. Raises Severed."""
    left = LARGEST_STAGED
    while True:
        kind, data = await connection.receive()
        if kind == tunnel.LINE:
            await _pass_on(box, data)
        elif kind == tunnel.FILE:
            staged = _Staged(connection, box, left)
            problem = ""
            try:
                await box.stage(data.decode("utf-8", "replace"), staged.blocks())
            except NoBox as error:
                problem = str(error)
                await staged.rest()
            left = staged.left
            await connection.send(tunnel.STAGED, problem.encode())
        else:
            raise Severed("a part at the wrong time")


async def _pass_on(box: Box, data: bytes) -> None:
    try:
        box.writer.write(data)
        await box.writer.drain()
    except OSError as error:
        raise Severed(str(error)) from None


class _Staged:
    """A file on its way in."""

    def __init__(self, connection: Connection, box: Box, left: int) -> None:
        self._connection, self._box, self.left = connection, box, left
        self._is_whole = False

    async def blocks(self) -> AsyncIterator[bytes]:
        """Its bytes. Raises Severed."""
        while not self._is_whole:
            kind, data = await self._connection.receive()
            if kind == tunnel.LINE:
                # The session's own line does not wait for files.
                await _pass_on(self._box, data)
                continue
            self.left -= len(data)
            self._is_whole = kind == tunnel.WHOLE
            if kind not in (tunnel.DATA, tunnel.WHOLE) or self.left < 0:
                raise Severed("a part at the wrong time")
            if data:
                yield data

    async def rest(self) -> None:
        """Read what nobody wants."""
        async for _ in self.blocks():
            pass
