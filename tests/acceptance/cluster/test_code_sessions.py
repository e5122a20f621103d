"""Code sessions of several nodes: a thread finds its variables wherever its runs are created, or is told that it does not."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.cluster.conftest import SHORT, Cluster
from tests.acceptance.processes import Server
from tests.acceptance.scripted import Json, Model, call, calls, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.forms import upload
from tests.acceptance.wire.talk import ENDED, Api

STARTED_ANEW = (
    "[The Python session was started anew: variables and imports of earlier calls are gone, files are not.]\n"
)
LONG = {"RUNSTEAD_LEASE_FOR": "12"}
"""For tests in which no lease is to end, however long the machine stands still."""


@pytest.fixture
def coding(tmp_path: Path) -> dict[str, str]:
    """What nodes are told that run code and see the same files."""
    return {
        "RUNSTEAD_SANDBOX": "bubblewrap",
        "RUNSTEAD_SANDBOX_WARM": "0",
        "RUNSTEAD_BLOBS_URL": (tmp_path / "shared").as_uri(),
    }


@dataclass(frozen=True)
class Coder:
    """A thread whose model writes what the test says, and the last node that was asked for a run."""

    model: Model
    assistant: str
    thread: str

    @classmethod
    def open(cls, node: Server, model: Model, *files: str) -> "Coder":
        api = Api(node.url)
        resources = {"code_interpreter": {"file_ids": list(files)}}
        tools = {"tools": [{"type": "code_interpreter"}], "tool_resources": resources}
        message = {"role": "user", "content": "Go on."}
        assistant = api.post("/assistants", {"model": model.name, **tools})["id"]
        return cls(model, assistant, api.post("/threads", {"messages": [message]})["id"])

    def run(self, node: Server, *code: str) -> str:
        """What a run printed that was created on this node, in all its calls."""
        made = (call("code_interpreter", json.dumps({"code": each}), f"call_{i}") for i, each in enumerate(code))
        self.model.will(calls(*made), text("Done."))
        api = Api(node.url)
        run = api.post(f"/threads/{self.thread}/runs", {"assistant_id": self.assistant})
        path = f"/threads/{self.thread}/runs/{run['id']}"
        ended = eventually(lambda: api.get(path), lambda run: run["status"] in ENDED)
        assert ended["status"] == "completed", ended["last_error"]
        [step] = [step for step in api.get(f"{path}/steps")["data"] if step["type"] == "tool_calls"]
        return "".join(_logs(each) for each in step["step_details"]["tool_calls"])

    def told(self) -> str:
        """What the model was told last of its code."""
        return str(
            [message["content"] for message in self.model.requests[-1]["messages"] if message["role"] == "tool"][-1]
        )


def _logs(made: Json) -> str:
    return "".join(output["logs"] for output in made["code_interpreter"]["outputs"])


def lives(words: str) -> bool:
    """Whether there is a process on this machine with these words in its command."""
    return any(words.encode() in _command(process) for process in Path("/proc").glob("[0-9]*"))


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_variables_are_there_whichever_node_a_run_is_created_on(cluster: Cluster, model: Model, coding: dict[str, str]):
    nodes = [cluster.node(**coding, **LONG) for _ in range(2)]
    asking = cluster.node("--role", "api", **coding, **LONG)
    coder = Coder.open(nodes[0], model)
    assert coder.run(nodes[0], "seen = ['first']") == ""

    for node, name in ((nodes[1], "second"), (nodes[0], "third"), (asking, "fourth"), (nodes[1], "fifth")):
        assert coder.run(node, f"seen.append({name!r})", "print(len(seen), seen[-1])").endswith(f" {name}\n")

    assert coder.run(nodes[1], "print(seen)") == "['first', 'second', 'third', 'fourth', 'fifth']\n"
    assert [node.complaints for node in cluster.nodes] == [[]] * 3


def test_a_killed_node_s_session_is_rebuilt_elsewhere_and_the_model_is_told(
    cluster: Cluster, model: Model, coding: dict[str, str]
):
    dying, living = (cluster.node(**coding, **SHORT) for _ in range(2))
    coder = Coder.open(dying, model, upload(Api(dying.url), b"a,b\n1,2\n", b"given.csv"))
    coder.run(dying, "x = 1\nopen('/mnt/data/made.txt', 'w').write('made before')")
    dying.kill()

    seen = coder.run(living, "print('x' in globals(), open('made.txt').read(), open('given.csv').read())")

    assert seen == f"{STARTED_ANEW}False made before a,b\n1,2\n\n"
    assert coder.told().startswith(STARTED_ANEW)
    assert coder.run(living, "print('x' in globals())") == "False\n"
    assert living.complaints == []


def test_a_node_that_is_full_or_leaves_passes_its_threads_on(cluster: Cluster, model: Model, coding: dict[str, str]):
    small = cluster.node(**coding, **LONG, RUNSTEAD_MAX_RUNS="1")
    other = cluster.node(**coding, **LONG)
    coder = Coder.open(small, model)
    coder.run(small, "x = 'of the small'")
    occupying = cluster.drama(small, Model(model.address, f"{model.name}-occupied"))
    occupying.model.will(text("At last", hold_before=1))
    busy = occupying.start()
    occupying.model.wait(held=1)

    assert coder.run(small, "print('x' in globals())\nx = 'of the other'") == f"{STARTED_ANEW}False\n"
    assert coder.told().startswith(STARTED_ANEW)
    occupying.model.release()
    assert occupying.ended(busy["id"])["status"] == "completed"
    # The first has room again and still lives, and so may its old session: it counts for nothing.
    assert coder.run(small, "print(x)") == "of the other\n"

    assert other.stop() == 0
    assert coder.run(small, "print('x' in globals())") == f"{STARTED_ANEW}False\n"
    assert small.complaints + other.complaints == []


def test_a_thread_that_is_deleted_elsewhere_takes_its_session_along(
    cluster: Cluster, model: Model, coding: dict[str, str]
):
    keeping, deleting = (cluster.node(**coding, **SHORT) for _ in range(2))
    coder = Coder.open(keeping, model)
    mark = f"86400.{secrets.randbelow(10**9):09}"
    assert coder.run(keeping, f"import subprocess\nchild = subprocess.Popen(['sleep', '{mark}'])") == ""
    # A session's processes come last where others want the processor: it may not have become itself yet.
    eventually(lambda: lives(mark))

    Api(deleting.url).delete(f"/threads/{coder.thread}")

    eventually(lambda: lives(mark), lambda it_lives: not it_lives)
    assert keeping.complaints + deleting.complaints == []
