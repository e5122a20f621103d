"""Files that are made to hurt whoever collects them."""

import pytest

from tests.contract.sandbox.asking import Asked, contents


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("a symbolic link", "os.symlink('/etc/passwd', p)"),
        ("a link out", "os.symlink('../../../../etc/shadow', p)"),
        ("a link to itself", "os.symlink(p, p)"),
        ("a pipe", "os.mkfifo(p)"),
        ("a socket", "import socket; socket.socket(socket.AF_UNIX).bind(p)"),
    ],
)
async def test_what_is_no_file_is_named_and_not_kept(asked: Asked, what: str, code: str):
    outcome = await asked(f"import os\np = '/mnt/data/odd.txt'\n{code}\nopen('/mnt/data/good.txt', 'w').write('good')")

    assert await contents(outcome.files) == {"good.txt": b"good"}
    assert "odd.txt was not kept: it is not a regular file" in str(outcome.notice)


@pytest.mark.parametrize(
    "name", [b"a\nb", b"a\rb", b"a\x1b[31mb", b"\xff\xfe", "a\u202eb".encode(), b"a\\b", "\ufeffa".encode()]
)
async def test_names_that_hurt_are_refused(asked: Asked, name: bytes):
    outcome = await asked(
        f"open(b'/mnt/data/' + {name!r}, 'w').write('x')\nopen('/mnt/data/good.txt', 'w').write('good')"
    )

    assert await contents(outcome.files) == {"good.txt": b"good"}
    assert "its name holds characters" in str(outcome.notice)
    assert not set("\n\r\x1b\u202e\ufeff") & set(str(outcome.notice))


async def test_a_huge_hole_is_refused(asked: Asked):
    outcome = await asked(
        """
        import os
        made = 0
        for n in range(40):
            try:
                with open(f"/mnt/data/{n}", "wb") as f:
                    os.truncate(f.fileno(), 20 * 2**20)
                made += 1
            except OSError:
                pass
        """
    )

    # Two holes of 20 MiB are more than the 32 that a call may give back.
    assert [one.name for one in outcome.files] == ["0"]
    assert "1 was not kept: a call may give back 32 MiB of files" in str(outcome.notice)


async def test_a_hole_beyond_every_limit_cannot_be_made(asked: Asked):
    assert await asked.tries("import os; f = open('/mnt/data/x', 'wb'); os.truncate(f.fileno(), 2**40)") == "EFBIG"


async def test_a_hidden_file_is_the_codes_own(asked: Asked):
    outcome = await asked("import os; os.makedirs('/mnt/data/.cache'); open('/mnt/data/.cache/x', 'w').write('x')")

    assert (outcome.files, outcome.notice) == ((), None)


async def test_a_deep_or_wide_tree_costs_little(asked: Asked):
    outcome = await asked(
        """
        import os
        path = "/mnt/data"
        for n in range(40):
            path += "/d"
            os.mkdir(path)
            open(path + "/f", "w").write("x")
        """
    )

    assert len(outcome.files) == 8


async def test_a_file_that_grows_while_it_is_read_is_cut(asked: Asked):
    outcome = await asked(
        """
        import subprocess
        subprocess.Popen("while :; do head -c 100000 /dev/zero >> /mnt/data/growing; done", shell=True)
        import time
        while not __import__("os").path.exists("/mnt/data/growing"): time.sleep(0.01)
        """
    )

    assert sum(one.size for one in outcome.files) <= 32 * 2**20
    await asked("import os; os.kill(-1, 9)")
