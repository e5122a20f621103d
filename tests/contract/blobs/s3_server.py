"""An S3 server of the tests' own, on loopback: a process that can be stopped."""

import re
import subprocess
import sys
import urllib.request
from typing import Self

BUCKET = "contents"


class S3Server:
    """Holds everything in memory and checks no signature."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        # Its own warnings are not ours to judge.
        self._process = subprocess.Popen([command[0], "-W", "ignore", *command[1:]], stderr=subprocess.PIPE, text=True)
        self.url = self._address()
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/{BUCKET}", method="PUT")).close()

    def _address(self) -> str:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                return found[0]
        raise AssertionError("the S3 server does not start")

    @property
    def environment(self) -> dict[str, str]:
        """What a server that uses it needs to be told."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_REGION": "us-east-1",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()
