"""The filter, judged by a machine that executes it: which calls pass, for every call on the list."""

import errno
import struct

import pytest

from runstead.sandbox import seccomp
from runstead.sandbox.syscalls import DENIED, MACHINES

NAMES = list(MACHINES)
PASS, KILLED = "pass", "killed"


def judge(machine: str, number: int, *arguments: int, audit: int | None = None) -> str:
    """What the kernel would do with a call."""
    program = list(struct.iter_unpack("=HBBI", seccomp.program(machine)))
    architecture = MACHINES[machine].audit if audit is None else audit
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=IIQ6Q", number, architecture, 0, *(value % 2**64 for value in padded))
    accumulator = place = 0
    while True:
        code, when_true, when_false, value = program[place]
        place += 1
        if code == seccomp.LOAD:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif code == seccomp.MASK:
            accumulator &= value
        elif code == seccomp.EQUAL:
            place += when_true if accumulator == value else when_false
        elif code == seccomp.GREATER:
            place += when_true if accumulator > value else when_false
        elif value == seccomp.ALLOW:
            return PASS
        elif value == seccomp.KILL:
            return KILLED
        else:
            assert value & 0xFFFF0000 == seccomp.ERRNO
            return errno.errorcode[value & 0xFFFF]


@pytest.mark.parametrize("machine", NAMES)
@pytest.mark.parametrize("name", list(DENIED))
def test_every_call_on_the_list_is_refused(machine, name):
    number = DENIED[name][MACHINES[machine].column]

    assert number is None or judge(machine, number) == "EPERM"


@pytest.mark.parametrize("machine", NAMES)
def test_every_other_call_passes(machine):
    one = MACHINES[machine]
    listed = {numbers[one.column] for numbers in DENIED.values()} | {one.clone3, one.socket}

    for number in range(one.newest + 1):
        if number not in listed:
            assert judge(machine, number) == PASS, number


@pytest.mark.parametrize("machine", NAMES)
def test_calls_that_are_not_invented_yet_do_not_exist(machine):
    assert judge(machine, MACHINES[machine].newest + 1) == "ENOSYS"
    assert judge(machine, 2**30 - 1) == "ENOSYS"


@pytest.mark.parametrize("machine", NAMES)
def test_another_machines_calls_end_the_process(machine):
    for audit in (0x40000003, 0x40000028, 0xC000003E, 0xC00000B7, 0):
        if audit != MACHINES[machine].audit:
            assert judge(machine, 1, audit=audit) == KILLED


def test_calls_of_the_32_bit_kind_end_the_process():
    for number in (0, 39, 165, 2**30 - 1):
        assert judge("x86_64", 0x40000000 | number) == KILLED


@pytest.mark.parametrize("machine", NAMES)
@pytest.mark.parametrize("flag", [0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x00020000])
def test_clone_makes_processes_and_no_namespaces(machine, flag):
    clone = MACHINES[machine].clone
    threads = 0x003D0F00

    assert judge(machine, clone, threads) == PASS
    assert judge(machine, clone, 17) == PASS
    assert judge(machine, clone, threads | flag) == "EPERM"
    assert judge(machine, MACHINES[machine].clone3, 0) == "ENOSYS"


@pytest.mark.parametrize("machine", NAMES)
def test_terminals_cannot_be_typed_on(machine):
    ioctl = MACHINES[machine].ioctl

    for request in (0x5412, 0x541C, 0x5412 | 2**32):
        assert judge(machine, ioctl, 0, request) == "EPERM"
    assert judge(machine, ioctl, 0, 0x5401) == PASS


@pytest.mark.parametrize("machine", NAMES)
def test_only_three_kinds_of_sockets_exist(machine):
    for family in range(64):
        expected = PASS if family in {1, 2, 10} else "EAFNOSUPPORT"
        assert judge(machine, MACHINES[machine].socket, family) == expected


@pytest.mark.parametrize("machine", NAMES)
def test_nodes_are_pipes_and_files_but_no_devices(machine):
    for number, place in MACHINES[machine].mknod:
        for kind, expected in ((0o010000, PASS), (0o100000, PASS), (0o020000, "EPERM"), (0o060000, "EPERM")):
            arguments = [0] * 4
            arguments[place] = kind | 0o600
            assert judge(machine, number, *arguments) == expected


def test_an_unknown_machine_gets_no_filter():
    with pytest.raises(seccomp.UnknownMachine):
        seccomp.program("m68k")
