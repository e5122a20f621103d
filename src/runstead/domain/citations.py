"""Annotations found in a text while it grows: marks that cite a passage, links to files that code has made.

A mark or link may be cut anywhere; its annotation comes with the piece that settles what it is. Offsets count
characters (code points) of the whole text. What refers to nothing stays text.
"""

import re
from urllib.parse import quote

from runstead.domain.sources import Sources
from runstead.wire.messages import Annotation, FileCitation, FileCitationAnnotation, FilePath, FilePathAnnotation

_MARK = r"【(\d{1,6}):(\d{1,6})†[^【】\n]{0,80}】"
_LONGEST_MARK = 100
_LINK = "sandbox:/mnt/data/"
# A name ends where none could go on: a dot that ends a sentence is not part of it, one before a suffix is.
_NAME_ENDS = r"(?![\w/%-])(?!\.\w)"
_LOOKS_AHEAD = 2
QUOTED = 300
"""Characters of a passage that a citation quotes."""


class Citations:
    """Follows one text. `annotations` are those found so far."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._paths = {spelling: id for path, id in sources.paths.items() for spelling in _spellings(path)}
        self._pattern = _pattern(list(self._paths))
        longest = max((len(spelling) + len(_LINK) for spelling in self._paths), default=0)
        self._kept = max(longest, _LONGEST_MARK) + _LOOKS_AHEAD
        # The end of the text, in which something may have begun, and where in the text that is.
        self._tail = ""
        self._tail_at = 0
        self.annotations: list[Annotation] = []

    def take(self, piece: str) -> list[Annotation]:
        """The annotations that this piece of the text settles."""
        return self._find(self._tail + piece, is_whole=False)

    def finish(self) -> list[Annotation]:
        """The annotations that only the text's end settles."""
        return self._find(self._tail, is_whole=True)

    def _find(self, text: str, *, is_whole: bool) -> list[Annotation]:
        found: list[Annotation] = []
        settled = 0
        for match in self._pattern.finditer(text):
            if match[1] is None and not is_whole and match.end() + _LOOKS_AHEAD > len(text):
                # The name may go on.
                self._keep(text, match.start())
                break
            settled = match.end()
            annotation = self._annotation(match)
            if annotation is not None:
                found.append(annotation)
        else:
            self._keep(text, max(settled, len(text) - self._kept))
        self.annotations += found
        return found

    def _keep(self, text: str, start: int) -> None:
        self._tail_at += start
        self._tail = text[start:]

    def _annotation(self, match: re.Match[str]) -> Annotation | None:
        start, end = self._tail_at + match.start(), self._tail_at + match.end()
        if match[1] is None:
            path = FilePath(self._paths[match[3]])
            return FilePathAnnotation(text=match[0], start_index=start, end_index=end, file_path=path)
        passage = self._sources.passages.get((int(match[1]), int(match[2])))
        if passage is None:
            return None
        words = passage.content[0].text if passage.content else ""
        citation = FileCitation(passage.file_id, words[:QUOTED])
        return FileCitationAnnotation(text=match[0], start_index=start, end_index=end, file_citation=citation)


def _spellings(path: str) -> set[str]:
    """How models write a path: as it is, or as a link needs it."""
    return {path, quote(path)}


def _pattern(paths: list[str]) -> re.Pattern[str]:
    if not paths:
        return re.compile(f"{_MARK}|(?!)()")
    # The longest first, so that a name is not taken for another one that it begins with.
    names = "|".join(map(re.escape, sorted(paths, key=len, reverse=True)))
    return re.compile(f"{_MARK}|{re.escape(_LINK)}({names}){_NAME_ENDS}")
