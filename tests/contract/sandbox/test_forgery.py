"""Code that takes the agent's place at the line: it may lie about itself, and about nothing else."""

import pytest

from runstead.sandbox import protocol
from tests.contract.sandbox.asking import Asked

TAKE_THE_LINE = """
import gc, json, os, struct
agent = next(each for each in gc.get_objects() if type(each).__name__ == "Agent")
sink = agent._channel._sink
call = agent._call
def say(raw=b"", count=None, **head):
    data = json.dumps(dict(head, raw=len(raw) if count is None else count)).encode()
    os.write(sink, struct.pack(">I", len(data)) + data + raw)
def flood(count, **head):
    data = json.dumps(dict(head, raw=0)).encode()
    for _ in range(count // 500):
        left = memoryview((struct.pack(">I", len(data)) + data) * 500)
        while left:
            left = left[os.write(sink, left):]
"""


@pytest.mark.parametrize(
    "forgery",
    [
        "os.write(sink, b'\\xff' * 64)",
        "os.write(sink, struct.pack('>I', 0) * 4)",
        "os.write(sink, struct.pack('>I', 5) + b'{{{{{')",
        "os.write(sink, struct.pack('>I', 16384) + b'[' * 16384)",
        "say(op='text', id=call, count=2**40)",
        "say(op='text', id=call, count=-1)",
        "say(op='text', id=call, count=2**63)",
        "say(op='done', id=call)",
        "say(op='done', id=call, ok='yes')",
        "say(op='done', id=call, ok=True, more=1)",
        "say(op='conquer', id=call)",
        "say(b'xxxx', op='done', id=call, ok=True)",
        "say(b'xxxx', op='chunk', id=call)",
        "say(op='end', id=call)",
        "say(op='file', id=call, name='a'); say(op='file', id=call, name='b')",
        "[(say(op='file', id=call, name=str(n)), say(op='end', id=call)) for n in range(100)]",
        "[say(op='refused', id=call, name='x', why='kind') for _ in range(2000)]",
        "flood(130_000, op='text', id=call)",
        "[say(b'x' * 2**18, op='text', id=call) for _ in range(400)]",
        "say(op='image', id=call); [say(b'x' * 2**18, op='chunk', id=call) for _ in range(40)]",
        "say(op='file', id=call, name='x'); [say(b'x' * 2**18, op='chunk', id=call) for _ in range(400)]",
    ],
)
async def test_a_frame_that_is_none_ends_the_session_and_nothing_else(asked_locally: Asked, forgery: str):
    neighbour = asked_locally.beside("thread_two")
    await neighbour("x = 41")

    outcome = await asked_locally(f"{TAKE_THE_LINE}\n{forgery}\nimport time; time.sleep(60)", timeout=50)

    assert outcome.is_error
    assert "It broke the rules" in str(outcome.notice)
    assert (await neighbour("x + 1")).logs == "42\n"
    assert (await asked_locally("'fresh'")).logs == "'fresh'\n"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a/../b", "..", "", "a//b", "a\nb", "x" * 300, "a/" * 30 + "b"]
)
async def test_a_forged_name_is_not_kept(asked_locally: Asked, name: str):
    outcome = await asked_locally(
        f"{TAKE_THE_LINE}\nsay(op='file', id=call, name={name!r}); say(b'x', op='chunk', id=call); say(op='end', id=call)"
    )

    assert outcome.files == ()
    assert "was not kept" in str(outcome.notice)


async def test_answers_for_other_calls_are_not_heard(asked_locally: Asked):
    await asked_locally(
        f"{TAKE_THE_LINE}\nfor id in (call, '', '-', '0' * 16): say(b'forged', op='text', id=id)\nold = call"
    )

    outcome = await asked_locally(
        "for id in (old, '', '-'): say(b'forged', op='text', id=id)\nsay(op='done', id=old, ok=True)\n'own'"
    )

    assert outcome.logs == "'own'\n"


async def test_chatter_between_calls_is_dropped_and_a_flood_ends_the_session(asked_locally: Asked):
    await asked_locally(
        f"{TAKE_THE_LINE}\n"
        "import threading\n"
        "def chatter():\n    while True: say(b'x' * 1000, op='text', id=call)\n"
        "threading.Thread(target=chatter, daemon=True).start()"
    )

    outcome = await asked_locally("'heard'", timeout=10)

    assert "heard" in outcome.logs or outcome.is_error or outcome.is_fresh


async def test_a_child_that_answers_in_our_place_confuses_nobody(asked_locally: Asked):
    await asked_locally(
        f"{TAKE_THE_LINE}\n"
        "line = os.dup(sink)\n"
        "import ctypes\n"
        "if ctypes.CDLL(None).syscall(56, 17, 0, 0, 0, 0) == 0:\n"
        "    import time\n"
        "    for _ in range(20):\n"
        "        head = json.dumps(dict(op='done', id=call, ok=True, raw=0)).encode()\n"
        "        os.write(line, struct.pack('>I', len(head)) + head)\n"
        "        time.sleep(0.02)\n"
        "    os._exit(0)\n"
    )

    outcomes = [await asked_locally(f"{n}") for n in range(5)]

    assert [outcome.logs for outcome in outcomes] == [f"{n}\n" for n in range(5)]


def test_no_frame_is_larger_than_memory_allows():
    assert protocol.LARGEST_HEAD + protocol.LARGEST_RAW <= 2**20
