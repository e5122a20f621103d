"""Questions and answers that others wrote: the FAQs of Perl and of Python, as Debian packages them.

    apt-get download perl-doc python3.11-doc
    for package in *.deb; do dpkg-deb -x "$package" corpus; done

Each answer is a document, without its question; the question is what is searched for. Nothing of it is kept here.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from selectolax.lexbor import LexborHTMLParser

_CODES = re.compile(r"[A-Z](?:<<+ (.+?) >>+|<([^<>]*)>)", re.DOTALL)


class Pair(Struct, frozen=True):
    """`source` tells the one that weights were chosen by from the one that is reported."""

    source: str
    question: str
    answer: str


def load(folder: Path) -> list[Pair]:
    """All pairs below a folder of unpacked packages."""
    pairs = [
        *(pair for file in sorted(folder.rglob("perlfaq[1-9].pod")) for pair in _perl(file.read_text("utf-8"))),
        *(pair for file in sorted(folder.rglob("html/faq/*.html")) for pair in _python(file.read_text("utf-8"))),
    ]
    # The packages link one folder into another.
    pairs = list({pair.question: pair for pair in pairs}.values())
    if len(pairs) < 300:
        raise SystemExit(f"only {len(pairs)} questions below {folder}; see the head of {__file__}")
    return pairs


def _perl(pod: str) -> Iterator[Pair]:
    for section in re.split(r"^=head2 ", pod, flags=re.MULTILINE)[1:]:
        question, _, body = section.partition("\n")
        body = re.sub(r"^X<.*\n", "", body, flags=re.MULTILINE)
        body = re.split(r"^=head1 ", body, flags=re.MULTILINE)[0]
        answer = re.sub(r"^=\w+.*\n", "", body, flags=re.MULTILINE).strip()
        if question.rstrip().endswith("?") and len(answer) > 80:
            yield Pair("perl", _plain(question), _plain(answer))


def _plain(pod: str) -> str:
    before = ""
    while before != pod:
        before, pod = pod, _CODES.sub(lambda found: found[1] or found[2] or "", pod)
    return " ".join(pod.split()) if "\n" not in pod.strip() else pod


def _python(page: str) -> Iterator[Pair]:
    for section in LexborHTMLParser(page).css("section"):
        heading = section.css_first("h2, h3")
        # A node is among those that are found in it.
        if heading is None or len(section.css("section")) > 1:
            continue
        question = heading.text(strip=True).removesuffix("¶")
        heading.decompose()
        # Without the chapter's number.
        question = re.sub(r"^[\d.\s]+", "", question)
        answer = section.text(separator=" ", strip=True)
        if question.endswith("?") and len(answer) > 80:
            yield Pair("python", question, answer)
