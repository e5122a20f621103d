"""Which launcher is taken, and what is said where none is: no code runs then, whatever the settings."""

from functools import partial
from pathlib import Path

import pytest
from msgspec import structs

from runstead import settings
from runstead.ports import SandboxUnavailable
from runstead.sandbox import bubblewrap, cgroups, opening, policy
from runstead.sandbox.box import NoBox
from runstead.sandbox.choice import Candidate, Chosen, choose
from runstead.sandbox.machine import Machine
from tests.contract.sandbox.asking import Asked
from tests.contract.sandbox.conftest import LIMITS, local, require


class Failing:
    """A launcher that never makes a box."""

    name = "failing"

    async def open(self):
        raise NoBox("it is broken")

    async def close(self) -> None:
        pass


async def test_every_reason_is_named_and_nothing_runs():
    chosen = Chosen(
        [Candidate("gvisor", None, "runsc is not installed"), Candidate("failing", Failing)],  # type: ignore[arg-type]
        LIMITS,
    )

    with pytest.raises(SandboxUnavailable) as caught:
        await Asked(chosen)("1")

    assert str(caught.value).startswith("code_interpreter is not available on this server: no working sandbox (")
    assert "gvisor: runsc is not installed; failing: it is broken" in str(caught.value)
    await chosen.close()


async def test_the_first_that_holds_is_taken():
    await require("bubblewrap")
    ways = [Candidate("failing", Failing), Candidate("bubblewrap", lambda: local("bubblewrap", LIMITS))]  # type: ignore[arg-type]
    chosen = Chosen(ways, LIMITS)

    try:
        assert chosen.threads() == frozenset()
        assert (await chosen.check()).startswith("bubblewrap, Python 3.")
        assert "No network" in await chosen.describe()
        asked = Asked(chosen)
        assert (await asked("1 + 1")).logs == "2\n"
        assert chosen.threads() == {asked.thread_id}
    finally:
        await chosen.close()


@pytest.mark.parametrize(
    ("hole", "told"),
    [
        (["--share-net"], "reach a port of this machine"),
        (["--bind", "/tmp", "/tmp"], "read a file of this machine"),
        (["--setenv", "SECRET", "x"], "read somebody else's environment"),
    ],
)
async def test_a_wall_with_a_hole_fails_its_trial(monkeypatch, hole: list[str], told: str):
    await require("bubblewrap")
    whole = policy.arguments

    def holed(*given):
        arguments = whole(*given)
        end = arguments.index("--")
        return [*arguments[: end - 2], *hole, *arguments[end - 2 :]]

    monkeypatch.setattr(policy, "arguments", holed)

    with pytest.raises(SandboxUnavailable, match=told):
        await choose([Candidate("bubblewrap", lambda: local("bubblewrap", LIMITS))], LIMITS)


@pytest.mark.parametrize("program", ["/nowhere/bwrap", "/etc/passwd", "/bin/true", "/bin/false"])
async def test_a_program_that_is_no_bubblewrap_is_a_reason(program: str):
    await require("bubblewrap")
    way = Candidate("bubblewrap", lambda: bubblewrap.Bubblewrap(Path(program), LIMITS, Machine()))

    with pytest.raises(SandboxUnavailable, match="bubblewrap: "):
        await choose([way], LIMITS)


async def test_a_python_that_is_none_is_a_reason():
    await require("bubblewrap")
    for python in ("/nowhere/python", "/bin/true"):
        way = Candidate("bubblewrap", partial(local, "bubblewrap", LIMITS, Machine(python=python)))
        with pytest.raises(SandboxUnavailable, match=python):
            await choose([way], LIMITS)


async def test_nobody_left_to_run_as_is_a_reason_and_never_root(monkeypatch):
    await require("bubblewrap")
    monkeypatch.setattr("os.geteuid", lambda: 0)

    with pytest.raises(SandboxUnavailable, match="RUNSTEAD_SANDBOX_UIDS"):
        await choose([Candidate("bubblewrap", lambda: local("bubblewrap", LIMITS, Machine(uids=())))], LIMITS)


async def test_strictness_refuses_what_cannot_be_counted_together(monkeypatch):
    await require("bubblewrap")
    monkeypatch.setattr("runstead.sandbox.cgroups.find", lambda *_: cgroups.NONE)
    ways = [Candidate("bubblewrap", lambda: local("bubblewrap", LIMITS))]

    with pytest.raises(SandboxUnavailable, match="RUNSTEAD_SANDBOX_STRICT is set, and no cgroup may be made"):
        await choose(ways, LIMITS, is_strict=True)
    await (await choose(ways, LIMITS)).close()


def chosen_by(**environment: str) -> list[tuple[str, str]]:
    loaded = settings.load({"RUNSTEAD_DATA_DIR": "/nowhere", **environment})
    return [(one.name, one.why_not) for one in opening.candidates(loaded)]


def test_settings_lead_to_launchers_and_never_to_none_at_all():
    url = {"RUNSTEAD_SANDBOX_URL": "tls://x:1", "RUNSTEAD_SANDBOX_SECRET": "secret"}

    assert chosen_by(RUNSTEAD_SANDBOX="off") == [("off", "RUNSTEAD_SANDBOX is off")]
    assert chosen_by(**url) == [("remote", "")]
    assert {name for name, _ in chosen_by(RUNSTEAD_SANDBOX="bubblewrap", **url)} == {"bubblewrap"}
    assert [name for name, _ in chosen_by(RUNSTEAD_SANDBOX="gvisor")] == ["gvisor"]
    assert chosen_by(RUNSTEAD_SANDBOX="remote")[0][1].startswith("RUNSTEAD_SANDBOX_URL and RUNSTEAD_SANDBOX_SECRET")
    assert {name for name, _ in chosen_by()} == {"gvisor", "bubblewrap"}


def test_on_another_system_the_way_out_is_named(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")

    ((name, why_not),) = chosen_by()

    assert name == "bubblewrap"
    assert "RUNSTEAD_SANDBOX_URL" in why_not


def test_limits_are_the_settings():
    loaded = settings.load(
        {"RUNSTEAD_DATA_DIR": "/nowhere", "RUNSTEAD_SANDBOX_MEMORY": "256", "RUNSTEAD_SANDBOX_WARM": "0"}
    )

    limits = opening.limits(loaded)

    assert limits.memory == 256 * 2**20
    assert limits == structs.replace(
        opening.limits(settings.load({"RUNSTEAD_DATA_DIR": "/x"})), memory=256 * 2**20, warm=0
    )
