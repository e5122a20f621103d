import pytest

from runstead.search import text_limit
from runstead.search.text_limit import TooMuchText, clean, collect


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [("a\0b", "a�b"), ("a\ud800b", "a�b"), ("\ud83d\ude00", "😀"), ("a\r\nb", "a\nb"), ("Käse 灯", "Käse 灯")],
)
def test_what_nobody_could_store_is_replaced(raw, cleaned):
    assert clean(raw) == cleaned


def test_parts_become_one_text_without_the_empty_ones():
    assert collect(["one", "", " \n", "two"]) == b"one\n\ntwo"


def test_too_much_is_refused_before_all_of_it_is_taken(monkeypatch):
    monkeypatch.setattr(text_limit, "LONGEST_TEXT", 1000)
    taken = []

    def parts():
        for n in range(1000):
            taken.append(n)
            yield "x" * 100

    with pytest.raises(TooMuchText):
        collect(parts())
    assert len(taken) < 12
