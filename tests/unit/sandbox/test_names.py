import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstead.ports import CodeFile
from runstead.sandbox import names


def original(name: str, id: str, *, is_output: bool = False) -> CodeFile:
    async def read():
        yield b""

    return CodeFile(name=name, file_id=id, size=0, read=read, is_output=is_output)


@pytest.mark.parametrize(
    ("given_names", "places"),
    [
        (["a.csv"], ["a.csv"]),
        (["a.csv", "a.csv", "a.csv"], ["a.csv", "a-file-1.csv", "a-file-2.csv"]),
        (["README", "README"], ["README", "README-file-1"]),
        (["/mnt/data/a.csv"], ["a.csv"]),
        (["..\\..\\x.txt"], ["x.txt"]),
        (["..", "", "/"], ["_.", "file", "file-file-2"]),
        ([".hidden"], ["_hidden"]),
        (["a\nb\x00.txt"], ["a_b_.txt"]),
        (["a-file-1.csv", "a.csv", "a.csv"], ["a-file-1.csv", "a.csv", "a-file-2.csv"]),
        (["Größe 1.xlsx"], ["Größe 1.xlsx"]),
    ],
)
def test_names_are_harmless_and_clashes_predictable(given_names, places):
    files = [original(name, f"file-{number}") for number, name in enumerate(given_names)]

    assert names.places(files) == places


def test_an_output_keeps_its_place():
    files = [original("a.csv", "file-1"), original("made/a.csv", "file-2", is_output=True)]

    assert names.paths(files) == ["/mnt/data/a.csv", "/mnt/data/made/a.csv"]


@given(st.lists(st.text(max_size=300), max_size=6))
def test_every_file_gets_a_plain_name_of_its_own(given_names):
    files = [original(name, f"file-{number}") for number, name in enumerate(given_names)]

    places = names.places(files)

    assert len(set(places)) == len(places)
    assert all(names.is_plain(place) and "/" not in place and not place.startswith(".") for place in places)


@pytest.mark.parametrize("name", ["a", "a.b", "a/b/c.txt", "Größe 1.xlsx", "数据.csv", "a b", "…"])
def test_ordinary_names_are_plain(name):
    assert names.is_plain(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "a\nb",
        "a\x00b",
        "a\x7f",
        "\u202ea",
        "�",
        "a\\b",
        "x" * 256,
        "a/" * 9 + "b",
    ],
)
def test_names_that_mislead_are_not(name):
    assert not names.is_plain(name)


@given(st.text(max_size=200))
def test_any_name_can_be_told_in_a_sentence(name):
    told = names.shown(name)

    told.encode()
    assert "\n" not in told
    assert len(told) <= 80
