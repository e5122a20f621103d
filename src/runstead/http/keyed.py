"""EXT: `Idempotency-Key`. A request that is sent again under its key has had its effect, and is answered with that.

The key is written with the effect, in one commit: a crash between them cannot be, and of two requests at once
one finds that the other was first. A request that is refused has no effect, and leaves its key free.
"""

import hashlib
from typing import Any

import msgspec
from msgspec import structs

from runstead.domain.change import AddMessage, Change, InsertAssistant, InsertRun, InsertThread, Write
from runstead.domain.errors import InvalidRequest, Unavailable
from runstead.domain.file_writes import InsertFileBatch, InsertVectorStore
from runstead.domain.keyed_requests import KEPT_FOR, KeyedRequest, RememberRequest
from runstead.http.api import FROM_THE_START, Api, Call, RunStream
from runstead.http.operations import Operation
from runstead.journal import Commits
from runstead.ports import Clock
from runstead.wire.base import RunId

LONGEST = 255

_encode = msgspec.json.Encoder(order="deterministic").encode


class WrongKey(InvalidRequest):
    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid 'Idempotency-Key': {reason}.", param="Idempotency-Key", code="invalid_value")


class KeyReused(InvalidRequest):
    def __init__(self) -> None:
        super().__init__(
            "This 'Idempotency-Key' was used for another request. Use a new key for each request, "
            "and the same only to send that request again.",
            param="Idempotency-Key",
            code="idempotency_key_reused",
        )


class Keyed:
    """One request with its key. Raises WrongKey."""

    def __init__(self, api: Api, operation: Operation, call: Call[Any], key: str) -> None:
        if not (0 < len(key) <= LONGEST and key.isascii() and key.isprintable()):
            raise WrongKey(f"expected 1 to {LONGEST} printable ASCII characters")
        self._api = api
        self._operation = operation
        self._call = call
        self._key = hashlib.sha256(key.encode()).hexdigest()
        said = _encode([operation.id, call.path, call.body])
        self._fingerprint = hashlib.sha256(said).hexdigest()

    async def perform(self) -> Any:
        """The answer, or the one that a request before this had; KeyUsed if another comes first meanwhile."""
        known = await self.answered()
        if known is not None:
            return known
        journal = _KeyedJournal(self._api.journal, self._api.clock, self._key, self._fingerprint, self._call)
        return await self._operation.handler(structs.replace(self._api, journal=journal), self._call)

    async def answered_elsewhere(self) -> Any:
        """As `answered`, for who was told that the key was used a moment ago. Raises Unavailable."""
        known = await self.answered()
        if known is None:
            raise Unavailable("The request that bears this 'Idempotency-Key' is under way; try again.")
        return known

    async def answered(self) -> Any:
        """What came of the request that had this key before, as it is now; None if none had it. Raises KeyReused."""
        found = await self._api.store.find_keyed_request(self._key, self._api.clock.now())
        if found is None:
            return None
        if found.fingerprint != self._fingerprint:
            raise KeyReused
        assert self._operation.again is not None
        if getattr(self._call.body, "stream", None):
            return RunStream(RunId(found.place["run_id"]), after=FROM_THE_START)
        return await self._operation.again(self._api, structs.replace(self._call, path=found.place, body=None))


class _KeyedJournal:
    """Writes the key with what its request writes."""

    def __init__(self, journal: Commits, clock: Clock, key: str, fingerprint: str, call: Call[Any]) -> None:
        self._journal = journal
        self._clock = clock
        self._key = key
        self._fingerprint = fingerprint
        self._call = call

    async def commit(self, change: Change) -> None:
        request = KeyedRequest(self._fingerprint, _place(change, self._call))
        remember = RememberRequest(self._key, request, int(self._clock.now()) + KEPT_FOR)
        await self._journal.commit(structs.replace(change, writes=(remember, *change.writes)))


def _place(change: Change, call: Call[Any]) -> dict[str, str]:
    """Where what was made or changed can be retrieved."""
    place: dict[str, str] = {}
    for write in change.writes:
        place |= _made_by(write)
    # Who puts a file somewhere names it.
    file_id = getattr(call.body, "file_id", None)
    return place | ({"file_id": file_id} if isinstance(file_id, str) else {}) | call.path


def _made_by(write: Write) -> dict[str, str]:
    match write:
        case InsertAssistant(assistant):
            return {"assistant_id": assistant.id}
        case InsertThread(thread):
            return {"thread_id": thread.id}
        case InsertRun(record):
            return {"thread_id": record.run.thread_id, "run_id": record.run.id}
        case AddMessage(message):
            return {"message_id": message.id}
        case InsertVectorStore(store):
            return {"vector_store_id": store.id}
        case InsertFileBatch(id):
            return {"batch_id": id}
        case _:
            return {}
