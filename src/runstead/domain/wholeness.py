"""Whether a text that comes in pieces is one whole JSON object so far. Each character is looked at once.

Decoding after every piece would cost the square of the text's length.
"""

import re
from collections.abc import Sequence

import msgspec

MAX_DEPTH = 500
"""Brackets within brackets. The decoder has a limit as well, and raises no error of its own there."""

# Possessive: what was passed over is never tried again.
_REST_OF_STRING = re.compile(r'(?:[^"\\]++|\\.)*+', re.DOTALL)
_MARK = re.compile(r'["{}\[\]]')
_SPACE = " \t\n\r"


class Wholeness:
    """Follows the brackets and decodes where the outermost one closes: before that, nothing can be whole."""

    __slots__ = ("_depth", "_is_escaped", "_is_in_string", "_is_lost", "_is_whole", "_seen")

    def __init__(self) -> None:
        self._seen = 0
        self._depth = 0
        self._is_in_string = False
        self._is_escaped = False
        self._is_whole = False
        # Nothing that may follow makes an object of it.
        self._is_lost = False

    def of(self, pieces: Sequence[str]) -> bool:
        """Whether the pieces, to which some may have been added since the last call, are an object."""
        while self._seen < len(pieces) and not self._is_lost:
            piece = pieces[self._seen]
            self._seen += 1
            if self._depth == 0:
                begun = piece.lstrip(_SPACE)
                if not begun:
                    continue
                if self._is_whole or not begun.startswith("{"):
                    self._is_lost = True
                    break
            if self._closes(piece):
                self._is_whole = _is_object("".join(pieces[: self._seen]))
                self._is_lost = not self._is_whole
        return self._is_whole and not self._is_lost

    def _closes(self, piece: str) -> bool:
        """Whether the outermost bracket closes in this piece."""
        at = 0
        while True:
            if self._is_in_string:
                at = self._after_string(piece, at)
                if self._is_in_string:
                    return False
            mark = _MARK.search(piece, at)
            if mark is None:
                return False
            at = mark.end()
            match mark[0]:
                case '"':
                    self._is_in_string = True
                case "{" | "[":
                    self._depth += 1
                    if self._depth > MAX_DEPTH:
                        self._is_lost = True
                        return False
                case _:
                    self._depth -= 1
                    if self._depth == 0:
                        return True

    def _after_string(self, piece: str, at: int) -> int:
        """Behind the string's end, if that is in this piece."""
        if self._is_escaped and at < len(piece):
            self._is_escaped = False
            at += 1
        match = _REST_OF_STRING.match(piece, at)
        assert match is not None
        at = match.end()
        if at == len(piece):
            return at
        if piece[at] == '"':
            self._is_in_string = False
        else:
            # A lone backslash at the end: what it escapes comes with the next piece.
            self._is_escaped = True
        return at + 1


def _is_object(text: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, UnicodeError):
        return False
