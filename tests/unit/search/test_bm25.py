import pytest

from runstead.search.bm25 import _SAID_ONCE, _times, bm25, rarity, share


def said(times):
    """What `ts_rank` gives for a word said so often."""
    return _SAID_ONCE * sum(1 / n**2 for n in range(1, times + 1))


@pytest.mark.parametrize("times", [0, 1, 2, 3, 5, 8, 13])
def test_how_often_a_word_is_said_is_read_from_its_rank(times):
    assert _times(said(times)) == times


def order(*rows, chunks=1000):
    return [key for key, _ in bm25(rows, chunks)]


def test_a_rare_word_counts_for_more_than_a_common_one():
    assert order((1, 0, 100, [said(1), 0.0], [500, 2]), (2, 0, 100, [0.0, said(1)], [500, 2])) == [(2, 0), (1, 0)]


def test_a_word_said_twice_counts_for_more_but_not_twice_as_much():
    once, twice = (dict(bm25([(1, 0, 100, [said(n)], [2])], 1000))[1, 0] for n in (1, 2))
    assert once < twice < 2 * once


def test_a_short_chunk_counts_for_more_than_a_long_one():
    assert order((1, 0, 500, [said(1)], [2]), (2, 0, 100, [said(1)], [2])) == [(2, 0), (1, 0)]


def test_nothing_found_is_nothing():
    assert list(bm25([], 0)) == []


def test_a_share_is_all_for_a_chunk_that_says_everything_and_counts_words_that_nobody_says():
    everything, half = (1, 0, 9, [said(1), said(3)], [2, 2], 2), (1, 1, 9, [said(1), 0.0], [2, 2], 2)
    assert [share([everything, half], 2, (1, position)) for position in (0, 1, 2)] == [1.0, 0.5, 0.0]
    unknown = share([(1, 0, 9, [said(1)], [2], 2)], 2, (1, 0))
    assert unknown == pytest.approx(rarity(2, 2) / (rarity(2, 2) + rarity(0, 2)))
    assert 0 < unknown < 0.5
