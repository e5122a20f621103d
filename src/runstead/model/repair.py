"""Text that no client could store or print: U+0000, lone surrogates and broken UTF-8 become U+FFFD."""

import re

UNREADABLE = (ValueError, RecursionError)
"""What decoding raises for text that is no JSON, not of the asked shape, not UTF-8, or nested without end."""

_SUSPICIOUS = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
# Every escape is consumed as a whole, so that the second half of an escaped backslash is not mistaken for one.
_ESCAPE = re.compile(
    rb"\\(?:"
    rb"(?P<pair>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?P<bad>u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|.)",
    re.DOTALL,
)
_REPLACEMENT = rb"\ufffd"


def repair_escapes(json: bytes) -> bytes:
    """JSON text whose strings hold neither U+0000 nor half a surrogate pair as an escape."""
    if _SUSPICIOUS.search(json) is None:
        return json
    return _ESCAPE.sub(lambda match: _REPLACEMENT if match["bad"] else match[0], json)


def repair_encoding(json: bytes) -> bytes:
    """The same bytes as valid UTF-8."""
    return json.decode("utf-8", "replace").encode()


def repair_text(text: str) -> str:
    """A string that can be stored and sent."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
