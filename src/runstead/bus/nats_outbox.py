"""What this node has to say and has not said yet, and what the server may not have heard.

Putting something here never waits. It is sent in order; what the server has not confirmed when a connection dies is
sent again on the next one, which readers notice as events that they have seen. Beyond its bound the
oldest is dropped, and the run's readers are told.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import structlog
from msgspec import Struct
from nats import errors
from nats.aio.client import Client

from runstead.bus.nats_connection import heed_cancellation
from runstead.bus.nats_frames import Position, encode_lost

CONFIRM_EVERY = 0.25
"""Seconds between two confirmations while there is something to confirm. One for many: asking for each message costs
three quarters of the throughput."""
CONFIRM_WITHIN = 2.0
OVERHEAD = 100
"""Bytes a message is taken to cost beyond its payload."""
MAX_LOST = 10_000
"""Runs whose loss is remembered."""
MOST_TURNS = 32
"""Of the loop, that somebody waits for messages to be written. Others' may follow without end."""
AT_ONCE = 64
"""Messages handed to the client before others get a turn."""

log = structlog.get_logger(__name__)


class Letter(Struct, frozen=True):
    """A message; `position` is that of its last event. Without one it is an offer or a cancellation."""

    subject: str
    payload: bytes
    position: Position | None = None

    @property
    def size(self) -> int:
        return len(self.payload) + OVERHEAD


class Outbox:
    """See the module. `on_missing` is called when the server says that nobody keeps the events."""

    def __init__(self, barrier: str, max_bytes: int, on_missing: Callable[[], None]) -> None:
        self._barrier = barrier
        self._max_bytes = max_bytes
        self._on_missing = on_missing
        self._unsent: deque[Letter] = deque()
        self._sent: deque[Letter] = deque()
        self._bytes = 0
        self._sent_count = 0
        self._is_in_doubt = False
        self._hurry = asyncio.Event()
        self._asked = asyncio.Event()
        self._lost: dict[str, Position] = {}
        self._has_unsent = asyncio.Event()
        self._has_unconfirmed = asyncio.Event()
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._bytes

    def put(self, letter: Letter) -> None:
        """Send in turn."""
        self._unsent.append(letter)
        self._added(letter)

    def put_first(self, letter: Letter) -> None:
        """Send before everything that waits; nothing that has an order may be sent so."""
        self._unsent.appendleft(letter)
        self._added(letter)

    def _added(self, letter: Letter) -> None:
        self._bytes += letter.size
        self._is_empty.clear()
        self._has_unsent.set()
        # What was sent long ago has most likely arrived, and is the first to go.
        while self._bytes > self._max_bytes and self._sent:
            self._bytes -= self._sent.popleft().size
        # Then the oldest: a run that still speaks when the server is back wants its newest events sent.
        while self._bytes > self._max_bytes and self._unsent:
            oldest = self._unsent.popleft()
            self._bytes -= oldest.size
            self._give_up(oldest)

    def _give_up(self, letter: Letter) -> None:
        """Remember whose events are incomplete now, so that its readers can be told."""
        if letter.position is None:
            return
        if not self._lost:
            log.warning("events dropped", subject=letter.subject, held=self._bytes)
        self._lost.pop(letter.subject, None)
        self._lost[letter.subject] = letter.position
        if len(self._lost) > MAX_LOST:
            del self._lost[next(iter(self._lost))]
        self._has_unsent.set()

    async def send_over(self, client: Client) -> None:
        """Send until the client is closed, beginning with what the last one may not have delivered."""
        self._send_again()
        while client.is_connected:
            await self._send_some(client)
            heed_cancellation()
            if self._unsent:
                await asyncio.sleep(0)
                continue
            self._say_what_was_lost()
            if not self._unsent:
                self._is_empty.set()
                self._has_unsent.clear()
                await self._has_unsent.wait()

    def _send_again(self) -> None:
        self._is_in_doubt = False
        self._unsent.extendleft(reversed(self._sent))
        self._sent.clear()
        if self._unsent:
            self._is_empty.clear()
            self._has_unsent.set()

    async def _send_some(self, client: Client) -> None:
        for _ in range(min(AT_ONCE, len(self._unsent))):
            letter = self._unsent.popleft()
            if letter.position is None:
                # An offer or a cancellation, said once: the rows say it again to whoever looks.
                self._bytes -= letter.size
            else:
                # Entered before it is sent: what happens if sending breaks off is that it is sent twice.
                self._sent.append(letter)
                self._sent_count += 1
            try:
                await client.publish(letter.subject, letter.payload)
            except errors.MaxPayloadError:
                self._sent.pop()
                self._bytes -= letter.size
                log.warning("too large for the server's max_payload", subject=letter.subject, size=len(letter.payload))
                self._give_up(letter)
        if self._sent:
            self._has_unconfirmed.set()

    def _say_what_was_lost(self) -> None:
        lost, self._lost = self._lost, {}
        for subject, position in lost.items():
            letter = Letter(subject, encode_lost(position), position)
            self._unsent.append(letter)
            self._added(letter)

    async def confirm_over(self, client: Client) -> None:
        """Ask from time to time how far the server has come, until the client is closed.

        Nobody else asks, and nobody breaks a question off: an answer says nothing of what was sent while an earlier
        question got none.
        """
        while client.is_connected:
            await self._has_unconfirmed.wait()
            await self._pause_unless_hurried()
            await self._confirm(client)
            self._asked.set()
            self._asked = asyncio.Event()

    async def _pause_unless_hurried(self) -> None:
        try:
            async with asyncio.timeout(CONFIRM_EVERY):
                await self._hurry.wait()
        except TimeoutError:
            pass
        self._hurry.clear()

    async def _confirm(self, client: Client) -> None:
        """Have the server say that it has stored everything sent until now.

        Not the library's flush: its PING overtakes what still waits to be written.
        """
        sent_until = self._sent_count
        try:
            answer = await client.request(self._barrier, b"", timeout=CONFIRM_WITHIN)
        except errors.NoRespondersError:
            self._is_in_doubt = True
            self._on_missing()
        except (errors.Error, OSError, TimeoutError):
            self._is_in_doubt = True
        else:
            if b'"error"' in answer.data:
                log.warning("events are not kept", answer=answer.data.decode(errors="replace"))
            if self._is_in_doubt:
                # While nobody answered the stream was missing or had no leader: who listened heard, but nobody kept it.
                self._send_again()
            else:
                self._forget(self._sent_count - sent_until)

    def _forget(self, unconfirmed: int) -> None:
        """All but the newest have arrived."""
        while len(self._sent) > unconfirmed:
            self._bytes -= self._sent.popleft().size
        if not self._sent:
            self._has_unconfirmed.clear()

    async def push(self, subject: str, client: Client) -> None:
        """Wait until the kernel has what was put here for a subject: it delivers that though this process be killed.

        Nothing is asked of the server: this takes some of the loop's turns and no more.
        """
        if not any(letter.subject == subject for letter in self._unsent) and not client.pending_data_size:
            return
        for _ in range(MOST_TURNS):
            await asyncio.sleep(0)
            if not client.is_connected:
                return
            if not client.pending_data_size and not any(letter.subject == subject for letter in self._unsent):
                break
        # The loop writes at the end of a turn.
        await asyncio.sleep(0)

    async def settle(self, subject: str, within: float) -> None:
        """Wait until what was put here for a subject is stored, but not longer than `within` seconds."""
        try:
            async with asyncio.timeout(within):
                while self._holds(subject):
                    await self._is_empty.wait()
                    self._hurry.set()
                    await self._asked.wait()
        except TimeoutError:
            return

    def _holds(self, subject: str) -> bool:
        return any(letter.subject == subject for waiting in (self._sent, self._unsent) for letter in waiting)

    async def drain(self, within: float) -> None:
        """Wait until everything is handed to the client, but not longer than `within` seconds."""
        try:
            async with asyncio.timeout(within):
                await self._is_empty.wait()
        except TimeoutError:
            return
