"""The process that runs the embedding model.

`python -m runstead.search.embedding_child PARENT WEIGHTS`. Two threads: one for queries, one for documents, which gives
way to everything else that the machine has to do.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread, get_native_id
from typing import BinaryIO, Protocol

import msgspec

from runstead.search.embedding_frames import LENGTH, Answer, Ask, framed
from runstead.tether import die_with

DOCUMENTS_NICENESS = 10


class _Model(Protocol):
    def embed(self, texts: list[str]) -> list[list[bytes]]: ...
    def embed_beginning(self, text: str) -> bytes: ...


def main() -> None:
    die_with(parent=int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb")
    # Whatever native code prints goes where the log goes.
    os.dup2(2, 1)
    # Imported here: the tests of the frames need no model.
    from runstead.search.minilm import MiniLM  # noqa: PLC0415

    Lanes(MiniLM(Path(sys.argv[2])), answers).serve(sys.stdin.buffer)
    os._exit(0)


class Lanes:
    """A queue and a thread a lane, one way out for both."""

    def __init__(self, model: _Model, answers: BinaryIO) -> None:
        self._model = model
        self._answers = answers
        self._writing = Lock()

    def serve(self, asks: BinaryIO) -> None:
        """Until the input ends."""
        queues: dict[str, SimpleQueue[Ask]] = {"query": SimpleQueue(), "documents": SimpleQueue()}
        for lane, queue in queues.items():
            Thread(target=self._work, args=(lane, queue), daemon=True, name=lane).start()
        self._write(Answer(0))
        while header := asks.read(LENGTH):
            ask = msgspec.msgpack.decode(asks.read(int.from_bytes(header, "big")), type=Ask)
            queues[ask.lane].put(ask)

    def _work(self, lane: str, queue: "SimpleQueue[Ask]") -> None:
        if lane == "documents":
            # On Linux each thread has a niceness of its own; elsewhere there is none to set.
            with suppress(OSError, AttributeError):
                os.setpriority(os.PRIO_PROCESS, get_native_id(), DOCUMENTS_NICENESS)
        while True:
            self._write(self._answer(queue.get()))

    def _answer(self, ask: Ask) -> Answer:
        try:
            if ask.lane == "query":
                return Answer(ask.id, [[self._model.embed_beginning(text)] for text in ask.texts])
            return Answer(ask.id, self._model.embed(list(ask.texts)))
        except Exception as error:  # noqa: BLE001 - of whatever native code raises, the parent hears one sentence
            return Answer(ask.id, failure=f"{type(error).__name__}: {error}"[:500])

    def _write(self, answer: Answer) -> None:
        with self._writing:
            self._answers.write(framed(answer))
            self._answers.flush()


if __name__ == "__main__":
    main()
