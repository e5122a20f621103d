"""Reads what the server keeps of a run's events, by direct gets: many messages for one question, no consumer to manage.

A server before 2.11 answers each question with one message; it is asked again, and is slower for it.
"""

import asyncio
from collections.abc import Callable
from itertools import count

import msgspec
import structlog
from msgspec import Struct
from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from runstead.bus.nats_errors import Unreadable
from runstead.bus.nats_frames import Frame, decode

BATCH = 256
BATCH_BYTES = 2**20
AT_ONCE = 8
"""Questions in flight: when a connection returns every reader of a node asks."""
ANSWER_WITHIN = 2.0

log = structlog.get_logger(__name__)


class Kept(Struct, frozen=True):
    """A frame and where the stream has it."""

    place: int
    frame: Frame


class Page(Struct, frozen=True):
    """Some of what is kept, in the stream's order, and where to read on."""

    kept: list[Kept]
    next_place: int
    is_last: bool


class _Answer:
    """Messages that come for one question."""

    def __init__(self, place: int) -> None:
        self.kept: list[Kept] = []
        self.next_place = place
        self.done: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def add(self, message: Msg) -> None:
        headers = message.headers or {}
        status = headers.get("Status")
        if status is None:
            self._add_kept(message, int(headers["Nats-Sequence"]))
            # Only a server that knows batches counts what is left, and says when the batch ends.
            if "Nats-Num-Pending" not in headers:
                self._finish("more")
        elif status == "204":
            self._finish("end" if headers.get("Nats-Num-Pending") == "0" else "more")
        else:
            self._finish({"404": "end", "503": "missing"}.get(status, f"refused with status {status}"))

    def _add_kept(self, message: Msg, place: int) -> None:
        self.next_place = place + 1
        try:
            self.kept += [Kept(place, frame) for frame in decode(message.data)]
        except ValueError:
            log.warning("not an event", subject=message.subject)

    def _finish(self, how: str) -> None:
        if not self.done.done():
            self.done.set_result(how)


class Replay:
    """Asks over whichever client is attached."""

    def __init__(self, stream: str, on_missing: Callable[[], None]) -> None:
        self._question = f"$JS.API.DIRECT.GET.{stream}"
        self._on_missing = on_missing
        self._client: Client | None = None
        self._inbox = ""
        self._answers: dict[str, _Answer] = {}
        self._numbers = count()
        self._turns = asyncio.Semaphore(AT_ONCE)

    @property
    def is_reachable(self) -> bool:
        """Whether it is worth asking."""
        return self._client is not None and self._client.is_connected

    async def attach(self, client: Client) -> None:
        """Ask over this client from now on."""
        self._inbox = client.new_inbox()
        await client.subscribe(f"{self._inbox}.*", cb=self._answered)
        self._client = client

    def detach(self) -> None:
        """Ask nobody; who waits for an answer waits no more."""
        self._client = None
        for answer in self._answers.values():
            if not answer.done.done():
                answer.done.set_result("the connection was lost")

    async def _answered(self, message: Msg) -> None:
        answer = self._answers.get(message.subject)
        if answer is not None:
            answer.add(message)

    async def page(self, subject: str, place: int) -> Page:
        """What is kept of a subject from a place of the stream on. Raises Unreadable."""
        return await self._ask({"next_by_subj": subject, "seq": place, "batch": BATCH, "max_bytes": BATCH_BYTES}, place)

    async def last(self, subject: str) -> Page:
        """The last message of a subject, if any is kept. Raises Unreadable."""
        return await self._ask({"last_by_subj": subject}, 1)

    async def _ask(self, question: dict[str, str | int], place: int) -> Page:
        async with self._turns:
            client = self._client
            if client is None:
                raise Unreadable("not connected")
            inbox = f"{self._inbox}.{next(self._numbers)}"
            answer = self._answers[inbox] = _Answer(place)
            try:
                async with asyncio.timeout(ANSWER_WITHIN):
                    await client.publish(self._question, msgspec.json.encode(question), reply=inbox)
                    how = await answer.done
            except (errors.Error, OSError, TimeoutError) as error:
                raise Unreadable(str(error) or "no answer came") from error
            finally:
                del self._answers[inbox]
        if how == "missing":
            # The stream is gone, or has no leader now: the answer is the same.
            self._on_missing()
        if how not in ("end", "more"):
            raise Unreadable(how)
        return Page(answer.kept, answer.next_place, is_last=how != "more")
