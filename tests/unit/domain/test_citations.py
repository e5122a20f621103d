"""Marks and links in a growing text, and their annotations."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstead.domain.citations import QUOTED, Citations
from runstead.domain.sources import Sources
from runstead.wire.messages import FileCitation, FileCitationAnnotation, FilePathAnnotation
from runstead.wire.run_steps import FileSearchResult, FileSearchText

PATHS = {"a.csv": "file-a", "a.csv.gz": "file-z", "my plot.png": "file-p", "dir/x.txt": "file-x", "b": "file-b"}


def a_passage(file_id: str, text: str) -> FileSearchResult:
    return FileSearchResult(file_id=file_id, file_name="f", score=0.5, content=[FileSearchText(text)])


SOURCES = Sources({(0, 0): a_passage("file-1", "One."), (12, 3): a_passage("file-2", "Two." * 200)}, PATHS, [], [], 13)


def found(*pieces: str) -> list[tuple[str, str]]:
    citations = Citations(SOURCES)
    annotations = [annotation for piece in pieces for annotation in citations.take(piece)]
    annotations += citations.finish()
    assert annotations == citations.annotations
    text = "".join(pieces)
    for annotation in annotations:
        assert text[annotation.start_index : annotation.end_index] == annotation.text
    return [
        (each.text, each.file_citation.file_id if isinstance(each, FileCitationAnnotation) else each.file_path.file_id)
        for each in annotations
    ]


CASES = {
    "It is so【0:0†source】.": [("【0:0†source】", "file-1")],
    "【0:0†source】【12:3†x.pdf】": [("【0:0†source】", "file-1"), ("【12:3†x.pdf】", "file-2")],
    "😀é【0:0†source】 twice【0:0†source】": [("【0:0†source】", "file-1")] * 2,
    "nothing【0:1†source】 and【7:0†source】": [],
    "【0:0】 【0†source】 【:†source】 【0:0†sou\nrce】": [],
    "【0:0†【0:0†source】": [("【0:0†source】", "file-1")],
    f"【0:0†{'x' * 81}】": [],
    "[here](sandbox:/mnt/data/a.csv)": [("sandbox:/mnt/data/a.csv", "file-a")],
    "[here](sandbox:/mnt/data/a.csv.gz)": [("sandbox:/mnt/data/a.csv.gz", "file-z")],
    "sandbox:/mnt/data/a.csv. sandbox:/mnt/data/a.csv": [("sandbox:/mnt/data/a.csv", "file-a")] * 2,
    "sandbox:/mnt/data/a.csv.": [("sandbox:/mnt/data/a.csv", "file-a")],
    "sandbox:/mnt/data/a.csv.bak sandbox:/mnt/data/a.csvx sandbox:/mnt/data/a": [],
    "sandbox:/mnt/data/a.csv.g": [],
    "sandbox:/mnt/data/my plot.png sandbox:/mnt/data/my%20plot.png": [
        ("sandbox:/mnt/data/my plot.png", "file-p"),
        ("sandbox:/mnt/data/my%20plot.png", "file-p"),
    ],
    "(sandbox:/mnt/data/dir/x.txt)": [("sandbox:/mnt/data/dir/x.txt", "file-x")],
    "sandbox:/mnt/data/b/c sandbox:/mnt/data/bb sandbox:/mnt/data/b": [("sandbox:/mnt/data/b", "file-b")],
    "/mnt/data/a.csv sandbox:/mnt/a.csv": [],
    "": [],
}


@pytest.mark.parametrize(("text", "expected"), CASES.items())
def test_what_is_found_does_not_depend_on_the_cuts(text, expected):
    assert found(text) == expected
    assert found(*text) == expected
    for cut in range(len(text) + 1):
        assert found(text[:cut], text[cut:]) == expected


@given(
    st.lists(st.sampled_from([*CASES, "word ", "【", "†", ".", "sandbox:/mnt/data/", "long " * 60]), max_size=8),
    st.lists(st.integers(0, 2_000), max_size=10),
)
def test_texts_put_together_are_read_alike_in_one_piece_and_in_many(texts, cuts):
    text = "".join(texts)
    edges = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[start:end] for start, end in pairwise(edges)]
    assert found(*pieces) == found(text)


def test_a_mark_is_settled_by_its_last_character():
    citations = Citations(SOURCES)
    assert [len(citations.take(piece)) for piece in ("So 【0:", "0†sour", "ce】", " and")] == [0, 0, 1, 0]


def test_a_link_is_settled_by_what_follows_it_or_by_the_end():
    citations = Citations(SOURCES)
    assert [len(citations.take(piece)) for piece in ("sandbox:/mnt/data/a.csv", ")", " ")] == [0, 0, 1]
    citations.take("sandbox:/mnt/data/a.csv")
    [last] = citations.finish()
    assert isinstance(last, FilePathAnnotation)
    assert last.start_index == len("sandbox:/mnt/data/a.csv) ")


def test_a_citation_quotes_the_passage():
    [annotation] = Citations(SOURCES).take("【0:0†source】")
    assert annotation.file_citation == FileCitation("file-1", "One.")
    [annotation] = Citations(SOURCES).take("【12:3†source】")
    assert len(annotation.file_citation.quote) == QUOTED


def test_without_files_only_marks_are_found():
    citations = Citations(Sources(SOURCES.passages, {}, [], [], 1))
    assert citations.take("sandbox:/mnt/data/ 【0:0†s】")
    assert not citations.take("sandbox:/mnt/data/a.csv  ")


def test_a_long_text_is_not_kept():
    citations = Citations(SOURCES)
    for _ in range(1_000):
        citations.take("word " * 10)
    assert len(citations._tail) < 200
    assert re.fullmatch(r"[word ]*", citations._tail)
