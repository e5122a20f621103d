"""What a sandbox promises to friendly code: state, files, images, and a word about everything that went otherwise."""

import asyncio
import os
import struct
import sys
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import structs

from runstead.ports import CodeFile, SandboxUnavailable
from runstead.sandbox.environment import Environment, Manifest
from runstead.sandbox.machine import Machine
from runstead.sandbox.sessions import Sessions
from tests.contract.sandbox.asking import Asked, content, contents, file, until
from tests.contract.sandbox.conftest import LIMITS, local, require

SHOW_A_PICTURE = """
import struct, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
class Picture:
    def __init__(self, side, beginning=b"\\x89PNG\\r\\n\\x1a\\n"):
        self.side, self.beginning = side, beginning
    def _repr_png_(self):
        head = struct.pack(">IIBBBBB", self.side, self.side, 8, 0, 0, 0, 0)
        rows = zlib.compress(b"".join(b"\\0" + bytes(self.side) for _ in range(min(self.side, 100))))
        return self.beginning + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
"""


async def test_variables_imports_and_files_stay(asked: Asked):
    first = await asked("import math\nx = math.pi\nopen('/mnt/data/note.txt', 'w').write('kept')")
    second = await asked("print(x == math.pi)\nopen('/mnt/data/note.txt').read()")

    assert (first.is_fresh, second.is_fresh) == (True, False)
    assert second.logs == "True\n'kept'\n"
    assert second.notice is None


async def test_logs_come_in_their_order(asked: Asked):
    outcome = await asked(
        """
        import os, subprocess, sys
        print("one")
        print("two", file=sys.stderr)
        subprocess.run("echo three", shell=True)
        os.write(1, b"four\\n")
        print("five", end="")
        "six"
        """
    )

    assert outcome.logs == "one\ntwo\nthree\nfour\nfive'six'\n"


async def test_an_error_is_told_as_python_tells_it(asked: Asked):
    outcome = await asked("print('before')\ndef f():\n    return 1 / 0\nf()")

    assert outcome.is_error
    assert outcome.logs.startswith("before\nTraceback (most recent call last):\n")
    assert "return 1 / 0" in outcome.logs
    assert outcome.logs.endswith("ZeroDivisionError: division by zero\n")
    assert "runstead_agent" not in outcome.logs


async def test_what_a_call_left_unread_is_not_the_next_ones(asked_locally: Asked):
    first = """
        import sys, threading
        from runstead_agent import output
        look, gate = output.select_readable, threading.Event()
        def held(descriptor):
            gate.wait()
            look(descriptor)
        output.select_readable = held
        sys.stdout.write("in time\\n")
        sys.stdout._capture.flush()
        print("too late")
    """
    assert (await asked_locally(first)).logs == "in time\n"
    second = await asked_locally("gate.set(); print('of the second'); sys.stdout._capture.flush(); 'alive'")
    assert second.logs == "of the second\n'alive'\n"


async def test_a_line_for_another_tool_is_explained(asked: Asked):
    outcome = await asked("!pip install numpy")

    assert outcome.is_error
    assert "SyntaxError" in outcome.logs
    assert "not Python" in outcome.logs


@pytest.mark.parametrize("code", ["", "   \n", "# nothing", "None", "import sys; sys.exit(3)", "raise SystemExit"])
async def test_nothing_said_is_no_error(asked_locally: Asked, code: str):
    outcome = await asked_locally(code)

    assert (outcome.logs, outcome.is_error, outcome.notice) == ("", False, None)


async def test_asking_for_input_fails_at_once(asked_locally: Asked):
    assert "EOFError" in (await asked_locally("input('name? ')")).logs


async def test_multiprocessing_works(asked: Asked):
    outcome = await asked(
        """
        from concurrent.futures import ProcessPoolExecutor
        with ProcessPoolExecutor(2) as pool:
            print(sum(pool.map(abs, range(-10, 0))))
        """
    )

    assert outcome.logs == "55\n"


async def test_files_come_in_and_go_out(asked: Asked):
    outcome = await asked(
        """
        import os
        text = open("/mnt/data/data.csv").read()
        os.makedirs("/mnt/data/made")
        open("/mnt/data/made/clean.csv", "w").write(text.replace(";", ","))
        open("/mnt/data/big.bin", "wb").write(b"x" * 3_000_000)
        """,
        file("data.csv", b"a;b\n1;2\n"),
    )

    made = await contents(outcome.files)
    assert made == {"made/clean.csv": b"a,b\n1,2\n", "big.bin": b"x" * 3_000_000}
    assert await contents(outcome.files) == made  # and once more


async def test_only_what_is_new_or_changed_goes_out(asked: Asked):
    await asked("open('/mnt/data/a', 'w').write('1'); open('/mnt/data/b', 'w').write('1')")
    unchanged = await asked("open('/mnt/data/a').read()")
    changed = await asked("open('/mnt/data/b', 'w').write('2')")

    assert unchanged.files == ()
    assert await contents(changed.files) == {"b": b"2"}


async def test_large_originals_arrive_whole(asked: Asked):
    data = os.urandom(5_000_000)

    crc = await asked.told("import zlib; print(zlib.crc32(open('/mnt/data/x.bin', 'rb').read()))", file("x.bin", data))

    assert crc == zlib.crc32(data)


async def test_a_file_that_comes_later_is_there(asked: Asked):
    await asked("1", file("one.txt", b"one", "file-1"))

    outcome = await asked(
        "[open(f'/mnt/data/{n}.txt').read() for n in ('one', 'two')]",
        file("one.txt", b"one", "file-1"),
        file("two.txt", b"two", "file-2"),
    )

    assert outcome.logs == "['one', 'two']\n"


async def test_files_of_one_name_are_all_found(asked: Asked):
    files = [file("data.csv", b"first", "file-1"), file("data.csv", b"second", "file-2")]

    paths = asked.sandbox.paths(files)
    outcome = await asked(f"[open(path).read() for path in {paths!r}]", *files)

    assert paths == ["/mnt/data/data.csv", "/mnt/data/data-file-2.csv"]
    assert outcome.logs == "['first', 'second']\n"


async def test_an_original_may_be_replaced_but_not_lost(asked: Asked):
    original = file("data.csv", b"original")
    replaced = await asked(
        "import os\nos.unlink('/mnt/data/data.csv')\nopen('/mnt/data/data.csv', 'w').write('own')", original
    )

    again = await asked("open('/mnt/data/data.csv').read()", original)

    assert await contents(replaced.files) == {"data.csv": b"own"}
    assert again.logs == "'own'\n"


async def test_images_are_shown_in_order(asked: Asked):
    await asked(SHOW_A_PICTURE)

    outcome = await asked("Picture(7)")

    (image,) = outcome.images
    data = await content(image)
    assert data.startswith(b"\x89PNG")
    assert struct.unpack(">II", data[16:24]) == (7, 7)
    assert (outcome.logs, outcome.files) == ("", ())


@pytest.mark.parametrize("picture", ["Picture(7, b'GIF89a')", "Picture(100_000)"])
async def test_what_is_no_sensible_image_is_not_kept(asked: Asked, picture: str):
    await asked(SHOW_A_PICTURE)

    outcome = await asked(picture)

    assert outcome.images == ()
    assert "not kept" in str(outcome.notice)


async def test_too_many_files_are_named(asked: Asked):
    outcome = await asked("for n in range(13): open(f'/mnt/data/{n:02}.txt', 'w').write('x')")

    assert [one.name for one in outcome.files] == [f"{n:02}.txt" for n in range(10)]
    assert "12.txt was not kept: a call may give back 10 files" in str(outcome.notice)


async def test_a_lost_session_gets_its_files_back_and_says_so(asked: Asked):
    original = file("data.csv", b"original", "file-1")
    first = await asked("x = 1\nopen('/mnt/data/made.txt', 'w').write('made')", original)
    ended = await asked("import os; os._exit(1)", original)
    made = file("made.txt", await content(first.files[0]), "file-2", is_output=True)

    again = await asked(
        """
        print(open("/mnt/data/made.txt").read(), open("/mnt/data/data.csv").read(), "x" in globals())
        open("/mnt/data/made.txt", "a").write("!")
        """,
        original,
        made,
    )

    assert "session has ended" in str(ended.notice)
    assert again.is_fresh
    assert again.logs.startswith("made original False\n")
    assert await contents(again.files) == {"made.txt": b"made!"}


async def test_outputs_are_put_back_only_into_new_sessions(asked: Asked):
    await asked("open('/mnt/data/made.txt', 'w').write('new')")

    outcome = await asked("open('/mnt/data/made.txt').read()", file("made.txt", b"old", "file-2", is_output=True))

    assert outcome.logs == "'new'\n"


async def test_a_released_thread_starts_anew_without_a_word(asked: Asked):
    await asked("x = 1")
    assert asked.sandbox.threads() == {asked.thread_id}
    await asked.sandbox.release(asked.thread_id)
    assert asked.sandbox.threads() == frozenset()

    outcome = await asked("'x' in globals()")

    assert (outcome.logs, outcome.is_fresh, outcome.notice) == ("False\n", True, None)


async def test_calls_of_one_thread_follow_each_other(asked: Asked):
    outcomes = await asyncio.gather(
        *(asked(f"import time\ntime.sleep(0.05)\norder = globals().get('order', []) + [{n}]\norder") for n in range(4))
    )

    assert outcomes[-1].logs == "[0, 1, 2, 3]\n"


async def test_a_cancelled_call_stops_and_keeps_its_session(asked: Asked):
    await asked("x = 41")
    call = asyncio.create_task(asked("import time\nopen('/mnt/data/begun', 'w').close()\ntime.sleep(30)"))
    neighbour = asked.beside("thread_two")
    await neighbour("1")

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    outcome = await asyncio.wait_for(asked("x + 1"), 10)
    assert outcome.logs == "42\n"


async def test_a_call_that_waits_for_another_can_be_cancelled_alone(asked: Asked):
    first = asyncio.create_task(asked("import time\ntime.sleep(0.3)\n'done'"))
    await asyncio.sleep(0)
    second = asyncio.create_task(asked("'never'"))
    await asyncio.sleep(0)

    second.cancel()

    assert (await first).logs == "'done'\n"
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_an_idle_session_ends_and_the_next_call_is_told():
    await require("bubblewrap")
    limits = structs.replace(LIMITS, idle=0.2)
    sessions = Sessions(local("bubblewrap", limits), limits)
    asked = Asked(sessions)
    try:
        await asked("x = 1")
        await until(lambda: sessions.count == 0)

        outcome = await asked("'x' in globals()")

        assert outcome.logs == "False\n"
        assert "started anew: it was not used for 0.2 seconds" in str(outcome.notice)
    finally:
        await sessions.close()


async def test_an_old_session_ends_and_the_next_call_is_told():
    await require("bubblewrap")
    limits = structs.replace(LIMITS, lifetime=0)
    sessions = Sessions(local("bubblewrap", limits), limits)
    asked = Asked(sessions)
    try:
        await asked("x = 1")

        outcome = await asked("'x' in globals()")

        assert outcome.logs == "False\n"
        assert "sessions live for 0 seconds" in str(outcome.notice)
    finally:
        await sessions.close()


async def test_where_all_are_busy_the_longest_idle_gives_way_and_else_one_waits():
    await require("bubblewrap")
    limits = structs.replace(LIMITS, sessions=1)
    sessions = Sessions(local("bubblewrap", limits), limits)
    one, two = Asked(sessions, "thread_one"), Asked(sessions, "thread_two")
    try:
        await one("x = 1")
        assert (await two("'second'")).logs == "'second'\n"
        assert sessions.threads() == {"thread_two"}
        assert "its place was needed for another thread" in str((await one("1")).notice)

        busy = asyncio.create_task(one("import time; time.sleep(0.5)"))
        await asyncio.sleep(0)
        with pytest.raises(SandboxUnavailable, match="all 1 sessions of this server are busy"):
            await two("1", timeout=0.1)
        waiting = asyncio.create_task(two("'at last'"))
        await busy
        assert (await waiting).logs == "'at last'\n"
    finally:
        await sessions.close()


async def test_a_warm_session_is_used_once_and_another_made(tmp_path: Path):
    await require("bubblewrap")
    limits = structs.replace(LIMITS, warm=1)
    packages = Environment(tmp_path, Manifest(".".join(map(str, sys.version_info[:2])), "", {"small": "1"}))
    sessions = Sessions(local("bubblewrap", limits, Machine(environment=packages)), limits)
    try:
        # What there is to import is known from the first session on.
        await Asked(sessions, "thread_zero")("1")
        await until(lambda: sessions.warm == 1)
        first = await Asked(sessions, "thread_one")("x = 1\n[name for name in globals() if not name.startswith('__')]")
        second = await Asked(sessions, "thread_two")("'x' in globals()")

        assert (first.logs, first.is_fresh) == ("['x']\n", True)
        assert (second.logs, second.is_fresh) == ("False\n", True)
    finally:
        await sessions.close()


async def test_contents_that_cannot_be_read_break_no_session(asked_locally: Asked):
    async def broken() -> AsyncIterator[bytes]:
        yield b"some"
        raise OSError(5, "the store is gone")

    bad = CodeFile(name="bad.csv", file_id="file-bad", size=10, read=broken)
    with pytest.raises(SandboxUnavailable, match="the store is gone"):
        await asked_locally("1", bad)

    assert (await asked_locally("'alive'")).logs == "'alive'\n"
