"""Cells of code, one after the other, in one namespace; their values, errors and pictures."""

from __future__ import annotations

import ast
import collections
import io
import linecache
import os
import resource
import signal
import sys
import threading
import traceback
import types

from .channel import CHUNK, Channel
from .files import DATA, Files
from .output import Capture

TYPE_CHECKING = False
if TYPE_CHECKING:
    # At run time it would cost a tenth of the start.
    from typing import Any

FONTS = "/opt/packages/fonts"
OURS = os.path.dirname(__file__)
NOT_PYTHON = "Lines that begin with ! or % are not Python. Use the subprocess module for commands.\n"


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
            # Whatever code raises is its own; the interpreter goes on.
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
            # A picture that cannot be drawn is shown as words.
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
            told.stack[:] = [frame for frame in told.stack if os.path.dirname(frame.filename) != OURS]
            lines = list(told.format())
        except BaseException:
            # Code may have replaced what a traceback is made with, or be interrupted in it.
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
    sys.modules["runstead_agent"].__dict__["show_figures"] = agent.show_figures
    sys.path[0] = DATA
    lay_out_fonts()
    agent.serve()
