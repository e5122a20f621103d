"""Clients whose every deed is a choice: what they do, they may do at any moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runstead.domain.records import RunRecord
from runstead.http.cancelling import cancel
from runstead.wire.runs import Run
from tests.simulation.clients import Ask, creating, deleting, submitting

if TYPE_CHECKING:
    from tests.simulation.exploring import Small
    from tests.simulation.world import World


class ScriptedClients:
    """Runs are created on one thread, through the first process that lives."""

    busy = 0

    def __init__(self, world: World, small: Small) -> None:
        self._world = world
        self._thread_id = world.new_thread()
        self._creates = small.creates
        self._may_cancel = small.cancels
        self._may_delete = small.deletes
        self._waiting: list[RunRecord] = []
        self._run: Run | None = None

    @property
    def is_content(self) -> bool:
        """Whether nothing is left that they surely do."""
        return not self._creates and not self._waiting

    @property
    def state(self) -> object:
        waiting = [(record.run.id, record.epoch) for record in self._waiting]
        return self._creates, self._may_cancel, self._may_delete, waiting, self._run and self._run.id

    def options(self) -> list[tuple[str, Callable[[], None]]]:
        found: list[tuple[str, Callable[[], None]]] = []
        if self._listener() is None:
            return found
        if self._creates:
            found.append(("a client creates a run", self._create))
        found += [("a client submits", lambda record=record: self._submit(record)) for record in self._waiting]  # type: ignore[misc]
        if self._run is not None and self._may_cancel:
            found.append(("a client cancels", self._cancel))
        if self._run is not None and self._may_delete:
            found.append(("a client deletes the thread", self._delete))
        return found

    def _listener(self) -> Any:
        alive = [p for p in self._world.processes.values() if p.is_alive and p.is_listening]
        running = [p for p in alive if p.number not in self._world.loop.held]
        return next(iter(running or alive), None)

    def _ask(self, act: Ask) -> None:
        def heard(answer: Any) -> None:
            if isinstance(answer, Run):
                self._run = answer
                self._world.witness.told(answer)

        self._listener().serve(act, heard)

    def _create(self) -> None:
        self._creates -= 1
        self._ask(creating(self._thread_id))

    def _cancel(self) -> None:
        run, self._may_cancel = self._run, False
        assert run is not None
        self._ask(lambda api: cancel(api, run.thread_id, run.id))

    def _delete(self) -> None:
        self._may_delete = False
        self._ask(deleting(self._thread_id))

    def is_waited_for(self, record: RunRecord) -> None:
        self._waiting.append(record)

    def _submit(self, record: RunRecord) -> None:
        self._waiting.remove(record)
        self._ask(submitting(record))
