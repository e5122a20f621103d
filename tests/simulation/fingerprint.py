"""A world's state as a value: two worlds with the same one have the same futures, as far as this can see.

A collision of different states would only leave something unexplored; it can never raise a false alarm.
"""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any

import msgspec

from tests.simulation.loop import PROCESS

if TYPE_CHECKING:
    from tests.simulation.exploring import Explorer
    from tests.simulation.process import Process
    from tests.simulation.scripted_clients import ScriptedClients
    from tests.simulation.world import World

_encode = msgspec.msgpack.Encoder().encode


def fingerprint(world: World, faults: int, network: Explorer, clients: ScriptedClients) -> int:
    """What the world's future depends on."""
    database, post = world.database, world.post_office
    timers = sorted(
        (when, handle.context.get(PROCESS, 0), getattr(handle.act, "__qualname__", ""))
        for when, _, handle in world.loop.timers
        if not handle.is_cancelled
    )
    return hash(
        (
            round(world.loop.now, 6),
            faults,
            str(clients.state),
            _encode([*database.runs.values(), *database.steps.values()]),
            str(database.queued_since),
            sorted(label for label, _, _ in network.pending).__str__(),
            str(timers),
            str(post.offers),
            str({owner: list(letters) for owner, letters in post.letters.items()}),
            str([process for process, taker in post.takers if not taker.done()]),
            str(
                {
                    run_id: (len(events), events[-1].epoch, events[-1].seq)
                    for run_id, events in post.events.items()
                    if events
                }
            ),
            str(sorted(world.loop.dead)),
            str(sorted(world.loop.held)),
            tuple(_of_process(process) for process in world.processes.values() if process.is_alive),
            tuple(
                (task.process, task.get_coro().__qualname__, _places(task.get_coro()))
                for task in world.loop.tasks
                if not task.done() and task.process not in world.loop.dead
            ),
        )
    )


def _of_process(process: Process) -> object:
    worker = process.worker
    drivers = tuple(
        (
            run_id,
            driver.record.epoch,
            driver.record.run.status,
            driver.lease._valid_until,
            driver.lease._claimed_at,
            driver._seq,
            driver._why,
            driver._call is not None,
        )
        for run_id, driver in worker.drivers.items()
    )
    return process.number, worker._seats, worker.is_stopping, str(sorted(worker._undriven)), drivers


def _places(coroutine: Any) -> tuple[tuple[str, int], ...]:
    """Where a coroutine and those it awaits stand."""
    found = []
    while isinstance(coroutine, CoroutineType) and coroutine.cr_frame is not None:
        found.append((coroutine.cr_code.co_name, coroutine.cr_frame.f_lasti))
        coroutine = coroutine.cr_await
    return tuple(found)
