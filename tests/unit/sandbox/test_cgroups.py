"""Both versions of cgroups, as files in a folder: what is found, what is written, what is swept."""

from pathlib import Path

import pytest

from runstead.sandbox import cgroups
from runstead.sandbox.limits import MIB, Limits

LIMITS = Limits(memory=100 * MIB, disk=28 * MIB, processes=9)


def second(folder: Path, controllers: str = "cpu memory pids", enabled: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.controllers").write_text(controllers)
    (folder / "cgroup.subtree_control").write_text(enabled)
    return folder


def test_version_1_is_found_below_our_own_groups(tmp_path):
    for name in ("memory", "pids", "cpu"):
        (tmp_path / name / "ours").mkdir(parents=True)

    found = cgroups.find(own="4:memory:/ours\n8:pids:/ours\n1:cpu,cpuacct:/ours\n0::/\n", mount=tmp_path)

    assert found.version == 1
    assert found.bound_memory
    groups = {Path(group.path).parent.parent.name: dict(group.set) for group in found.groups("7-x-1", LIMITS)}
    assert groups["memory"]["memory.limit_in_bytes"] == str(128 * MIB)
    assert groups["pids"] == {"pids.max": "9"}
    assert groups["cpu"]["cpu.cfs_quota_us"] == groups["cpu"]["cpu.cfs_period_us"]


def test_in_a_container_the_mounted_root_is_our_group(tmp_path):
    for name in ("memory", "pids"):
        (tmp_path / name).mkdir()

    found = cgroups.find(own="4:memory:/docker/abc\n8:pids:/docker/abc\n", mount=tmp_path)

    assert found.parents == {"memory": tmp_path / "memory", "pids": tmp_path / "pids"}


def test_version_2_is_found_where_it_was_named(tmp_path):
    folder = second(tmp_path / "delegated", enabled="cpu memory pids")

    found = cgroups.find(folder, own="0::/elsewhere\n", mount=tmp_path)

    (group,) = found.groups("7-x-1", LIMITS)
    assert group.path == str(folder / "runstead-sandbox-7-x-1")
    assert dict(group.set) == {
        "memory.max": str(128 * MIB),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "9",
        "cpu.max": "100000 100000",
        "cpu.weight": "40",
    }
    assert group.needed == ["memory.max", "pids.max"]


def test_version_2_is_found_beside_our_own_group(tmp_path):
    second(tmp_path / "runstead.service", "memory pids", "memory pids")
    (tmp_path / "runstead.service/main").mkdir()

    found = cgroups.find(own="0::/runstead.service/main\n", mount=tmp_path)

    assert found.version == 2
    assert found.parents["memory"] == tmp_path / "runstead.service"


def test_controllers_are_asked_for_where_they_are_offered(tmp_path):
    folder = second(tmp_path / "delegated")

    cgroups.find(folder, own="0::/\n", mount=tmp_path)

    assert (folder / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"


@pytest.mark.parametrize("controllers", ["", "cpu", "memory cpu"])
def test_half_a_delegation_is_none(tmp_path, controllers):
    folder = second(tmp_path / "delegated", controllers, controllers)

    assert cgroups.find(folder, own="0::/\n", mount=tmp_path) == cgroups.NONE
    assert cgroups.NONE.groups("x", LIMITS) == []
    assert not cgroups.NONE.bound_memory


def test_a_machine_without_any_has_none(tmp_path):
    assert cgroups.find(own="", mount=tmp_path) == cgroups.NONE
    assert cgroups.find(own="0::/x\n", mount=tmp_path) == cgroups.NONE


def test_groups_that_take_no_limits_are_none(tmp_path):
    folder = second(tmp_path / "delegated", "memory pids", "memory pids")
    found = cgroups.find(folder, own="0::/\n", mount=tmp_path)

    # Plain folders are no cgroups: what was written stays as files, and the trial's folder cannot be removed.
    assert cgroups.proven(found, "7-x", LIMITS) == found
    assert cgroups.proven(found, "7-x", LIMITS) == cgroups.NONE
    assert cgroups.proven(cgroups.NONE, "7-x", LIMITS) == cgroups.NONE


def test_groups_of_the_dead_are_swept_and_of_the_living_not(tmp_path):
    folder = second(tmp_path / "delegated", "cpuset memory pids", "memory pids")
    for name in ("runstead-sandbox-7-a-1", "runstead-sandbox-8-b-1", "somebody-elses"):
        (folder / name).mkdir()
    found = cgroups.find(folder, own="0::/\n", mount=tmp_path)

    assert [path.name for path in cgroups.stale(found, alive=["8"])] == ["runstead-sandbox-7-a-1"]
    assert cgroups.remove(found, "8-b")
    assert not (folder / "runstead-sandbox-8-b-1").exists()
