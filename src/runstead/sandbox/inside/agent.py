"""Runs inside the sandbox: takes code from its channel, executes it, and tells what came of it.

Standard library only, for Python 3.8 and newer. It shares its process with the code it runs, so it guards nothing: it keeps
order for code that is friendly, and the server believes nothing it says. Frames are a length, a JSON head, and as many
raw bytes as the head says; every frame of a call bears the call's id.
"""

from __future__ import annotations

import ast
import collections
import fcntl
import io
import json
import linecache
import os
import resource
import signal
import stat
import struct
import sys
import termios
import threading
import time
import traceback
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    # At run time it would cost a tenth of the start.
    from collections.abc import Iterator
    from typing import Any, BinaryIO

DATA = "/mnt/data"
ORIGINALS = "/mnt/originals"
FONTS = "/opt/packages/fonts"
CHUNK = 256 * 1024
OFTEN = 0.01
MOST_ENTRIES = 20_000
DEEPEST = 8
NOT_PYTHON = "Lines that begin with ! or % are not Python. Use the subprocess module for commands.\n"


class Channel:
    """The two ends that lead to the server. Only whole frames are written, whatever interrupts."""

    def __init__(self) -> None:
        self._source, self._sink = os.dup(0), os.dup(1)
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        # A forked child is none of the server's partners, and must not hold the line open after us.
        for descriptor in (self._source, self._sink):
            os.close(descriptor)
        self._source = self._sink = -1

    def send(self, raw: bytes = b"", **head: Any) -> None:
        """Write one frame."""
        encoded = json.dumps(dict(head, raw=len(raw))).encode()
        data = memoryview(struct.pack(">I", len(encoded)) + encoded + raw)
        with self._lock:
            while data:
                data = data[os.write(self._sink, data) :]

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """One frame as its head and its raw bytes; the end of everything when the server is gone."""
        (length,) = struct.unpack(">I", self._exactly(4))
        head = json.loads(self._exactly(length))
        return head, self._exactly(head.get("raw", 0))

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            block = os.read(self._source, min(count - len(data), CHUNK))
            if not block:
                os._exit(0)
            data += block
        return bytes(data)


class Output(io.TextIOBase):
    """Standard output and error. What passes the limit is dropped here, before it costs anything more."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._heard_at = 0.0

    encoding = "utf-8"
    errors = "replace"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text).__name__)
        if self._capture.left > 0:
            data = memoryview(text[: self._capture.left + 1].encode("utf-8", "replace"))
            while data:
                data = data[os.write(1, data) :]
            if text.endswith("\n") and time.monotonic() > self._heard_at + OFTEN:
                # What follows may be a computation that lets no other thread run, and be ended for it.
                self._capture.flush()
                self._heard_at = time.monotonic()
        elif text:
            self._capture.was_cut = True
        return len(text)


class Capture:
    """Descriptors 1 and 2 as one pipe, so that children and libraries are heard too, in their order."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._source, sink = os.pipe()
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        os.close(null)
        os.close(sink)
        self._lock = threading.Lock()
        self.left, self.was_cut, self.call = 0, False, ""
        sys.stdin = open(0)
        sys.stdout, sys.stderr = Output(self), Output(self)
        threading.Thread(target=self._forward, daemon=True).start()

    def begin(self, call: str, limit: int) -> None:
        self.flush()
        with self._lock:
            self.call, self.left, self.was_cut = call, limit, False

    def flush(self) -> None:
        """Wait until what was written has been sent, but not for those who write without end."""
        for _ in range(200):
            with self._lock:
                waiting = struct.unpack("i", fcntl.ioctl(self._source, termios.FIONREAD, b"\0" * 4))[0]
                if not waiting or self.left <= 0:
                    return
            threading.Event().wait(0.001)

    def _forward(self) -> None:
        while True:
            select_readable(self._source)
            with self._lock:
                data = os.read(self._source, 65536)
                kept = data[: max(self.left, 0)]
                self.was_cut |= len(kept) < len(data)
                self.left -= len(kept)
                if kept:
                    self._channel.send(kept, op="text", id=self.call)


def select_readable(descriptor: int) -> None:
    """Wait for data without taking it: who takes it holds the lock, so that flush knows it is on its way."""
    import select

    select.select([descriptor], [], [])


class Interrupts:
    """Turns the server's word into KeyboardInterrupt in the main thread, while code runs and at no other time."""

    def __init__(self) -> None:
        self.is_running = False
        signal.signal(signal.SIGINT, self._raise)

    def _raise(self, number: int, frame: types.FrameType | None) -> None:
        if self.is_running:
            raise KeyboardInterrupt

    @staticmethod
    def interrupt() -> None:
        # To the thread, not the process: a sleep ends only where the signal arrives.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


class Files:
    """Which files of /mnt/data the server knows."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._known: dict[str, tuple[int, ...]] = {}
        self._links: dict[str, str] = {}
        self._open: BinaryIO | None = None

    def link(self, links: list[list[str]]) -> None:
        """Put originals in place under their names; names that lead elsewhere now are moved."""
        for name, key in links:
            path, target = DATA + "/" + name, ORIGINALS + "/" + key
            if self._links.get(name) == target:
                continue
            if os.path.islink(path):
                os.unlink(path)
            if not os.path.lexists(path):
                os.symlink(target, path)
            self._links[name] = target

    def put(self, name: str, data: bytes, last: bool) -> None:
        """Write a piece of a file that an earlier session had made."""
        if self._open is None:
            path = DATA + "/" + name
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if os.path.lexists(path):
                os.unlink(path)
            self._open = open(path, "wb")
        self._open.write(data)
        if last:
            self._open.close()
            self._open = None
            self._known[name] = self._state(os.lstat(DATA + "/" + name))

    def send_changed(self, call: str, limits: dict[str, Any]) -> None:
        """Hand over what is new or changed, the oldest first, and name what cannot be kept."""
        found = sorted(self._changed(), key=lambda one: (one[1].st_mtime_ns, one[0]))
        left = limits["disk"]
        for number, (name, status) in enumerate(found):
            self._known[name] = self._state(status)
            try:
                name.encode("utf-8")
            except UnicodeEncodeError:
                self._refuse(call, os.fsencode(name).decode("utf-8", "replace"), "name")
                continue
            if not stat.S_ISREG(status.st_mode):
                self._refuse(call, name, "kind")
            elif number >= limits["files"]:
                self._refuse(call, name, "count")
            elif status.st_size > left:
                self._refuse(call, name, "size")
            else:
                left -= self._send(call, name, left)

    def _changed(self) -> Iterator[tuple[str, os.stat_result]]:
        seen, waiting = 0, [("", 0)]
        while waiting:
            folder, depth = waiting.pop()
            try:
                entries = list(os.scandir(DATA + "/" + folder))
            except OSError:
                continue
            for entry in entries:
                seen += 1
                if seen > MOST_ENTRIES:
                    return
                name = folder + entry.name
                # Hidden files are what libraries keep for themselves.
                if entry.name.startswith("."):
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISLNK(status.st_mode) and os.readlink(entry.path).startswith(ORIGINALS + "/"):
                        continue
                except OSError:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    if depth < DEEPEST:
                        waiting.append((name + "/", depth + 1))
                elif self._known.get(name) != self._state(status):
                    yield name, status

    def _send(self, call: str, name: str, most: int) -> int:
        try:
            descriptor = os.open(DATA + "/" + name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            self._refuse(call, name, "kind")
            return 0
        sent = 0
        with open(descriptor, "rb", buffering=0) as file:
            self._channel.send(op="file", id=call, name=name)
            while sent < most:
                block = file.read(min(CHUNK, most - sent))
                if not block:
                    break
                sent += len(block)
                self._channel.send(block, op="chunk", id=call)
            self._channel.send(op="end", id=call)
        return sent

    def _refuse(self, call: str, name: str, why: str) -> None:
        self._channel.send(op="refused", id=call, name=name[:200], why=why)

    @staticmethod
    def _state(status: os.stat_result) -> tuple[int, ...]:
        return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


class Agent:
    """The main thread: one call after the other, with one namespace for all of them."""

    def __init__(self) -> None:
        self._channel = Channel()
        self._capture = Capture(self._channel)
        self._interrupts = Interrupts()
        self._files = Files(self._channel)
        self._arrived: collections.deque[tuple[dict[str, Any], bytes]] = collections.deque()
        self._bell = threading.Semaphore(0)
        self._main = types.ModuleType("__main__")
        self._main.__dict__["__builtins__"] = __builtins__
        sys.modules["__main__"] = self._main
        self._cells = 0
        self._call, self._images = "", 0
        self._unwanted = "none"
        """The call that was interrupted last, perhaps before it began."""
        self._limits: dict[str, Any] = {}

    def serve(self) -> None:
        """Until the server closes the channel."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._channel.send(op="ready", python="%d.%d.%d" % sys.version_info[:3])
        while True:
            self._bell.acquire()
            head, raw = self._arrived.popleft()
            try:
                self._handle(head, raw)
            except KeyboardInterrupt:
                self._channel.send(op="done", id=head.get("id", ""), ok=False)

    def _listen(self) -> None:
        while True:
            head, raw = self._channel.receive()
            if head["op"] == "interrupt":
                self._unwanted = head["id"]
                if head["id"] == self._call:
                    self._interrupts.interrupt()
            else:
                self._arrived.append((head, raw))
                self._bell.release()

    def _handle(self, head: dict[str, Any], raw: bytes) -> None:
        if head["op"] == "limit":
            confine(head)
        elif head["op"] == "link":
            self._files.link(head["links"])
        elif head["op"] == "put":
            try:
                self._files.put(head["name"], raw, head["last"])
            except OSError:
                # No room any more: the code that misses it will say so.
                pass
        elif head["op"] == "run":
            self._run(head["id"], raw.decode("utf-8", "replace"), head)

    def _run(self, call: str, code: str, limits: dict[str, Any]) -> None:
        self._limits, self._images = limits, 0
        self._capture.begin(call, limits["logs"])
        self._call = call
        ok = False
        try:
            self._interrupts.is_running = True
            ok = self._unwanted != call and self._execute(code)
            self.show_figures()
            self._interrupts.is_running = False
        except KeyboardInterrupt:
            ok = False
        finally:
            self._interrupts.is_running = False
        self._capture.flush()
        self._channel.send(op="ran", id=call, ok=ok, cut=self._capture.was_cut)
        self._files.send_changed(call, limits)
        self._channel.send(op="done", id=call, ok=ok)
        self._call = ""

    def _execute(self, code: str) -> bool:
        self._cells += 1
        place = "<cell %d>" % self._cells
        linecache.cache[place] = (len(code), None, code.splitlines(True), place)
        names = self._main.__dict__
        try:
            body = ast.parse(code, place).body
            last = body[-1] if body else None
            rest = body[:-1] if isinstance(last, ast.Expr) else body
            exec(compile(ast.Module(rest, []), place, "exec"), names)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), place, "eval"), names)
                self._show(value)
        except SystemExit:
            return True
        except BaseException as error:
            self._tell(error, code)
            return False
        return True

    def _show(self, value: Any) -> None:
        if value is None:
            return
        try:
            picture = getattr(value, "_repr_png_", None)
            data = picture() if picture is not None and not isinstance(value, type) else None
        except Exception:
            data = None
        if isinstance(data, bytes):
            self.send_image(data)
        else:
            print(repr(value))

    def _tell(self, error: BaseException, code: str) -> None:
        trace = error.__traceback__
        # Our own frames would only puzzle the model.
        while trace is not None and not trace.tb_frame.f_code.co_filename.startswith("<cell"):
            trace = trace.tb_next
        try:
            told = traceback.TracebackException(type(error), error, trace)
            told.stack[:] = [frame for frame in told.stack if frame.filename != __file__]
            lines = list(told.format())
        except BaseException:
            lines = [type(error).__name__, "\n"]
        try:
            print("".join(lines), end="")
        except BaseException:
            # An error whose own words raise.
            print(type(error).__name__)
        if isinstance(error, SyntaxError) and any(line.lstrip()[:1] in ("!", "%") for line in code.splitlines()):
            print(NOT_PYTHON, end="")

    def show_figures(self) -> None:
        """Send every open figure as an image and close it."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            if figure.axes or figure.texts:
                drawn = io.BytesIO()
                try:
                    figure.savefig(drawn, format="png", bbox_inches="tight")
                finally:
                    pyplot.close(figure)
                self.send_image(drawn.getvalue())
            else:
                pyplot.close(figure)

    def send_image(self, data: bytes) -> None:
        """Hand over one image, in pieces; what passes the limits is named."""
        self._images += 1
        # A frame cut in two by an interrupt would end the session.
        self._interrupts.is_running, was_running = False, self._interrupts.is_running
        try:
            if self._images > self._limits["images"] or len(data) > self._limits["image"]:
                why = "count" if self._images > self._limits["images"] else "size"
                self._channel.send(op="refused", id=self._call, name="image %d" % self._images, why=why)
                return
            self._capture.flush()
            self._channel.send(op="image", id=self._call)
            for start in range(0, len(data), CHUNK):
                self._channel.send(data[start : start + CHUNK], op="chunk", id=self._call)
            self._channel.send(op="end", id=self._call)
        finally:
            self._interrupts.is_running = was_running


def lay_out_fonts() -> None:
    """Give matplotlib the list of fonts that was made with its package: to look for them takes seconds."""
    home = os.environ.get("MPLCONFIGDIR", "")
    try:
        lists = os.listdir(FONTS)
        os.makedirs(home, exist_ok=True)
        for name in lists:
            os.symlink(FONTS + "/" + name, home + "/" + name)
    except OSError:
        pass


def confine(limits: dict[str, Any]) -> None:
    """Give up for good what no session may have."""
    wanted = {
        resource.RLIMIT_AS: limits["address_space"],
        resource.RLIMIT_FSIZE: limits["disk"],
        resource.RLIMIT_NPROC: limits["processes"],
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        resource.setrlimit(kind, (value, value))


def main() -> None:
    agent = Agent()
    sys.modules["runstead_agent"] = this = types.ModuleType("runstead_agent")
    this.__dict__["show_figures"] = agent.show_figures
    sys.path[0] = DATA
    lay_out_fonts()
    agent.serve()


if __name__ == "__main__":
    main()
