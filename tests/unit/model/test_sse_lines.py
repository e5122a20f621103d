from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstead.model.sse_lines import LineTooLong, SseLines


def lines_of(pieces: list[bytes]) -> list[bytes]:
    lines = SseLines()
    found = [line for piece in pieces if (block := lines.feed(piece)) for line in block.split(b"\n")]
    return [*found, lines.rest()]


@given(st.binary(max_size=200).map(lambda noise: noise.replace(b"\x01", b"\n")), st.lists(st.integers(0, 200)))
def test_lines_are_the_same_wherever_the_network_cuts(data, cuts):
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    pieces = [data[start:end] for start, end in pairwise(edges)]

    # A block that is empty holds no line that anybody needs: an empty line ends nothing that is pending.
    assert [line for line in lines_of(pieces) if line] == [line for line in data.split(b"\n") if line]


def test_a_line_without_end_fails_instead_of_filling_the_memory():
    lines = SseLines(max_line=10)
    lines.feed(b"123456")

    with pytest.raises(LineTooLong):
        lines.feed(b"78901")


def test_a_long_stream_of_short_lines_does_not_count_as_a_long_line():
    lines = SseLines(max_line=10)

    assert [lines.feed(b"1234567\n") for _ in range(5)] == [b"1234567"] * 5
