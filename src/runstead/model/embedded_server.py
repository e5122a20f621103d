"""The embedded model's own process: xllamacpp behind a loopback port.

`python -m runstead.model.embedded_server PARENT`, with the parent's process id. A process of its own, because a crash in native code must not take the server along. It is told what to do in one line
of JSON on standard input, answers with one line on standard output, and ends when its input ends.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import msgspec

from runstead.tether import die_with

STDERR = 2
HTTP_THREADS = 16
"""Connections served at a time; those beyond the slots only wait."""


class Order(msgspec.Struct, frozen=True):
    """What the parent asks for. `context` is in tokens, shared evenly by the slots."""

    weights: str
    name: str
    key: str
    threads: int
    context: int
    slots: int


class Ready(msgspec.Struct, frozen=True):
    """The child's answer."""

    url: str


def main() -> None:
    _close_inherited()
    die_with(parent=int(sys.argv[1]))
    answers = _own_stdout()
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    server = _serve(order)
    answers.write(msgspec.json.encode(Ready(f"{server.listening_address}/v1")) + b"\n")
    answers.flush()
    # Wherever the parent's death is not signalled, its end of the pipe still closes.
    sys.stdin.buffer.read()
    os._exit(0)


def _close_inherited() -> None:
    # A listening socket among them would stay open for as long as we live.
    with suppress(FileNotFoundError):
        for descriptor in [int(path.name) for path in Path("/dev/fd").iterdir()]:
            if descriptor > STDERR:
                # The listing's own is closed by now.
                with suppress(OSError):
                    os.close(descriptor)


def _own_stdout() -> IO[bytes]:
    """Keep standard output for the one answer; whatever native code prints goes where the log goes."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _serve(order: Order) -> Any:
    # Imported here: the parent, which needs the structs above, must not load it.
    import xllamacpp  # noqa: PLC0415

    params = xllamacpp.CommonParams()
    params.model.path = order.weights
    params.model_alias = {order.name}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [order.key]
    params.n_ctx = order.context
    params.n_parallel = order.slots
    params.cpuparams.n_threads = order.threads
    params.cpuparams_batch.n_threads = order.threads
    params.n_threads_http = HTTP_THREADS
    # By default it may keep 8 GB of prompts it has seen.
    params.cache_ram_mib = 0
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = 1
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
