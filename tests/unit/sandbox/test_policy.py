"""The walls as they are ordered: what must stand in the arguments, and in which order."""

from runstead.sandbox import policy
from runstead.sandbox.limits import Limits
from runstead.sandbox.memory import MOST_SESSIONS, free_memory, sessions_that_fit
from runstead.sandbox.remedies import REMEDIES, explained

LAYOUT = policy.Layout(
    python="/opt/python/bin/python3",
    shown={"/opt/python": "/somewhere/1", "/tmp/python": "/somewhere/2"},
    hidden=["/opt/python/lib/site-packages"],
    etc="/state/etc",
    tools="/state/tools",
    packages=None,
)


def arguments() -> list[str]:
    return policy.arguments(LAYOUT, "/state/originals", Limits())


def test_every_namespace_is_new_and_every_privilege_gone():
    told = arguments()

    for flag in (
        "--unshare-all",
        "--unshare-user",
        "--disable-userns",
        "--new-session",
        "--die-with-parent",
        "--clearenv",
    ):
        assert flag in told
    for option, value in (("--cap-drop", "ALL"), ("--uid", "1000"), ("--gid", "1000"), ("--seccomp", "4")):
        assert told[told.index(option) + 1] == value


def test_nothing_of_the_machine_is_bound_for_writing():
    told = arguments()

    assert "--bind" not in told
    assert "--dev-bind" not in told
    assert "--share-net" not in told


def test_the_root_is_closed_last_and_memory_comes_before_what_lies_in_it():
    told = arguments()
    closing = len(told) - 1 - told[::-1].index("--remount-ro")

    assert told[closing : closing + 2] == ["--remount-ro", "/"]
    assert told[closing + 2] == "--"
    assert told.index("/tmp") < told.index("/tmp/python")


def test_every_folder_in_memory_has_a_size():
    told = arguments()

    places = [index for index, word in enumerate(told) if word == "--tmpfs"]
    assert places
    for index in places:
        assert "--size" in told[index - 4 : index]


def test_the_kernels_settings_are_covered():
    told = arguments()

    assert told[told.index("/proc/sys") - 1] == "--tmpfs"


def test_code_is_told_nothing_but_what_is_listed():
    told = arguments()
    names = [told[index + 1] for index, word in enumerate(told) if word == "--setenv"]

    assert names == list(policy.VARIABLES)


def test_free_memory_is_read_as_the_system_tells_it(tmp_path):
    told = tmp_path / "meminfo"
    told.write_text("MemTotal: 100 kB\nMemAvailable:   2048 kB\n")

    assert free_memory(told) == 2 * 2**20
    assert free_memory(tmp_path / "absent") > 2**35


def test_sessions_fit_memory_and_there_is_always_one():
    assert sessions_that_fit(0) == 1
    assert sessions_that_fit(4 * 2**30) == 3
    assert sessions_that_fit(2**50) == MOST_SESSIONS


def test_reasons_come_with_what_helps():
    for sign, remedy in REMEDIES:
        assert explained(f"bwrap: {sign}, or so").endswith(remedy)
    assert explained("something\nelse") == "something else"
