"""A seccomp filter as the kernel's own instructions, made without a library: the program is a page long."""

import errno
import struct

from runstead.sandbox.syscalls import DENIED, MACHINES, Machine

# Instructions of the kernel's packet filter: load a word, mask it, jump when equal or greater, return.
LOAD, MASK, EQUAL, GREATER, RETURN = 0x20, 0x54, 0x15, 0x25, 0x06
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
# Where seccomp_data keeps what is judged; an argument's lower half comes first on both machines.
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16

NEW_NAMESPACES = 0x7E020000
"""All CLONE_NEW flags that clone takes."""
PUSHING_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX: typing on the terminal of whoever started us."""
SOCKET_FAMILIES = (1, 2, 10)
"""Unix and the two of the internet, which lead nowhere but are expected to exist; the rest is kernel code to attack."""
FILE_TYPE, DEVICES = 0o170000, (0o020000, 0o060000)


class UnknownMachine(Exception):
    """No filter is known for this kind of processor."""


def program(machine: str) -> bytes:
    """The filter for a machine as `platform.machine` names it. Raises UnknownMachine."""
    if machine not in MACHINES:
        raise UnknownMachine(machine)
    one = MACHINES[machine]
    code = [
        _word(LOAD, ARCHITECTURE),
        # Another architecture's calls bear other numbers: nothing below would mean what it says.
        *_unless(EQUAL, one.audit, _word(RETURN, KILL)),
        _word(LOAD, NUMBER),
    ]
    if one.other_abi is not None:
        code += [_jump(GREATER, one.other_abi - 1, 0, 1), _word(RETURN, KILL)]
    code += [_jump(GREATER, one.newest, 0, 1), _fail(errno.ENOSYS)]
    for numbers in DENIED.values():
        number = numbers[one.column]
        if number is not None:
            code += _when(number, [_fail(errno.EPERM)])
    code += _judged(one)
    code.append(_word(RETURN, ALLOW))
    return b"".join(code)


def _judged(one: Machine) -> list[bytes]:
    """Calls that depend on an argument. Each block ends in a return, so what follows still has the number loaded."""
    allow = _word(RETURN, ALLOW)
    code = _when(
        one.clone3, [_fail(errno.ENOSYS)]
    )  # its flags lie in memory, which no filter sees; libc then uses clone
    code += _when(
        one.clone, [_argument(0), _word(MASK, NEW_NAMESPACES), _jump(EQUAL, 0, 1, 0), _fail(errno.EPERM), allow]
    )
    refused = [part for request in PUSHING_INPUT for part in (_jump(EQUAL, request, 0, 1), _fail(errno.EPERM))]
    code += _when(one.ioctl, [_argument(1), *refused, allow])
    known = [part for family in SOCKET_FAMILIES for part in (_jump(EQUAL, family, 0, 1), allow)]
    code += _when(one.socket, [_argument(0), *known, _fail(errno.EAFNOSUPPORT)])
    for number, mode in one.mknod:
        devices = [part for kind in DEVICES for part in (_jump(EQUAL, kind, 0, 1), _fail(errno.EPERM))]
        code += _when(number, [_argument(mode), _word(MASK, FILE_TYPE), *devices, allow])
    return code


def _when(number: int, block: list[bytes]) -> list[bytes]:
    return [_jump(EQUAL, number, 0, len(block)), *block]


def _unless(test: int, value: int, otherwise: bytes) -> list[bytes]:
    return [_jump(test, value, 1, 0), otherwise]


def _argument(index: int) -> bytes:
    return _word(LOAD, FIRST_ARGUMENT + 8 * index)


def _fail(number: int) -> bytes:
    return _word(RETURN, ERRNO | number)


def _word(code: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, 0, 0, value)


def _jump(test: int, value: int, when_true: int, when_false: int) -> bytes:
    return struct.pack("=HBBI", test, when_true, when_false, value)
