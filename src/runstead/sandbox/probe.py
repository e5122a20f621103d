"""Tries, in a real box with the real flags, what must not work there. Version numbers tell nothing about a machine."""

import asyncio
import json
import os
import secrets
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from runstead.ports import CodeFile
from runstead.sandbox import policy
from runstead.sandbox.box import Box, NoBox
from runstead.sandbox.session import Broken, Session

PATIENCE = 20.0
CONTENT = b"whole"
KNOWN_VARIABLES = (*policy.VARIABLES, "LC_CTYPE", "LD_LIBRARY_PATH", "PWD")
ATTEMPTS = """
import ctypes, json, os, socket
told = json.loads(TOLD)
known = set(told["known"])
libc = ctypes.CDLL(None, use_errno=True)
def works(attempt, *arguments):
    try:
        return attempt(*arguments) is not False
    except Exception:
        return False
def opens(path, flags):
    os.close(os.open(path, flags))
def connects(family, address):
    with socket.socket(family) as line:
        line.settimeout(2)
        line.connect(address)
def knows_more(path):
    names = [entry.partition("=")[0] for entry in open(path, errors="replace").read().split("\\0") if entry]
    return not set(names) <= known
settings = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper"]
print(json.dumps({
    "read a file of this machine": works(opens, told["file"], os.O_RDONLY),
    "read somebody else's environment": any(
        works(knows_more, "/proc/%s/environ" % one) for one in os.listdir("/proc") if one.isdigit()),
    "write to settings of the kernel": any(works(opens, path, os.O_WRONLY) for path in settings),
    "reach a port of this machine": works(connects, socket.AF_INET, ("127.0.0.1", told["port"])),
    "reach a socket of this machine": works(connects, socket.AF_UNIX, "\\0" + told["name"]),
    "write to an uploaded file": works(opens, "/mnt/data/probe.txt", os.O_WRONLY),
    "truncate an uploaded file": works(opens, "/mnt/data/probe.txt", os.O_RDONLY | os.O_TRUNC) and
        os.path.getsize("/mnt/data/probe.txt") == 0,
    "not read its own files": not works(lambda: open("/mnt/data/probe.txt").read() == told["content"]),
    "run as root": os.getuid() == 0,
    "mount something": libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0,
}))
"""
"""Each is something that must not be possible; told as whether it was."""


async def probe(box: Box, session: Session) -> None:
    """Raises NoBox, with what was possible, unless this box holds."""
    try:
        async with asyncio.timeout(PATIENCE):
            found = await _attempts(box, session)
    except TimeoutError:
        raise NoBox(f"its trial did not end within {PATIENCE:g} seconds") from None
    except (Broken, ValueError) as error:
        raise NoBox(f"its trial failed: {error}") from None
    if found:
        raise NoBox(f"it does not hold: code in it could {', '.join(found)}")


async def _attempts(box: Box, session: Session) -> list[str]:
    """What code in there could do and must not."""
    reached: list[str] = []

    def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append("reach a port of this machine")
        writer.close()

    descriptor, path = tempfile.mkstemp(prefix="runstead-probe-")
    name = f"runstead-probe-{secrets.token_hex(8)}"
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    with socket.socket(socket.AF_UNIX) as local:
        try:
            local.bind(f"\0{name}")
            local.listen()
            os.fchmod(descriptor, 0o644)
            await session.stage("probe", CodeFile(name="probe.txt", file_id="probe", size=len(CONTENT), read=_content))
            session.link([("probe.txt", "probe")])
            port = server.sockets[0].getsockname()[1]
            told = json.dumps(
                {"file": path, "port": port, "name": name, "known": KNOWN_VARIABLES, "content": CONTENT.decode()}
            )
            harvest = await session.call(ATTEMPTS.replace("TOLD", repr(told)), PATIENCE)
        finally:
            server.close()
            await server.wait_closed()
            os.close(descriptor)
            await asyncio.to_thread(Path(path).unlink)
    if not harvest.is_ok:
        raise ValueError(harvest.logs.strip().splitlines()[-1] if harvest.logs.strip() else "its code did not run")
    could = [what for what, was_possible in json.loads(harvest.logs).items() if was_possible]
    if box.originals is not None and (box.originals / "probe").read_bytes() != CONTENT:
        could.append("change an uploaded file")
    return list(dict.fromkeys(could + reached))


async def _content() -> AsyncIterator[bytes]:
    yield CONTENT
