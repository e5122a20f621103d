"""The server's side of `keeper`: asks for processes, hears of their ends, and starts the keeper anew should it die."""

import asyncio
import fcntl
import json
import os
import secrets
import shutil
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from runstead.sandbox import keeper
from runstead.sandbox.box import Ending, NoBox
from runstead.sandbox.cgroups import Group

log = structlog.get_logger(__name__)

START_LIMIT = 30.0
FOLDER_PREFIX = "runstead-sandbox-"
ROOTS = ".roots"
NEW = 5.0
"""Seconds for which a folder may not be held yet by whoever makes it."""
AGAIN_AFTER = 0.01
"""Seconds until an order that must not be lost is given once more."""


class Kept:
    """A process that the keeper started for us."""

    def __init__(self, warden: "Warden", id: str) -> None:
        self._warden = warden
        self.id = id
        self.pid = 0
        self.ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def kill(self) -> None:
        """Begin its end; `ending` tells when nothing of it is left."""
        self._warden.send({"do": "kill", "id": self.id})


class Warden:
    """One keeper, and the folder that it removes when everything ends."""

    def __init__(self) -> None:
        self._line: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._kept: dict[str, Kept] = {}
        self._starting: dict[str, asyncio.Future[int]] = {}
        self._reached: asyncio.Future[dict[str, str]] | None = None
        self._lock = asyncio.Lock()
        self._roots = Path()
        self.folder = Path()
        # Tells those who sweep, in whatever container, that somebody lives here.
        self._held = -1

    @property
    def token(self) -> str:
        """What the names of everything that belongs to this keeper begin with."""
        return self.folder.name.removeprefix(FOLDER_PREFIX)

    @property
    def is_running(self) -> bool:
        """Whether there is a keeper to ask."""
        return self._line is not None

    async def start(self) -> None:
        """Start the keeper. Raises NoBox."""
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            self.folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-"))
            self._held = _lock(self.folder)
            self._roots = Path(f"{self.folder}{ROOTS}")
            self._roots.mkdir()
            # Others pass through to what is theirs by name, and list nothing.
            self.folder.chmod(0o711)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                keeper.__file__,
                str(its.fileno()),
                str(self.folder),
                str(self._roots),
                pass_fds=[its.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            if self._held >= 0:
                await asyncio.to_thread(_remove, self.folder, self._roots)
                os.close(self._held)
            raise NoBox(f"no process could be started: {error}") from error
        finally:
            its.close()
        self._line = ours
        asyncio.get_running_loop().add_reader(ours.fileno(), self._hear)

    async def reach(self, paths: Sequence[str]) -> dict[str, str]:
        """Where each folder can be entered by another user; those that need nothing done are not in the answer."""
        self._reached = asyncio.get_running_loop().create_future()
        self.send({"do": "reach", "roots": str(self._roots), "paths": list(paths)})
        try:
            return await asyncio.wait_for(self._reached, START_LIMIT)
        except TimeoutError:
            raise NoBox("the process that keeps sandboxes does not answer") from None

    async def spawn(
        self,
        argv: Sequence[str],
        descriptors: Sequence[int],
        *,
        uid: int | None,
        nice: int,
        cgroups: Sequence[Group],
        folders: Sequence[Path],
        watched_memory: int,
        env: dict[str, str] | None = None,
    ) -> Kept:
        """Start a program whose standard input, output, error, own file and more are `descriptors`. Raises NoBox."""
        kept = Kept(self, secrets.token_hex(8))
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._kept[kept.id], self._starting[kept.id] = kept, started
        order = {
            "do": "spawn",
            "id": kept.id,
            "argv": list(argv),
            "env": env or {},
            "uid": uid,
            "gid": uid,
            "nice": nice,
            "cgroups": [{"path": group.path, "set": group.set, "needed": group.needed} for group in cgroups],
            "folders": [str(folder) for folder in folders],
            "memory": watched_memory,
        }
        try:
            self.send(order, descriptors)
            kept.pid = await asyncio.wait_for(started, START_LIMIT)
        except TimeoutError:
            kept.kill()
            raise NoBox("the process that keeps sandboxes does not answer") from None
        except asyncio.CancelledError:
            kept.kill()
            raise
        finally:
            self._starting.pop(kept.id, None)
        return kept

    def send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Raises NoBox where there is nobody to hear it."""
        data = json.dumps(message).encode()
        try:
            if self._line is None:
                raise BrokenPipeError
            socket.send_fds(self._line, [data], list(descriptors))
        except OSError as error:
            if message["do"] != "kill":
                raise NoBox(f"the process that keeps sandboxes does not listen: {error}") from error
            # Where it is gone, nothing is left to be killed.
            if isinstance(error, BlockingIOError):
                asyncio.get_running_loop().call_later(AGAIN_AFTER, self.send, message)

    async def close(self) -> None:
        """End every sandbox, and wait until the keeper has cleaned up and gone."""
        self._hang_up()
        if self._process is not None:
            await self._process.wait()
            self._process = None
            # Nothing is there any more, unless the keeper itself was killed.
            await asyncio.to_thread(_remove, self.folder, self._roots)
            os.close(self._held)

    def _hear(self) -> None:
        if self._line is None:
            return
        try:
            data = self._line.recv(keeper.LARGEST_MESSAGE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            log.error("the process that keeps sandboxes is gone, and all sandboxes with it")
            self._hang_up()
            return
        said = json.loads(data)
        if "started" in said:
            self._settle(self._starting.get(said["started"]), said["pid"])
        elif "failed" in said:
            self._kept.pop(said["failed"], None)
            future = self._starting.get(said["failed"])
            if future is not None and not future.done():
                future.set_exception(NoBox(said["why"]))
        elif "ended" in said:
            kept = self._kept.pop(said["ended"], None)
            if kept is not None:
                self._settle(kept.ending, Ending(said["code"], said["oom"]))
        elif "reached" in said:
            self._settle(self._reached, said["reached"])

    @staticmethod
    def _settle(future: "asyncio.Future[Any] | None", value: Any) -> None:
        if future is not None and not future.done():
            future.set_result(value)

    def _hang_up(self) -> None:
        if self._line is None:
            return
        asyncio.get_running_loop().remove_reader(self._line.fileno())
        self._line.close()
        self._line = None
        for future in self._starting.values():
            if not future.done():
                future.set_exception(NoBox("the process that keeps sandboxes is gone"))
        for kept in self._kept.values():
            self._settle(kept.ending, Ending())
        self._kept.clear()


def _remove(folder: Path, roots: Path) -> None:
    with suppress(OSError):
        roots.rmdir()
    shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove folders that a keeper could not, because it was killed with its server."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*-*"):
        with suppress(OSError):
            status = folder.lstat()
            if time.time() - status.st_mtime < NEW:
                continue
            # A name in a folder that everybody writes to proves nothing.
            if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode) or folder.name.endswith(ROOTS):
                continue
            held = _lock(folder)
            try:
                _remove(folder, Path(f"{folder}{ROOTS}"))
            finally:
                os.close(held)


def _lock(folder: Path) -> int:
    """Hold a folder for as long as the descriptor is open. Raises OSError if somebody does."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise
    return held
