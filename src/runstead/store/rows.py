"""Records to rows and back, without a database: what every SQL adapter stores is decided here.

A column that repeats a part of the body is derived from it at the write, so the two cannot disagree.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from runstead.domain.records import CallNotes, RunRecord, StepRecord
from runstead.wire.assistants import Assistant
from runstead.wire.messages import Message
from runstead.wire.run_steps import RunStep
from runstead.wire.runs import Run, Usage
from runstead.wire.threads import Thread

Row = dict[str, Any]


class RunExtra(Struct, frozen=True, omit_defaults=True):
    """What a run's row keeps that neither the API shows nor a statement judges."""

    claimed_at: float | None = None
    model_calls: int = 0
    usage: Usage = Usage()
    lost_leases: int = 0
    reasoning_effort: str | None = None
    usage_estimated: bool = False
    has_open_calls: bool = False
    requeued: int = 0


class StepExtra(Struct, frozen=True, omit_defaults=True):
    """What a step's row keeps beside the API's object."""

    model_call: int
    call_usage: Usage | None = None
    left_out: int = 0
    notes: dict[str, CallNotes] = {}


T = TypeVar("T")

encode = msgspec.json.Encoder().encode
_NO_METADATA = b"{}"

decode_assistant = msgspec.json.Decoder(Assistant).decode
decode_thread = msgspec.json.Decoder(Thread).decode
decode_message = msgspec.json.Decoder(Message).decode
decode_step = msgspec.json.Decoder(RunStep).decode
_decode_run = msgspec.json.Decoder(Run).decode
_decode_metadata = msgspec.json.Decoder(dict[str, str]).decode
_decode_run_extra = msgspec.json.Decoder(RunExtra).decode
decode_step_extra = msgspec.json.Decoder(StepExtra).decode


def object_row(stored: Assistant | Thread) -> Row:
    return {"id": stored.id, "body": encode(stored)}


def message_row(message: Message) -> Row:
    return {"id": message.id, "thread_id": message.thread_id, "run_id": message.run_id, "body": encode(message)}


def run_row(record: RunRecord, now: float) -> Row:
    """The columns of an insert and, but for metadata, of a replace.

    Metadata is kept out of the body because it has another writer: a driver that replaces the body must not
    carry an old copy along. `now` becomes the moment since when the run waits, if it waits.
    """
    run = record.run
    return {
        "id": run.id,
        "thread_id": run.thread_id,
        "status": run.status,
        "epoch": record.epoch,
        "owner": record.owner,
        "lease_until": record.lease_until,
        "deadline": record.deadline,
        "now": now,
        "metadata": metadata_column(run.metadata),
        "body": encode(replace(run, metadata={}) if run.metadata else run),
        "extra": encode(
            RunExtra(
                record.claimed_at,
                record.model_calls,
                record.usage,
                record.lost_leases,
                record.reasoning_effort,
                record.usage_estimated,
                record.has_open_calls,
                record.requeued,
            )
        ),
    }


def fence(was: RunRecord) -> Row:
    """What a replaced run's row must still say."""
    return {
        "was_status": was.run.status,
        "was_epoch": was.epoch,
        "was_owner": was.owner,
        "was_lease_until": was.lease_until,
    }


def metadata_column(metadata: dict[str, str]) -> bytes:
    return encode(metadata) if metadata else _NO_METADATA


def run_of(row: Sequence[Any]) -> Run:
    """A run from (metadata, body, …)."""
    run = _decode_run(row[1])
    return run if row[0] == _NO_METADATA else replace(run, metadata=_decode_metadata(row[0]))


def run_record_of(row: Sequence[Any]) -> RunRecord:
    """A record from (metadata, body, epoch, owner, lease_until, deadline, extra)."""
    extra = _decode_run_extra(row[6])
    return RunRecord(
        run=run_of(row),
        deadline=int(row[5]),
        epoch=row[2],
        owner=row[3],
        lease_until=row[4],
        claimed_at=extra.claimed_at,
        model_calls=extra.model_calls,
        usage=extra.usage,
        lost_leases=extra.lost_leases,
        reasoning_effort=extra.reasoning_effort,
        usage_estimated=extra.usage_estimated,
        has_open_calls=extra.has_open_calls,
        requeued=extra.requeued,
    )


def step_row(record: StepRecord) -> Row:
    step = record.step
    return {
        "id": step.id,
        "run_id": step.run_id,
        "thread_id": step.thread_id,
        "type": step.type,
        "status": step.status,
        "body": encode(step),
        "extra": encode(step_extra(record)),
    }


def step_extra(record: StepRecord) -> StepExtra:
    return StepExtra(record.model_call, record.call_usage, record.left_out, record.notes)


def step_record_of(row: Sequence[Any]) -> StepRecord:
    """A record from (body, extra)."""
    extra = decode_step_extra(row[1])
    return StepRecord(
        step=decode_step(row[0]),
        model_call=extra.model_call,
        call_usage=extra.call_usage,
        left_out=extra.left_out,
        notes=extra.notes,
    )
