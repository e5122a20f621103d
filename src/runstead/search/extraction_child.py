"""The process in which one file is parsed, with limits that the kernel keeps.

`python -m runstead.search.extraction_child PARENT FILENAME`, the file on standard input. Answers on standard output with
T and the text, or F and the failure as JSON; a process that answers nothing was stopped.
"""

import json
import os
import resource
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import BinaryIO

from runstead.domain.errors import ExtractionFailed
from runstead.search.sniffing import parser_of
from runstead.search.text_limit import collect
from runstead.tether import die_with

LIMITS: Mapping[int, tuple[int, int]] = MappingProxyType(
    {
        resource.RLIMIT_AS: (1024 * 1024 * 1024, 1024 * 1024 * 1024),
        # The first stops it with a signal of its own, which tells slowness from a crash.
        resource.RLIMIT_CPU: (60, 65),
        resource.RLIMIT_NOFILE: (64, 64),
        # Neither a file nor a core may be written.
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
    }
)
NO_MEMORY = "The file could not be parsed because it is too large: its parser ran out of memory."
NO_TEXT = "The file could not be parsed: no text was found in it."
DAMAGED = "The file could not be parsed: it is damaged, or not what its name says."


def main() -> None:
    die_with(parent=int(sys.argv[1]))
    for limit, soft_and_hard in LIMITS.items():
        resource.setrlimit(limit, soft_and_hard)
    # A run at the same time needs the processor more.
    os.nice(10)
    answers = os.fdopen(os.dup(1), "wb")
    # Whatever a parser prints goes where the log goes.
    os.dup2(2, 1)
    answers.write(answer(sys.stdin.buffer, sys.argv[2]))
    answers.flush()
    # Native libraries need not tidy up, which some of them do slowly.
    os._exit(0)


def answer(file: BinaryIO, filename: str) -> bytes:
    """What is written to the parent."""
    try:
        text = collect(parser_of(file, filename)(file))
    except ExtractionFailed as failure:
        return _failed(failure.code, failure.message)
    except MemoryError:
        return _failed("invalid_file", NO_MEMORY)
    except Exception as error:  # noqa: BLE001 - a parser stumbles over a damaged file in any way it likes
        sys.stderr.write(f"{type(error).__name__}: {error}"[:500])
        return _failed("invalid_file", DAMAGED)
    return b"T" + text if text else _failed("invalid_file", NO_TEXT)


def _failed(code: str, message: str) -> bytes:
    return b"F" + json.dumps([code, message]).encode()


if __name__ == "__main__":
    main()
