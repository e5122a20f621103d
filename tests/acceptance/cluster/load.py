"""Clients that know all nodes: they start paced runs, poll and stream them, and come again when they are sent away.

What they were told is checked in the end: nothing is lost, and nothing is there twice.
"""

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.acceptance.processes import Server
from tests.acceptance.scripted import Json
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.talk import ENDED, Answer, Api, Event, Stream, address

CHUNKS = 20
PACED = f"paced-40-{CHUNKS}"
SAID = " word" * CHUNKS
SENT_AWAY_FOR = 0.1
PATIENCE = 40.0


@dataclass
class Load:
    """What several clients do until they are told to stop, and what they saw."""

    nodes: list[Server]
    clients: int = 4
    runs: dict[str, str] = field(default_factory=dict)
    """The thread of every run that was acknowledged."""
    unavailable: Counter[str] = field(default_factory=Counter)
    """How often a node said 503."""
    broken: Counter[str] = field(default_factory=Counter)
    """How often a connection to a node broke or was refused, by its address."""
    wrong: list[Any] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def going(self) -> Iterator["Load"]:
        """While the block lasts clients work; at its end they finish what they began."""
        assistant = Api(self.nodes[0].url).post("/assistants", {"model": PACED})["id"]
        threads = [
            threading.Thread(target=self._work, args=(assistant, number), daemon=True) for number in range(self.clients)
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join(PATIENCE)
            assert not any(thread.is_alive() for thread in threads)

    def more(self, runs: int) -> None:
        """Wait until this many more runs were acknowledged."""
        seen = len(self.runs)
        eventually(lambda: len(self.runs), lambda now: now >= seen + runs)

    def _work(self, assistant: str, number: int) -> None:
        luck = random.Random(number)
        try:
            while not self._is_over.is_set():
                thread = self._ask(luck, "POST", "/threads", {"messages": [{"role": "user", "content": "Hi"}]})
                run = self._ask(luck, "POST", f"/threads/{thread['id']}/runs", {"assistant_id": assistant})
                self.runs[run["id"]] = thread["id"]
                path = f"/threads/{thread['id']}/runs/{run['id']}"
                if luck.random() < 0.5:
                    self._follow(luck, path)
                self._until(luck, path)
        except Exception as error:  # noqa: BLE001 - shown by the test, whatever it is
            self.wrong.append(error)

    def _until(self, luck: random.Random, path: str) -> None:
        give_up_at = time.monotonic() + PATIENCE
        while (run := self._ask(luck, "GET", path))["status"] not in ENDED:
            assert time.monotonic() < give_up_at, run
            time.sleep(0.05)

    def _ask(self, luck: random.Random, method: str, path: str, body: Any = None) -> Json:
        """The answer, from whichever node gives one; a connection that breaks is no answer."""

        def ask(api: Api) -> Json | None:
            answer = api.send(method, path, body)
            if answer.status == 503:
                self._was_sent_away(answer)
                return None
            if _is_done_already(answer):
                newest: Json = api.get(path)["data"][0]
                return newest
            assert answer.status == 200, (method, path, answer)
            found: Json = answer.json
            return found

        return self._somewhere(luck, ask)

    def _follow(self, luck: random.Random, path: str) -> None:
        """Read a run's events to their end, coming back after the last one wherever a stream breaks off."""
        seen: list[Event] = []

        def follow(api: Api) -> Json | None:
            connection = http.client.HTTPConnection(*address(api.url), timeout=20)
            try:
                last = next((event.id for event in reversed(seen) if event.id), None)
                headers = {} if last is None else {"last-event-id": last}
                connection.request("GET", f"/v1{path}/stream", headers=headers)
                response = connection.getresponse()
                if response.status == 503:
                    self.unavailable["stream"] += 1
                    return None
                assert response.status == 200, response.read()
                for event in Stream(response):
                    if event.name == "error":
                        return None
                    seen.append(event)
                    if event.name == "done":
                        return {}
            finally:
                connection.close()
            return None

        self._somewhere(luck, follow)
        places = [event.place for event in seen if event.id]
        assert places == sorted(set(places)), path
        assert [event.name for event in seen][-2:] == ["thread.run.completed", "done"], seen[-2:]

    def _somewhere(self, luck: random.Random, ask: Callable[[Api], Json | None]) -> Json:
        give_up_at = time.monotonic() + PATIENCE
        while True:
            url = luck.choice(self.nodes).url
            try:
                answer = ask(Api(url))
            except (OSError, http.client.HTTPException):
                self.broken[url] += 1
                answer = None
            if answer is not None:
                return answer
            assert time.monotonic() < give_up_at, "nobody answers"
            time.sleep(SENT_AWAY_FOR)

    def _was_sent_away(self, answer: Answer) -> None:
        assert answer.error["type"] == "server_error"
        assert answer.headers["retry-after"]
        self.unavailable["request"] += 1

    def nothing_is_lost_or_doubled(self) -> None:
        """Every run that was acknowledged has completed, and said its words once."""
        assert self.wrong == []
        api = Api(self.nodes[0].url)
        for run, thread in self.runs.items():
            path = f"/threads/{thread}/runs/{run}"
            ended = eventually(partial(api.get, path), lambda found: found["status"] in ENDED)
            assert ended["status"] == "completed", ended
            steps = api.get(f"{path}/steps")["data"]
            assert [step["status"] for step in steps] == ["completed"], steps
            said = [m for m in api.get(f"/threads/{thread}/messages")["data"] if m["run_id"] == run]
            assert [message["content"][0]["text"]["value"] for message in said] == [SAID]


def _is_done_already(answer: Answer) -> bool:
    """A run that was asked for again, because the first answer got lost, finds its own thread taken."""
    return answer.status == 400 and "already has an active run" in answer.message
