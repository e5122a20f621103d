import pytest

from runstead.search.words import LONGEST, MOST, words_of


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("How do I change the oil filter?", ["change", "oil", "filter"]),
        ("to be or not to be", ["to", "be", "or", "not"]),
        ('"quoted" AND (nested*) NEAR/3', ["quoted", "nested", "near", "3"]),
        ("snake_case-and.dots", ["snake", "case", "dots"]),
        ("Zwölf ZWÖLF zwölf", ["zwölf"]),
        ("灯台守", ["灯台守"]),
        ("\0\ud800'\\", []),
        ("", []),
    ],
)
def test_words_are_letters_and_digits_that_say_something(query, words):
    assert words_of(query) == words


def test_words_are_few_and_short():
    assert len(words_of(" ".join(f"w{n}" for n in range(1000)))) == MOST
    assert [len(word) for word in words_of("x" * 10_000)] == [LONGEST]
