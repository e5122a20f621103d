"""What built-in tools lead to, played: a sandbox and a library that answer from scripts, and a shelf of files."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from runstead.ports import CodeFile, CodeOutcome, FoundPassage


class Held:
    """A moment at which a tool waits until it is let go."""

    def __init__(self, then: CodeOutcome) -> None:
        self.then = then
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.was_interrupted = False


@dataclass
class Executed:
    """One call of the sandbox."""

    thread_id: str
    code: str
    files: list[str]
    originals: list[str]


class ScriptedSandbox:
    """Answers calls in order, and repeats the code when its script is at its end. Raises what is an exception."""

    def __init__(self) -> None:
        self.outcomes: deque[CodeOutcome | Held | BaseException] = deque()
        self.executed: list[Executed] = []
        self.description: str | BaseException = "Python 3.11 with nothing."

    def will(self, *outcomes: CodeOutcome | BaseException) -> None:
        self.outcomes.extend(outcomes)

    def will_hold(self, then: CodeOutcome) -> Held:
        held = Held(then)
        self.outcomes.append(held)
        return held

    async def run(self, thread_id: str, code: str, files: Sequence[CodeFile], *, timeout: float) -> CodeOutcome:
        assert timeout > 0
        originals = [file.name for file in files if not file.is_output]
        self.executed.append(Executed(thread_id, code, [file.name for file in files], originals))
        outcome = self.outcomes.popleft() if self.outcomes else CodeOutcome(f"ran {code}")
        match outcome:
            case Held():
                outcome.reached.set()
                try:
                    await outcome.opened.wait()
                except asyncio.CancelledError:
                    outcome.was_interrupted = True
                    raise
                return outcome.then
            case BaseException():
                raise outcome
            case _:
                return outcome

    def paths(self, files: Sequence[CodeFile]) -> list[str]:
        return [f"/mnt/data/{file.name}" for file in files]

    async def describe(self) -> str:
        if isinstance(self.description, BaseException):
            raise self.description
        return self.description


@dataclass
class Searched:
    """One call of the library."""

    stores: list[str]
    query: str
    limit: int
    score_threshold: float


class ScriptedLibrary:
    """Finds the same passages whatever is asked."""

    def __init__(self) -> None:
        self.passages: list[FoundPassage] = []
        self.searched: list[Searched] = []
        self.settled: list[str] = []
        self.failure: BaseException | None = None

    async def settle(self, store_id: str, timeout: float) -> None:
        assert timeout == 60
        self.settled.append(store_id)

    async def search(
        self, store_ids: Sequence[str], query: str, *, limit: int, score_threshold: float
    ) -> list[FoundPassage]:
        self.searched.append(Searched(list(store_ids), query, limit, score_threshold))
        if self.failure is not None:
            raise self.failure
        return self.passages[:limit]


@dataclass
class KeptFiles:
    """Files by id. What code has made is numbered through."""

    stored: dict[str, CodeFile] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    failure: BaseException | None = None

    def upload(self, id: str, name: str) -> None:
        self.stored[id] = a_file(name, id)

    async def open(self, file_ids: Sequence[str]) -> list[CodeFile]:
        return [self.stored[id] for id in file_ids if id in self.stored]

    async def keep(self, file: CodeFile) -> str:
        if self.failure is not None:
            raise self.failure
        id = f"file-made{len(self.made)}"
        self.made.append(file.name)
        self.stored[id] = a_file(file.name, id)
        return id


def a_file(name: str, id: str | None = None) -> CodeFile:
    async def read() -> AsyncIterator[bytes]:
        yield name.encode()

    return CodeFile(name, id, len(name), read)


def passage(file_id: str, text: str, score: float = 0.5) -> FoundPassage:
    return FoundPassage(file_id=file_id, file_name=f"{file_id}.txt", score=score, text=text)
