"""The server killed at random moments under load, again and again: nothing acknowledged is lost, nothing is said twice."""

import http.client
import random
import threading
from collections import Counter
from typing import Any

from tests.acceptance.processes import Server
from tests.acceptance.scripted import Json, Model, ScriptedServer
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.drama import LOOK, Starter, outputs
from tests.acceptance.wire.talk import ENDED, Answer, Api

SEED = 20260826
KILLS = 20
CLIENTS = 4
LEGAL_ENDS = {"completed", "cancelled", "failed"}


class Client(threading.Thread):
    """A client that starts runs, answers and cancels them, and remembers what it was told."""

    def __init__(self, number: int, where: "Address", assistant: str) -> None:
        super().__init__(daemon=True)
        self.luck = random.Random(SEED + number)
        self.where = where
        self.assistant = assistant
        self.runs: dict[str, str] = {}
        self.messages: dict[str, list[str]] = {}
        self.submitted: set[str] = set()
        self.cancelled: set[str] = set()
        self.wrong: list[Any] = []

    def run(self) -> None:
        try:
            while not self.where.is_over.is_set():
                self._act()
        except Exception as error:  # noqa: BLE001 - shown by the test, whatever it is
            self.wrong.append(error)

    def _act(self) -> None:
        thread = self._ask("POST", "/threads", {})
        if thread is None:
            return
        words = self.luck.choice(["Hello there", 'call look {"what": "fox"}'])
        message = self._ask("POST", f"/threads/{thread['id']}/messages", {"role": "user", "content": words})
        if message is None:
            return
        self.messages[thread["id"]] = [message["id"]]
        how = {"assistant_id": self.assistant}
        if self.luck.random() < 0.5:
            # Long enough to be killed in the middle.
            how["model"] = "paced-3-40"
        run = self._ask("POST", f"/threads/{thread['id']}/runs", how)
        if run is None:
            return
        self.runs[run["id"]] = thread["id"]
        path = f"/threads/{thread['id']}/runs/{run['id']}"
        for _ in range(self.luck.randrange(4)):
            found = self._ask("GET", path)
            if found is not None and found["status"] == "requires_action":
                if self._ask("POST", f"{path}/submit_tool_outputs", outputs(found)) is not None:
                    self.submitted.add(run["id"])
            elif self.luck.random() < 0.1 and self._ask("POST", f"{path}/cancel") is not None:
                self.cancelled.add(run["id"])

    def _ask(self, method: str, path: str, body: Any = None) -> Json | None:
        """What was answered with 200, or None: for a refusal, and for a server that died before it answered."""
        try:
            answer = Api(self.where.url).send(method, path, body)
        except (OSError, http.client.HTTPException):
            self.where.is_up.wait(20)
            return None
        if answer.status >= 500:
            self.wrong.append((method, path, answer))
        found: Json | None = answer.json if answer.status == 200 else None
        return found


class Address:
    """Where the server is now."""

    def __init__(self, server: Server) -> None:
        self.is_over = threading.Event()
        self.is_up = threading.Event()
        self.moved_to(server)

    def moved_to(self, server: Server) -> None:
        self.url = server.url
        self.is_up.set()


def test_whatever_the_moment_of_a_kill_nothing_acknowledged_is_lost(starter: Starter, scripted: ScriptedServer):
    luck = random.Random(SEED)
    print(f"seed {SEED}")
    model = scripted.model("paces-about")
    where = Address(starter())
    assistant = Api(where.url).post("/assistants", {"model": model.name, "tools": [LOOK]})["id"]
    clients = [Client(number, where, assistant) for number in range(CLIENTS)]
    for client in clients:
        client.start()

    for _ in range(KILLS):
        _let_some_calls_come(model, luck.randrange(1, 12))
        where.is_up.clear()
        starter.running.kill()
        where.moved_to(starter())
    where.is_over.set()
    for client in clients:
        client.join(30)
        assert not client.is_alive()

    assert [client.wrong for client in clients] == [[]] * CLIENTS
    assert starter.running.complaints == []
    api = Api(where.url)
    ends: Counter[str] = Counter()
    for client in clients:
        for run, thread in client.runs.items():
            ends[_check(api, client, run, thread)] += 1
    print(dict(ends))
    assert set(ends) <= LEGAL_ENDS
    # Few enough runs are killed three times in a row to be given up.
    assert ends["completed"] > ends["failed"]


def _let_some_calls_come(model: Model, more: int) -> None:
    # Every restart asks afresh, so that the moment is one of the run's and not of the clock.
    seen = len(model.calls)
    eventually(lambda: len(model.calls), lambda now: now >= min(seen + more, 1_000))


def _check(api: Api, client: Client, run_id: str, thread: str) -> str:
    """The run's end, after a look at all that must be true of it."""
    path = f"/threads/{thread}/runs/{run_id}"
    rested = eventually(lambda: api.get(path), lambda run: run["status"] in ENDED | {"requires_action"})
    if rested["status"] == "requires_action":
        assert run_id not in client.submitted, rested
        api.post(f"{path}/submit_tool_outputs", outputs(rested))
        rested = eventually(lambda: api.get(path), lambda run: run["status"] in ENDED)
    status: str = rested["status"]
    messages = api.get(f"/threads/{thread}/messages?order=asc")["data"]
    said = [message for message in messages if message["run_id"] == run_id]
    steps = api.get(f"{path}/steps?order=asc")["data"]
    assert [message["id"] for message in messages if message["role"] == "user"] == client.messages[thread]
    assert len(said) <= 1
    assert rested["required_action"] is None
    assert rested["usage"] is not None
    assert all(step["status"] != "in_progress" for step in steps)
    if status == "completed":
        assert [message["status"] for message in said] == ["completed"]
        assert [step["status"] for step in steps] == ["completed"] * len(steps)
        assert len(steps) == (2 if said[0]["content"][0]["text"]["value"].startswith("The tool") else 1)
    if run_id in client.cancelled:
        assert status == "cancelled", rested
    if status == "failed":
        assert "times in a row" in rested["last_error"]["message"]
    free: Answer = api.send("POST", f"/threads/{thread}/messages", {"role": "user", "content": "Next"})
    assert free.status == 200, free
    return status
