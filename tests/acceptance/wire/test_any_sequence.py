"""Any sequence of requests, as hypothesis thinks them up: the invariants hold and no answer is a 5xx."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.acceptance.scripted import Json, ScriptedServer
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.drama import LOOK, outputs
from tests.acceptance.wire.talk import ENDED, RESTING, Answer, Api

EXAMPLES = 100
STEPS = 30
ACTIVE = {"queued", "in_progress", "requires_action", "cancelling"}
STATUSES = ACTIVE | ENDED
MOMENT = {"completed": "completed_at", "failed": "failed_at", "cancelled": "cancelled_at"}
ENDLESS = "paced-50-100000"

# What the last message says decides what the model does; an endless model is asked for by name.
WORDS = st.sampled_from(["Hello", "call look {}", 'call look {"at": "fox"}', "call nothing", "Bye"])


class AnySequence(RuleBasedStateMachine):
    """One client of a running server, and what it knows from the answers alone."""

    api: Api
    assistant: str

    threads = Bundle("threads")
    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.deleted: set[str] = set()
        self.final: dict[str, Json] = {}
        self.run_thread: dict[str, str] = {}
        self.count: dict[str, int] = {}

    def teardown(self) -> None:
        for thread in self.count:
            if thread not in self.deleted:
                self.ask("DELETE", f"/threads/{thread}")

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        answer = self.api.send(method, path, body)
        assert answer.status < 500, answer
        if answer.status != 200:
            assert answer.status in {400, 404}
            assert answer.message
        return answer

    def known(self, thread: str, run: str) -> Json | None:
        """The run as it is now, after a look at what must be true of every run; None if its thread is gone."""
        answer = self.ask("GET", f"/threads/{thread}/runs/{run}")
        if thread in self.deleted:
            assert answer.status == 404
            return None
        found: Json = answer.json
        self.check(found)
        return found

    def existing(self, thread: str, run: str) -> Json:
        found = self.known(thread, run)
        assert found is not None
        return found

    def check(self, run: Json) -> None:
        status = run["status"]
        assert status in STATUSES
        assert (run["required_action"] is not None) == (status == "requires_action")
        for end, moment in MOMENT.items():
            assert (run[moment] is not None) == (status == end), run
        assert (run["last_error"] is not None) == (status == "failed")
        assert (run["usage"] is not None) == (status in ENDED)
        assert status == "queued" or run["started_at"] is None or run["started_at"] >= run["created_at"]
        if run["id"] in self.final:
            # Terminal is final: not only the status, the whole object, but for what a client may change.
            assert {**run, "metadata": None} == {**self.final[run["id"]], "metadata": None}
        elif status in ENDED:
            self.final[run["id"]] = run

    def active(self, thread: str) -> list[str]:
        listed = self.ask("GET", f"/threads/{thread}/runs?limit=100").json["data"]
        return [run["id"] for run in listed if run["status"] in ACTIVE]

    @rule(target=threads, words=WORDS)
    def create_thread(self, words: str) -> str:
        thread: str = self.ask("POST", "/threads", {"messages": [{"role": "user", "content": words}]}).json["id"]
        self.count[thread] = 1
        return thread

    @rule(thread=threads, value=st.text(max_size=8).filter(lambda text: "\0" not in text and text.isprintable()))
    def modify_thread(self, thread: str, value: str) -> None:
        answer = self.ask("POST", f"/threads/{thread}", {"metadata": {"k": value}})
        if thread in self.deleted:
            assert answer.status == 404
        else:
            assert self.ask("GET", f"/threads/{thread}").json["metadata"] == {"k": value}

    @rule(thread=consumes(threads))
    def delete_thread(self, thread: str) -> None:
        answer = self.ask("DELETE", f"/threads/{thread}")
        assert answer.status == (404 if thread in self.deleted else 200)
        self.deleted.add(thread)
        assert self.ask("GET", f"/threads/{thread}/messages").status == 404

    @rule(thread=threads, words=WORDS)
    def add_message(self, thread: str, words: str) -> None:
        answer = self.ask("POST", f"/threads/{thread}/messages", {"role": "user", "content": words})
        if answer.status == 200:
            assert thread not in self.deleted
            self.count[thread] += 1
        elif answer.status == 400:
            lock = re.fullmatch(r"Can't add messages to (thread_\w+) while a run (run_\w+) is active\.", answer.message)
            assert lock is not None, answer
            assert lock[1] == thread
            assert self.run_thread[lock[2]] == thread
        else:
            assert thread in self.deleted

    @rule(target=runs, thread=threads, is_endless=st.booleans())
    def create_run(self, thread: str, is_endless: bool) -> tuple[str, str]:
        """A run of the thread, new or the one in the way: how many there are to draw from may not hang on the moment."""
        body = {"assistant_id": self.assistant, **({"model": ENDLESS} if is_endless else {})}
        answer = self.ask("POST", f"/threads/{thread}/runs", body)
        assert thread not in self.deleted
        if answer.status == 200:
            assert answer.json["status"] == "queued"
            self.run_thread[answer.json["id"]] = thread
            return thread, answer.json["id"]
        assert answer.status == 400
        lock = re.fullmatch(r"Thread (thread_\w+) already has an active run (run_\w+)\.", answer.message)
        assert lock is not None, answer
        assert (lock[1], self.run_thread[lock[2]]) == (thread, thread)
        return thread, lock[2]

    @rule(run=runs)
    def wait_for_a_run(self, run: tuple[str, str]) -> None:
        found = self.known(*run)
        if found is not None and found["model"] != ENDLESS:
            rested = eventually(lambda: self.existing(*run), lambda now: now["status"] in RESTING)
            assert rested["status"] in {"completed", "requires_action", "cancelled"}

    @rule(run=runs, is_right=st.booleans())
    def submit(self, run: tuple[str, str], is_right: bool) -> None:
        thread, id = run
        found = self.known(thread, id)
        pending = outputs(found) if found is not None and found["status"] == "requires_action" else {"tool_outputs": []}
        wrong = {"tool_outputs": [*pending["tool_outputs"], {"tool_call_id": "call_wrong", "output": "x"}]}
        answer = self.ask("POST", f"/threads/{thread}/runs/{id}/submit_tool_outputs", pending if is_right else wrong)
        if found is None:
            assert answer.status == 404
        elif found["status"] != "requires_action":
            # It may have come to require an action since it was looked at.
            assert re.match(r'Runs in status "\w+" do not accept tool outputs\.|Expected tool outputs', answer.message)
        elif is_right:
            assert answer.json["status"] == "queued"
        else:
            assert answer.message.startswith("Expected tool outputs for call_ids ['call_")

    @rule(run=runs)
    def cancel(self, run: tuple[str, str]) -> None:
        thread, id = run
        found = self.known(thread, id)
        answer = self.ask("POST", f"/threads/{thread}/runs/{id}/cancel")
        if found is None:
            assert answer.status == 404
        elif answer.status == 200:
            assert answer.json["status"] in {"cancelling", "cancelled"}
            ended = eventually(lambda: self.existing(thread, id), lambda now: now["status"] in ENDED)
            assert ended["status"] == "cancelled"
        else:
            assert re.fullmatch(r"Cannot cancel run with status '(\w+)'\.", answer.message)
            assert self.existing(thread, id)["status"] in ENDED

    @rule(run=runs)
    def modify_run(self, run: tuple[str, str]) -> None:
        answer = self.ask("POST", f"/threads/{run[0]}/runs/{run[1]}", {"metadata": {"seen": "yes"}})
        assert answer.status == (404 if run[0] in self.deleted else 200)

    @rule(thread=threads)
    def list_messages(self, thread: str) -> None:
        answer = self.ask("GET", f"/threads/{thread}/messages?limit=100")
        if thread not in self.deleted:
            by_user = [message for message in answer.json["data"] if message["role"] == "user"]
            assert len(by_user) == self.count[thread]

    @rule(run=runs)
    def list_steps(self, run: tuple[str, str]) -> None:
        found = self.known(*run)
        answer = self.ask("GET", f"/threads/{run[0]}/runs/{run[1]}/steps")
        if found is not None and found["status"] in ENDED:
            assert all(step["status"] in ENDED for step in answer.json["data"])

    @precondition(lambda self: self.count)
    @invariant()
    def at_most_one_run_is_active_in_a_thread(self) -> None:
        thread = list(self.count)[-1]
        if thread not in self.deleted:
            assert len(self.active(thread)) <= 1


@pytest.fixture
def machine(api: Api, scripted: ScriptedServer) -> type[AnySequence]:
    """The machine, on the shared server."""
    AnySequence.api = api
    AnySequence.assistant = api.post("/assistants", {"model": scripted.model("any-sequence").name, "tools": [LOOK]})[
        "id"
    ]
    return AnySequence


def test_whatever_a_client_does_the_invariants_hold(machine):
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
