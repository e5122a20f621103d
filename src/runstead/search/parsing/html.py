"""The text that a browser would show."""

from collections.abc import Iterator
from typing import BinaryIO

from selectolax.lexbor import LexborHTMLParser

from runstead.search.parsing.plain import decode

_UNSEEN = ["script", "style", "noscript", "template", "svg", "iframe", "object", "head > :not(title)"]


def read(file: BinaryIO) -> Iterator[str]:
    tree = LexborHTMLParser(decode(file))
    tree.strip_tags(_UNSEEN)
    title = tree.css_first("title")
    if title is not None:
        yield title.text(strip=True)
        title.decompose()
    if tree.body is not None:
        lines = (line.strip() for line in tree.body.text(separator="\n").splitlines())
        yield "\n".join(line for line in lines if line)
