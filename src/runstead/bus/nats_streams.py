"""The two streams of the bus and their subjects: offers wait in one, events are kept for a while in the other.

Whatever the server lost is declared again; nothing in a stream is the only copy of a fact.
"""

from typing import Literal

from msgspec import Struct
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError

from runstead.wire.base import RunId

WORKERS = "workers"
"""The one consumer of offers that all nodes share."""
ASK_WITHIN = 2.0
"""Seconds the server has to answer a request about a stream."""
OTHERWISE_CONFIGURED = 10058
"""JetStream's code for a stream of that name with other settings."""


class Streams(Struct, frozen=True, kw_only=True):
    """What is declared, and under which names. Nodes of one cluster have to agree on all of it."""

    prefix: str = "runstead"
    replicas: int = 1
    keep_for: float = 15 * 60.0
    max_events: int = 20_000
    """Messages kept of one run; beyond that its oldest go."""
    max_bytes: int = 2**30
    storage: Literal["file", "memory"] = "file"

    def __post_init__(self) -> None:
        # A dot would make another subject of it, and no stream's name may have one.
        if not self.prefix.replace("-", "").replace("_", "").isalnum() or not self.prefix.isascii():
            raise ValueError(f"'{self.prefix}' is no prefix for subjects: use letters, digits, '-' and '_'")

    # The names bear a number: retention and subjects of a stream cannot be changed later, a new number can be given.
    @property
    def offers(self) -> str:
        """The name of the stream of offers."""
        return f"{self.prefix}_offers_1"

    @property
    def events(self) -> str:
        """The name of the stream of events."""
        return f"{self.prefix}_events_1"

    def offer_of(self, run_id: RunId) -> str:
        """Where a run is offered."""
        return f"{self.prefix}.offer.{_token(run_id)}"

    def events_of(self, run_id: RunId) -> str:
        """Where a run's events are published."""
        return f"{self.prefix}.event.{_token(run_id)}"

    def cancel_of(self, owner: str) -> str:
        """Where an owner is told to look at a run."""
        return f"{self.prefix}.cancel.{_token(owner)}"

    @property
    def cancels(self) -> str:
        """Where all owners are."""
        return f"{self.prefix}.cancel.*"

    @property
    def barrier(self) -> str:
        """Captured among the events: once the server acknowledges a message here, it has stored all before it."""
        return f"{self.prefix}.event.-"

    async def declare(self, client: Client) -> None:
        """Make the streams and the consumer what they should be, whoever does so at the same time."""
        js = client.jetstream(timeout=ASK_WITHIN)
        await _declare(js, self._offers())
        await _declare(js, self._events())
        # Acknowledged as soon as somebody takes it, so `max_ack_pending` never counts runs, only what is on its way.
        workers = ConsumerConfig(
            durable_name=WORKERS, ack_policy=AckPolicy.EXPLICIT, ack_wait=6.0, max_deliver=-1, max_ack_pending=10_000
        )
        await js.add_consumer(self.offers, workers)

    def _offers(self) -> StreamConfig:
        # One offer a run and no more: full nodes offer what waits again every second, which may neither pile up nor
        # lose its place in the queue. A new offer is refused only while the last one waits or is on its way.
        return StreamConfig(
            name=self.offers,
            subjects=[f"{self.prefix}.offer.*"],
            retention=RetentionPolicy.WORK_QUEUE,
            storage=StorageType(self.storage),
            num_replicas=self.replicas,
            max_age=3600.0,
            max_msgs_per_subject=1,
            discard=DiscardPolicy.NEW,
            discard_new_per_subject=True,
        )

    def _events(self) -> StreamConfig:
        return StreamConfig(
            name=self.events,
            subjects=[f"{self.prefix}.event.*"],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType(self.storage),
            num_replicas=self.replicas,
            max_age=self.keep_for,
            max_msgs_per_subject=self.max_events,
            max_bytes=self.max_bytes,
            discard=DiscardPolicy.OLD,
            allow_direct=True,
        )


async def _declare(js: JetStreamContext, config: StreamConfig) -> None:
    try:
        await js.add_stream(config)
    except BadRequestError as error:
        if error.err_code != OTHERWISE_CONFIGURED:
            raise
        await js.update_stream(config)


def _token(id: str) -> str:
    # Ids are ours. One that is not may become no wildcard and no deeper subject.
    if not id.isascii() or any(c in " .*>\r\n\t" for c in id) or not id:
        raise ValueError(f"{id!r} is no part of a subject")
    return id
