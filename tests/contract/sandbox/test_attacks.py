"""What hostile code tries, each on every launcher that this machine has. Bombs are small, and so are the limits."""

import os
import secrets
from pathlib import Path

import pytest

from tests.contract.sandbox.asking import Asked, file

SYSCALLS = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    if libc.syscall(*arguments) == -1:
        raise OSError(ctypes.get_errno(), "refused")
"""


@pytest.mark.parametrize("path", ["/etc/shadow", "/root/.bashrc", "/proc/1/root/etc/shadow", "/etc/hostname"])
async def test_files_of_the_machine_are_not_there(asked: Asked, path: str):
    assert await asked.tries(f"open({path!r}).read()") in {"ENOENT", "EACCES"}


async def test_a_planted_file_is_not_found(asked: Asked, tmp_path: Path):
    planted = tmp_path / "secret.txt"
    planted.write_text("planted")
    for folder in (tmp_path, *tmp_path.parents):
        if str(folder) != "/" and os.access(folder, os.W_OK) and folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o055)

    assert await asked.tries(f"open({str(planted)!r}).read()") == "ENOENT"


async def test_folders_show_what_python_needs_and_no_more(asked: Asked, launcher):
    told = await asked.told(
        "import json, os; print(json.dumps({p: os.listdir(p) for p in ('/', '/mnt', '/tmp', '/opt')}))"
    )

    # gVisor's /sys is its own, and empty of the machine.
    own = {"sys"} if launcher.name == "gvisor" else set()
    assert not {"home", "var", "srv", "run", "boot", "sys"} & set(told["/"]) - own
    assert set(told["/mnt"]) == {"data", "originals"}
    assert [name for name in told["/tmp"] if not name.startswith(".matplotlib")] == []
    assert set(told["/opt"]) <= {"packages", "runstead"}


async def test_secrets_of_the_servers_environment_are_nowhere(asked: Asked, monkeypatch):
    secret = secrets.token_hex(16)
    monkeypatch.setenv("RUNSTEAD_MODEL_KEY", secret)

    outcome = await asked(
        """
        import os
        print(dict(os.environ))
        for pid in filter(str.isdigit, os.listdir("/proc")):
            for name in ("environ", "cmdline", "maps", "mountinfo"):
                try:
                    print(open(f"/proc/{pid}/{name}", errors="replace").read())
                except OSError as e:
                    print(e)
        """
    )

    assert secret not in outcome.logs
    assert "RUNSTEAD_" not in outcome.logs


async def test_only_its_own_processes_are_seen(asked: Asked):
    pids = await asked.told(
        "import json, os; print(json.dumps(sorted(int(p) for p in os.listdir('/proc') if p.isdigit())))"
    )

    assert len(pids) <= 3
    assert os.getpid() not in pids


@pytest.mark.parametrize(
    "path", ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper", "/proc/kcore"]
)
async def test_the_kernels_settings_cannot_be_written(asked: Asked, path: str):
    assert (
        await asked.tries(f"import os; os.close(os.open({path!r}, os.O_WRONLY))")
        in {
            "ENOENT",
            "EACCES",
            "EROFS",
            "EPERM",
        }
        or path == "/proc/kcore"
    )
    assert await asked.tries("import os; assert os.getuid() != 0 and os.geteuid() != 0") == "worked"


async def test_the_kernels_memory_reads_as_nothing(asked: Asked):
    assert await asked.tries("assert not open('/proc/kcore', 'rb').read(1)") in {"worked", "ENOENT", "EACCES", "EPERM"}


async def test_no_port_of_the_machine_is_reached(asked: Asked, listening):
    port, came = listening

    result = await asked.tries(f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)")

    assert result in {"ECONNREFUSED", "ENETUNREACH", "EPERM", "EACCES"}
    assert came == []


async def test_no_socket_of_the_machine_is_reached(asked: Asked, abstract_name: str):
    connect = "import socket; socket.socket(socket.AF_UNIX).connect({!r})"

    assert await asked.tries(connect.format(f"\0{abstract_name}")) == "ECONNREFUSED"
    assert await asked.tries(connect.format("/run/systemd/private")) == "ENOENT"


async def test_there_is_no_way_out_to_the_internet(asked: Asked):
    result = await asked.tries("import socket; socket.create_connection(('192.0.2.1', 80), 2)")

    assert result in {"ENETUNREACH", "EHOSTUNREACH", "EPERM", "EACCES"}


@pytest.mark.parametrize("family", [16, 17, 38, 40])
async def test_odd_kinds_of_sockets_do_not_exist(asked: Asked, launcher, family: int):
    if launcher.name == "gvisor":
        pytest.skip("its own kernel answers these")

    assert await asked.tries(f"import socket; socket.socket({family}, 2)") in {
        "EAFNOSUPPORT",
        "EPERM",
        "EPROTONOSUPPORT",
    }


@pytest.mark.parametrize(
    "path", ["/x", "/usr/x", "/usr/bin/x", "/etc/passwd", "/opt/runstead/runstead_agent/cells.py", "/dev/x", "/mnt/x"]
)
async def test_nothing_but_its_own_folders_can_be_written(asked: Asked, path: str):
    assert await asked.tries(f"open({path!r}, 'a').write('x')") in {"EROFS", "EACCES", "EPERM", "ENOENT"}


async def test_originals_can_be_read_and_not_changed(asked: Asked):
    original = file("data.csv", b"a,b\n")

    assert await asked.tries("assert open('/mnt/data/data.csv').read() == 'a,b\\n'", original) == "worked"
    for flags in ("os.O_WRONLY", "os.O_WRONLY | os.O_TRUNC", "os.O_RDONLY | os.O_TRUNC"):
        refused = await asked.tries(f"import os; os.close(os.open('/mnt/data/data.csv', {flags}))", original)
        assert refused in {"EROFS", "EACCES"}
    for attempt in ("os.truncate(p, 0)", "os.chmod(p, 0o777)", "os.unlink(p)", "os.rename(p, p + 'x')"):
        call = f"import os; p = os.path.realpath('/mnt/data/data.csv'); {attempt}"
        assert await asked.tries(call, original) in {"EROFS", "EACCES", "EPERM", "EXDEV"}
    assert await asked.tries("assert open('/mnt/data/data.csv').read() == 'a,b\\n'", original) == "worked"


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("ptrace", "call(101, 16, 1, 0, 0)"),
        ("mount", "call(165, b'none', b'/tmp', b'tmpfs', 0, 0)"),
        ("unshare", "call(272, 0x10000000)"),
        ("clone with a user namespace", "call(56, 0x10000000 | 17, 0, 0, 0, 0)"),
        ("clone3", "call(435, 0, 0)"),
        ("setns", "call(308, 0, 0)"),
        ("bpf", "call(321, 0, 0, 0)"),
        ("keyctl", "call(250, 0, 0, 0, 0, 0)"),
        ("io_uring", "call(425, 1, 0)"),
        ("perf", "call(298, 0, 0, -1, -1, 0)"),
        ("userfaultfd", "call(323, 0)"),
        ("process_vm_readv", "call(310, 1, 0, 0, 0, 0, 0)"),
        ("open_by_handle_at", "call(304, 0, 0, 0)"),
        ("chroot", "call(161, b'/tmp')"),
        ("pivot_root", "call(155, b'/tmp', b'/tmp')"),
        ("a call of the other kind", "call(0x40000000 | 39)"),
        ("one that is not invented yet", "call(999)"),
    ],
)
async def test_the_kernels_machinery_is_out_of_reach(asked: Asked, launcher, name: str, call: str):
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers are those of x86_64")
    if launcher.name == "gvisor":
        pytest.skip("its own kernel answers these")

    outcome = await asked(f"{SYSCALLS}\n{call}")

    assert outcome.is_error
    # The other kind of calls is answered with the end of the process.
    assert (
        "PermissionError" in outcome.logs or "OSError: [Errno 38]" in outcome.logs or "has ended" in str(outcome.notice)
    )
    assert not (await asked("1 + 1")).is_error


async def test_nothing_is_typed_on_the_servers_terminal(asked: Asked):
    for request in (0x5412, 0x541C):
        assert await asked.tries(f"import fcntl; fcntl.ioctl(0, {request}, b'x')") in {"EPERM", "ENOTTY"}


async def test_no_device_can_be_made(asked: Asked, launcher):
    if launcher.name == "gvisor":
        pytest.skip("its devices have nothing behind them")

    for kind in ("S_IFBLK", "S_IFCHR"):
        result = await asked.tries(
            f"import os, stat; os.mknod('/mnt/data/disk', stat.{kind} | 0o600, os.makedev(8, 0))"
        )
        assert result == "EPERM"


async def test_killing_everybody_hits_nobody_else(asked: Asked):
    neighbour = asked.beside("thread_two")
    await neighbour("x = 41")

    await asked("import os, signal; os.kill(-1, signal.SIGKILL)")

    assert (await neighbour("x + 1")).logs == "42\n"
    assert (await asked("'alive'")).logs == "'alive'\n"


async def test_memory_of_one_process_is_bounded(asked: Asked):
    outcome = await asked("x = bytearray(4 * 2**30)")

    assert outcome.is_error
    assert "MemoryError" in outcome.logs


async def test_memory_of_all_processes_together_is_bounded(asked: Asked):
    outcome = await asked(
        """
        import os, time
        held = []
        for _ in range(8):
            if os.fork() == 0:
                held = bytearray(os.urandom(2**20)) * 120
                time.sleep(20)
                os._exit(0)
        held = bytearray(os.urandom(2**20)) * 200
        print(sum(1 for _ in range(8) if os.waitstatus_to_exitcode(os.wait()[1]) == 0), "were not stopped")
        """,
        timeout=15,
    )

    assert "8 were not stopped" not in outcome.logs
    assert (await asked("'alive'")).logs == "'alive'\n"


async def test_a_fork_bomb_stops_early(asked: Asked, launcher):
    outcome = await asked(
        """
        import os, time
        made = 0
        for _ in range(150):
            try:
                if os.fork() == 0:
                    time.sleep(3)
                    os._exit(0)
                made += 1
            except OSError:
                break
        made < 64
        """
    )

    # Old kernels of gVisor do not count, and die of it: then it is their cgroup that counts.
    assert outcome.logs == "True\n" or (launcher.name == "gvisor" and outcome.is_error)
    assert (await asked("'alive'")).logs == "'alive'\n"


async def test_threads_are_counted_too(asked: Asked):
    assert await asked.tries(
        """
        import threading
        hold = threading.Event()
        threads = []
        try:
            for _ in range(150):
                thread = threading.Thread(target=hold.wait, daemon=True)
                thread.start()
        finally:
            hold.set()
        """
    ) in {"RuntimeError", "MemoryError"}


@pytest.mark.parametrize(("place", "most"), [("/mnt/data", 32), ("/tmp", 16), ("/dev/shm", 8)])
async def test_disks_are_full_at_their_limit(asked: Asked, place: str, most: int):
    written = await asked.told(
        f"""
        import json, os
        written = 0
        try:
            for number in range(100):
                with open(f"{place}/{{number}}", "wb", buffering=0) as bomb:
                    bomb.write(b"x" * 2**20)
                    written += 1
        except OSError:
            pass
        for name in os.listdir("{place}"):
            if name.isdigit():
                os.unlink(f"{place}/{{name}}")
        print(json.dumps(written))
        """
    )

    assert written <= most


async def test_endless_files_do_not_take_the_server_along(asked: Asked):
    outcome = await asked(
        """
        for number in range(20_000):
            open(f"/mnt/data/.{number}", "w").close()
        """,
        timeout=20,
    )

    assert outcome.files == ()
    assert (await asked("'alive'")).logs == "'alive'\n"


@pytest.mark.parametrize("code", ["while True: pass", "import time; time.sleep(60)"])
async def test_an_endless_call_is_stopped_and_its_state_kept(asked: Asked, code: str):
    await asked("x = 41")

    outcome = await asked(f"print('begun')\n{code}", timeout=0.5)

    assert outcome.is_error
    assert "begun" in outcome.logs
    assert "stopped after 0.5 seconds" in str(outcome.notice)
    assert (await asked("x + 1")).logs == "42\n"


async def test_a_computation_that_hears_nothing_loses_its_session(asked: Asked):
    outcome = await asked("print('begun')\nsum(range(10**11))", timeout=0.5)

    assert outcome.is_error
    assert outcome.logs == "begun\n"
    assert "did not stop" in str(outcome.notice)


async def test_code_that_will_not_stop_loses_its_session(asked: Asked):
    await asked("x = 41")

    outcome = await asked(
        """
        print("begun", flush=True)
        while True:
            try:
                while True:
                    pass
            except KeyboardInterrupt:
                pass
        """,
        timeout=0.5,
    )

    assert outcome.is_error
    assert outcome.logs == "begun\n"
    assert "did not stop" in str(outcome.notice)
    again = await asked("'x' in globals()")
    assert again.logs == "False\n"
    assert again.is_fresh


@pytest.mark.parametrize(
    "flood",
    [
        "for _ in range(300): print('x' * 2**20)",
        "import os\nfor _ in range(3_000): os.write(1, b'x' * 2**16)",
        "import os\nfor _ in range(3_000): os.write(2, b'x' * 2**16)",
        "import subprocess; subprocess.run('head -c 50000000 /dev/zero', shell=True)",
    ],
    ids=["print", "descriptor 1", "descriptor 2", "a child"],
)
async def test_floods_of_output_are_cut(asked: Asked, flood: str):
    outcome = await asked(flood)

    assert len(outcome.logs) <= 100_000
    assert not outcome.is_error
    assert "cut off" in str(outcome.notice)
    assert (await asked("'alive'")).logs == "'alive'\n"


async def test_siblings_see_nothing_of_each_other(asked: Asked):
    neighbour = asked.beside("thread_two")
    secret = secrets.token_hex(16)
    await neighbour(f"x = '{secret}'; open('/mnt/data/own.txt', 'w').write(x); open('/tmp/own.txt', 'w').write(x)")
    await neighbour("1", file("theirs.txt", secret.encode(), "file-theirs"))

    outcome = await asked(
        """
        import glob, os
        found = []
        for place in ("/mnt", "/tmp", "/dev/shm", "/opt/runstead", "/proc"):
            for folder, _, names in os.walk(place):
                if folder.count("/") < 5:
                    found += [os.path.join(folder, name) for name in names]
        print([path for path in found if "own.txt" in path or "theirs" in path])
        print([open(path, errors="replace").read() for path in glob.glob("/mnt/*/*")])
        """,
        file("mine.txt", b"mine", "file-mine"),
    )

    assert outcome.logs == "[]\n['mine', 'mine']\n"


async def test_a_file_of_one_thread_cannot_be_guessed_by_another(asked: Asked):
    await asked.beside("thread_two")("1", file("theirs.txt", b"theirs", "file-theirs"))

    assert await asked.tries("open('/mnt/originals/file-theirs').read()") == "ENOENT"


async def test_text_that_nobody_can_store_comes_out_harmless(asked: Asked):
    outcome = await asked(r"import os; print('\ud800 \0'); os.write(1, b'\xff\xfe\x00'); None")

    outcome.logs.encode()
    assert "\0" not in outcome.logs


async def test_an_error_whose_words_raise_is_an_error(asked: Asked):
    outcome = await asked(
        """
        class Hostile(Exception):
            def __str__(self):
                raise SystemExit(3)
        raise Hostile
        """
    )

    assert outcome.is_error
    assert (await asked("'alive'")).logs == "'alive'\n"


async def test_an_exit_of_the_process_is_told(asked: Asked):
    outcome = await asked(
        "import os; print('last words', flush=True); open('/mnt/data/x', 'w').write('1'); os._exit(0)"
    )

    assert outcome.is_error
    assert outcome.logs == "last words\n"
    assert "session has ended" in str(outcome.notice)


async def test_outputs_of_a_child_that_outlives_its_call_are_not_the_next_calls(asked: Asked):
    await asked(
        """
        import subprocess
        subprocess.Popen("sleep 0.3; echo late", shell=True)
        """
    )

    outcome = await asked("import time; time.sleep(0.01); 'next'")

    assert outcome.logs == "'next'\n"
