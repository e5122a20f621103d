"""Starts sandboxes, ends them, and cleans up behind them, in a small process of its own.

Why not the server itself: a fork of a large process is slow; a death signal follows the thread that spawned; and who is
killed cannot clean up. This process sees the end of its line when the server is gone, however it went, and ends every
sandbox, removes their folders and cgroups, and leaves. Standard library only, run by its path with nothing imported.

The line carries one JSON message a packet. Asked: {"do": "reach", "paths": []}, {"do": "spawn", "id", "argv", ...} with
descriptors, {"do": "kill", "id"}. Said: {"reached": {}}, {"started": id, "pid"}, {"failed": id, "why"}, {"ended": id, "code", "oom"}.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS, MNT_DETACH = 0x20000, 2
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 0x1, 0x20, 0x1000, 0x4000, 0x80000
LARGEST_MESSAGE = 256 * 1024
MOST_DESCRIPTORS = 16
FIRST_INHERITED = 3
PAUSE = 0.01
PATIENCE = 20.0
"""Seconds for a cgroup to become empty after its last process was reaped."""
WATCHED_EVERY = 0.1

libc = ctypes.CDLL(None, use_errno=True)


class Sandbox:
    """A process that was started, and what has to go when it ends."""

    def __init__(self, pid: int, order: dict[str, Any]) -> None:
        self.pid = pid
        self.cgroups = [one["path"] for one in order["cgroups"]]
        self.folders = order["folders"]
        self.memory = order["memory"]
        self.code: int | None = None
        # The process that is 1 inside ends last, after all others in there.
        self.rest: set[int] = set()
        self.oom = False
        self.give_up_at = 0.0

    def kill(self) -> None:
        """End the whole tree."""
        tree = descendants(self.pid) if self.code is None else []
        self.rest |= set(tree)
        for pid in [self.pid, *tree] if self.code is None else list(self.rest):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                self.rest.discard(pid)
        for path in self.cgroups:
            for member in read(os.path.join(path, "cgroup.procs")).split():
                try:
                    os.kill(int(member), signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def remove(self) -> bool:
        """Remove folders and cgroups; False while the kernel still counts somebody in there."""
        for path in self.folders:
            shutil.rmtree(path, ignore_errors=True)
        self.folders = []
        for path in list(self.cgroups):
            self.oom = self.oom or was_out_of_memory(path)
            try:
                os.rmdir(path)
            except FileNotFoundError:
                pass
            except OSError:
                if time.monotonic() < self.give_up_at:
                    continue
            self.cgroups.remove(path)
        return not self.cgroups


class Keeper:
    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._sandboxes: dict[str, Sandbox] = {}
        self._ending: dict[str, Sandbox] = {}
        self._roots = ""
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        woken, waker = socket.socketpair()
        woken.setblocking(False)
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        self._woken, self._waker = woken, waker
        self._selector = selectors.DefaultSelector()
        self._selector.register(line, selectors.EVENT_READ)
        self._selector.register(woken, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until the line ends; then until nothing is left."""
        is_open, last_look = True, 0.0
        while is_open or self._sandboxes or self._ending:
            timeout = PAUSE if self._ending else WATCHED_EVERY if self._sandboxes else None
            for key, _ in self._selector.select(timeout):
                if key.fileobj is self._woken:
                    drain(self._woken)
                elif not self._hear():
                    is_open = False
                    self._selector.unregister(self._line)
                    for one in self._sandboxes.values():
                        one.kill()
            self._reap()
            self._finish()
            if time.monotonic() - last_look > WATCHED_EVERY:
                last_look = time.monotonic()
                self._weigh()

    def let_go(self) -> None:
        """Take the bound folders away, so that nothing which removes files can come across them."""
        if self._roots:
            libc.umount2(self._roots.encode(), MNT_DETACH)

    def _hear(self) -> bool:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._line, LARGEST_MESSAGE, MOST_DESCRIPTORS)
        except ConnectionError:
            return False
        if not data:
            return False
        try:
            self._obey(json.loads(data), descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _obey(self, order: dict[str, Any], descriptors: list[int]) -> None:
        if order["do"] == "spawn":
            try:
                one = Sandbox(spawn(order, descriptors), order)
            except OSError as error:
                for group in order["cgroups"]:
                    remove_quietly(group["path"])
                for folder in order["folders"]:
                    shutil.rmtree(folder, ignore_errors=True)
                self._say({"failed": order["id"], "why": "%s (%s)" % (error.strerror, error.filename or "spawn")})
                return
            self._sandboxes[order["id"]] = one
            self._say({"started": order["id"], "pid": one.pid})
        elif order["do"] == "kill":
            if order["id"] in self._sandboxes:
                self._sandboxes[order["id"]].kill()
        elif order["do"] == "reach":
            self._say({"reached": self._reach(order["roots"], order["paths"])})

    def _reach(self, roots: str, paths: list[str]) -> dict[str, str]:
        """Where another user reaches folders that only we may enter: bound in a mount namespace that nobody else sees."""
        if os.geteuid() != 0:
            return {}
        if not self._roots:
            if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_SLAVE, None):
                return {}
            if libc.mount(b"runstead", roots.encode(), b"tmpfs", 0, b"mode=0755,size=1m"):
                return {}
            self._roots = roots
        reached = {}
        for path in paths:
            place = os.path.join(self._roots, str(len(os.listdir(self._roots))))
            if os.path.isdir(path):
                os.mkdir(place)
            else:
                os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o755))
            if libc.mount(os.fsencode(path), place.encode(), None, MS_BIND | MS_REC, None):
                continue
            # Nobody who goes wrong in here may write to what the machine itself runs on.
            if not libc.mount(None, place.encode(), None, MS_REMOUNT | MS_BIND | MS_RDONLY, None):
                reached[path] = place
        return reached

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            for id, one in list(self._sandboxes.items()):
                one.rest.discard(pid)
                if pid == one.pid:
                    one.code = os.waitstatus_to_exitcode(status)
                    one.give_up_at = time.monotonic() + PATIENCE
                    self._ending[id] = self._sandboxes.pop(id)
            for one in self._ending.values():
                one.rest.discard(pid)

    def _finish(self) -> None:
        for id, one in list(self._ending.items()):
            late = time.monotonic() > one.give_up_at
            if one.rest and not late:
                one.kill()
                one.rest = {pid for pid in one.rest if os.path.exists("/proc/%d" % pid)}
            elif one.remove() or late:
                del self._ending[id]
                self._say({"ended": id, "code": one.code, "oom": one.oom})

    def _weigh(self) -> None:
        """Where no cgroup bounds a sandbox's memory, look, and end the one that takes too much."""
        for one in self._sandboxes.values():
            if not one.memory:
                continue
            tree = descendants(one.pid)
            # The exact answer costs more, and is asked for only where the rough one is alarming.
            if sum(map(resident, tree)) > one.memory and sum(map(own_share, tree)) > one.memory:
                one.oom = True
                one.kill()

    def _say(self, message: dict[str, Any]) -> None:
        try:
            self._line.send(json.dumps(message).encode())
        except OSError:
            # Nobody is left to hear it.
            pass


def spawn(order: dict[str, Any], descriptors: list[int]) -> int:
    """Start a program as somebody else, with these descriptors as 0, 1, 2, itself, and more. Raises OSError."""
    for group in order["cgroups"]:
        os.mkdir(group["path"])
        for name, value in group["set"]:
            try:
                write(os.path.join(group["path"], name), value)
            except OSError:
                if name in group["needed"]:
                    raise
    problem, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            become(order, descriptors, told)
        except OSError as error:
            os.write(told, json.dumps([error.errno, error.strerror, str(error.filename or order["argv"][0])]).encode())
        finally:
            os._exit(127)
    os.close(told)
    with open(problem, "rb") as pipe:
        said = pipe.read(4096)
    if said:
        os.waitpid(pid, 0)
        raise OSError(*json.loads(said))
    return pid


def become(order: dict[str, Any], descriptors: list[int], told: int) -> None:
    """The child's way from a fork to the program. The order matters: groups while we may, then the user, then nothing."""
    for group in order["cgroups"]:
        write(os.path.join(group["path"], "cgroup.procs"), "0")
    os.setsid()
    os.nice(order["nice"])
    # Out of the way first, so that none is overwritten by another's number.
    high = [os.dup2(one, 100 + at, inheritable=False) for at, one in enumerate(descriptors)]
    told = os.dup2(told, 100 + len(high), inheritable=False)
    os.closerange(FIRST_INHERITED, 100)
    for at, one in enumerate(high):
        # The program itself is not handed on; the kernel has it open when it needs it.
        os.dup2(one, at, inheritable=at != FIRST_INHERITED)
    os.closerange(101 + len(high), 4096)
    for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o022)
    os.chdir("/")
    if order["uid"] is not None:
        os.setgroups([])
        os.setresgid(order["gid"], order["gid"], order["gid"])
        os.setresuid(order["uid"], order["uid"], order["uid"])
    os.execve(FIRST_INHERITED, order["argv"], order["env"])  # noqa: S606 - what the server asked for


def descendants(pid: int) -> list[int]:
    """Everybody below a process, as far as the kernel tells."""
    found: list[int] = []
    waiting = [pid]
    while waiting and len(found) < 4096:
        parent = waiting.pop()
        try:
            threads = os.listdir("/proc/%d/task" % parent)
        except OSError:
            continue
        # Children are counted with the thread that made them.
        for thread in threads:
            for child in read("/proc/%d/task/%s/children" % (parent, thread)).split():
                found.append(int(child))
                waiting.append(int(child))
    return found


def resident(pid: int) -> int:
    """Bytes of memory a process holds."""
    fields = read("/proc/%d/statm" % pid).split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else 0


def own_share(pid: int) -> int:
    """The same with what it shares with others, as its children do at first, divided among them."""
    for line in read("/proc/%d/smaps_rollup" % pid).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return resident(pid)


def was_out_of_memory(cgroup: str) -> bool:
    """Whether the kernel killed somebody in a group because of its memory limit."""
    for name in ("memory.events", "memory.oom_control"):
        for line in read(os.path.join(cgroup, name)).splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill":
                return value.strip() != "0"
    return False


def read(path: str) -> str:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read().decode()
    except OSError:
        return ""


def write(path: str, value: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def remove_quietly(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        pass


def drain(source: socket.socket) -> None:
    try:
        while source.recv(4096):
            pass
    except BlockingIOError:
        pass


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The server decides when; the end of the line is its word.
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    line = socket.socket(fileno=int(sys.argv[1]))
    line.set_inheritable(False)
    state, roots = sys.argv[2:4]
    keeper = Keeper(line)
    try:
        keeper.serve()
    finally:
        keeper.let_go()
        # Never a whole tree here: where letting go failed, it would be the machine's own.
        remove_quietly(roots)
        shutil.rmtree(state, ignore_errors=True)


if __name__ == "__main__":
    main()
