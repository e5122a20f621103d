"""A NATS server of the tests' own, on loopback, that can be killed and come back."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

READY_WITHIN = 20.0


class NatsServer:
    """With JetStream in a folder; on the same port after every start."""

    def __init__(self, folder: Path, *arguments: str, jetstream: bool = True) -> None:
        self._folder = folder
        self._arguments = [*arguments, *(["-js", "-sd", str(folder)] if jetstream else [])]
        self._port = -1
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Returns once it accepts clients."""
        command = [_binary(), "-a", "127.0.0.1", "-p", str(self._port), *self._arguments]
        process = self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        ready = threading.Event()
        threading.Thread(target=self._read, args=(process, ready), daemon=True).start()
        assert ready.wait(READY_WITHIN), "the NATS server does not start"
        assert process.poll() is None, "the NATS server ended at once"

    def _read(self, process: "subprocess.Popen[str]", ready: threading.Event) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                if found := re.search(r"client connections on 127\.0\.0\.1:(\d+)", line):
                    self._port = int(found[1])
                if "Server is ready" in line:
                    ready.set()
        ready.set()

    def kill(self) -> None:
        """As a power cut does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Nothing is answered, and no connection ends."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)

    def thaw(self) -> None:
        """Go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Forget everything; only while it is not running."""
        shutil.rmtree(self._folder)


def _binary() -> str:
    beside = Path(sys.executable).parent / "nats-server"
    return str(beside) if beside.exists() else "nats-server"
