"""The code in a call's JSON arguments, decoded while the model is still writing them.

Whoever watches a run sees the code grow as code, not as JSON. Each character is looked at once.
"""

import re
from typing import Literal

_PLAIN = re.compile(r'[^"\\]++')
_ESCAPED = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_SPACE = " \t\n\r"
_STRUCTURE = re.compile(r'["{}\[\]]')
_END_OF_SCALAR = re.compile(r"[,}]")
UNREADABLE = "\N{REPLACEMENT CHARACTER}"

_Place = Literal["before", "members", "key", "colon", "value", "code", "string", "nested", "scalar", "behind", "raw"]


class StringPieces:
    """A JSON string after its opening quote. An escape, or a pair of surrogates, may be cut anywhere."""

    __slots__ = ("_escape", "_high", "is_closed")

    def __init__(self) -> None:
        self.is_closed = False
        # The part of an escape that has come, and the first half of a surrogate pair.
        self._escape = ""
        self._high = 0

    def take(self, text: str, at: int) -> tuple[str, int]:
        """What the text says from there on, and where the string or the text ends."""
        said: list[str] = []
        while at < len(text) and not self.is_closed:
            if self._escape:
                self._escape += text[at]
                at += 1
                self._end_escape(said)
            elif text[at] == "\\":
                self._escape = "\\"
                at += 1
            elif text[at] == '"':
                self.is_closed = True
                at += 1
            else:
                plain = _PLAIN.match(text, at)
                assert plain is not None
                self._say(plain[0], said)
                at = plain.end()
        if self.is_closed:
            self._say("", said)
        return "".join(said), at

    def _end_escape(self, said: list[str]) -> None:
        escape = self._escape
        if escape == "\\u" or (escape.startswith("\\u") and len(escape) < 6 and escape[-1] not in '"\\'):
            return
        self._escape = ""
        if not escape.startswith("\\u"):
            # An escape that JSON does not know is shown as it was written.
            self._say(_ESCAPED.get(escape[1], escape), said)
        elif digits := _HEX.fullmatch(escape, 2):
            self._say_unit(int(digits[0], 16), said)
        else:
            self._say(escape, said)

    def _say_unit(self, unit: int, said: list[str]) -> None:
        if self._high and 0xDC00 <= unit <= 0xDFFF:
            said.append(chr(0x10000 + ((self._high - 0xD800) << 10) + (unit - 0xDC00)))
            self._high = 0
            return
        self._say("", said)
        if 0xD800 <= unit <= 0xDBFF:
            self._high = unit
        else:
            said.append(UNREADABLE if unit == 0 or 0xDC00 <= unit <= 0xDFFF else chr(unit))

    def _say(self, plain: str, said: list[str]) -> None:
        if self._high:
            # Nothing completes the half that came before.
            said.append(UNREADABLE)
            self._high = 0
        said.append(plain)


class CodeInput:
    """Follows a JSON object and says what its member `code` holds. What is no object is shown as it is."""

    __slots__ = ("_depth", "_has_code", "_is_wanted", "_key", "_pieces", "_place", "_string")

    def __init__(self) -> None:
        self._place: _Place = "before"
        self._string = StringPieces()
        self._key: list[str] = []
        self._is_wanted = False
        self._has_code = False
        self._depth = 0
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        """The code so far."""
        return "".join(self._pieces)

    def take(self, arguments: str) -> str:
        """What this piece of the arguments adds to the code."""
        said: list[str] = []
        at = 0
        while at < len(arguments):
            at = self._go_on(arguments, at, said)
        added = "".join(said)
        if added:
            self._pieces.append(added)
        return added

    def _go_on(self, text: str, at: int, said: list[str]) -> int:
        match self._place:
            case "behind":
                return len(text)
            case "raw":
                said.append(text[at:])
                return len(text)
            case "key" | "code" | "string":
                return self._in_string(text, at, said)
            case "nested":
                return self._in_nested(text, at)
            case "scalar":
                end = _END_OF_SCALAR.search(text, at)
                if end is None:
                    return len(text)
                self._place = "members"
                return end.start()
            case _:
                return self._between(text, at)

    def _between(self, text: str, at: int) -> int:
        """One character between the values."""
        mark = text[at]
        if mark in _SPACE:
            return at + 1
        match self._place, mark:
            case "before", "{":
                self._place = "members"
            case "before", _:
                self._place = "raw"
                return at
            case "members", ",":
                pass
            case "members", '"':
                self._begin_string("key")
                self._key = []
            case "colon", ":":
                self._place = "value"
            case "value", '"':
                self._begin_string("code" if self._is_wanted else "string")
            case "value", "{" | "[":
                self._place, self._depth = "nested", 1
            case "value", _:
                self._place = "scalar"
                return at
            case _:
                # The object ends here, or nobody can say what this is.
                self._place = "behind"
        return at + 1

    def _begin_string(self, place: _Place) -> None:
        self._place, self._string = place, StringPieces()

    def _in_string(self, text: str, at: int, said: list[str]) -> int:
        words, at = self._string.take(text, at)
        match self._place:
            case "key":
                self._key.append(words)
                if self._string.is_closed:
                    self._is_wanted = "".join(self._key) == "code" and not self._has_code
                    self._place = "colon"
            case "code":
                said.append(words)
                if self._string.is_closed:
                    self._has_code = True
                    self._place = "members"
            case _:
                if self._string.is_closed:
                    self._place = "nested" if self._depth else "members"
        return at

    def _in_nested(self, text: str, at: int) -> int:
        mark = _STRUCTURE.search(text, at)
        if mark is None:
            return len(text)
        if mark[0] == '"':
            self._begin_string("string")
        else:
            self._depth += 1 if mark[0] in "{[" else -1
            if self._depth == 0:
                self._place = "members"
        return mark.end()
