"""Every odd way in which servers split, number and name tool calls, and the plain calls they become."""

import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstead.domain import asked
from runstead.domain.builtin import BuiltinKind
from runstead.domain.call_pieces import CallPieces
from runstead.wire.chat import ChunkToolCall
from runstead.wire.run_steps import FunctionToolCall
from tests.unit.domain.growth import grows_in_step
from tests.unit.domain.making import piece
from tests.unit.domain.stream_rules import accumulate

A, B = '{"x":1}', '{"y":2}'
Calls = list[tuple[str, str, str]]


def taken_in(pieces: Iterable[ChunkToolCall], taken: Iterable[str] = ()) -> Calls:
    """The calls, after checking that a client that joins the deltas sees the same ones."""
    collected = CallPieces(taken, lambda index: f"ours_{index}")
    shown: list[dict[str, Any]] = []
    for one in pieces:
        for delta in collected.take(one):
            told = json.loads(msgspec.json.encode(delta))
            assert told["index"] <= len(shown)
            if told["index"] == len(shown):
                assert told["function"]["arguments"] == ""
                assert told["function"]["output"] is None
                shown.append(told)
            else:
                assert "id" not in told
                accumulate(shown[told["index"]], told)
    written = as_functions(collected)
    assert [_plain(call) for call in written] == [
        (call["id"], call["function"]["name"], call["function"]["arguments"]) for call in shown
    ]
    return [_plain(call) for call in written]


def as_functions(collected: CallPieces) -> list[FunctionToolCall]:
    calls = [asked.as_written(call) for call in collected.calls]
    return [call for call in calls if isinstance(call, FunctionToolCall)]


def _plain(call: FunctionToolCall) -> tuple[str, str, str]:
    return call.id, call.function.name, call.function.arguments


SHAPES = {
    "as the original sends them": (
        [
            piece("f", "", index=0, id="a"),
            piece(None, '{"x"', index=0),
            piece(None, ":1}", index=0),
            piece("g", "", index=1, id="b"),
            piece(None, B, index=1),
        ],
        [("a", "f", A), ("b", "g", B)],
    ),
    "in turns": (
        [
            piece("f", "", index=0, id="a"),
            piece("g", "", index=1, id="b"),
            piece(None, '{"x"', index=0),
            piece(None, '{"y"', index=1),
            piece(None, ":1}", index=0),
            piece(None, ":2}", index=1),
        ],
        [("a", "f", A), ("b", "g", B)],
    ),
    "whole, with ids and places": (
        [piece("f", A, index=0, id="a"), piece("g", B, index=1, id="b")],
        [("a", "f", A), ("b", "g", B)],
    ),
    "whole, index 0 for all, with ids": (
        [piece("f", A, index=0, id="a"), piece("f", B, index=0, id="b")],
        [("a", "f", A), ("b", "f", B)],
    ),
    "in pieces, index 0 for all, with ids": (
        [
            piece("f", "", index=0, id="a"),
            piece(None, A, index=0),
            piece("g", "", index=0, id="b"),
            piece(None, B, index=0),
        ],
        [("a", "f", A), ("b", "g", B)],
    ),
    "whole, index 0 for all, without ids": (
        [piece("f", A, index=0), piece("g", B, index=0)],
        [("ours_0", "f", A), ("ours_1", "g", B)],
    ),
    "whole, index 0 for all, without ids, one function": (
        [piece("f", A, index=0), piece("f", B, index=0)],
        [("ours_0", "f", A), ("ours_1", "f", B)],
    ),
    "whole, without ids and places": (
        [piece("f", A), piece("f", B)],
        [("ours_0", "f", A), ("ours_1", "f", B)],
    ),
    "in pieces, without ids and places": (
        [piece("f"), piece(None, '{"x"'), piece(None, ":1}"), piece("g"), piece(None, B)],
        [("ours_0", "f", A), ("ours_1", "g", B)],
    ),
    "in pieces, without ids": (
        [piece("f", "", index=0), piece(None, A, index=0), piece("g", "", index=1), piece(None, B, index=1)],
        [("ours_0", "f", A), ("ours_1", "g", B)],
    ),
    "the id again with every piece": (
        [piece("f", "", index=0, id="a"), piece(None, '{"x"', index=0, id="a"), piece(None, ":1}", index=0, id="a")],
        [("a", "f", A)],
    ),
    "id and name again with every piece": (
        [piece("f", '{"x"', index=0, id="a"), piece("f", ":1}", index=0, id="a"), piece("f", "", index=0, id="a")],
        [("a", "f", A)],
    ),
    "id and name again with every piece, without places": (
        [piece("f", '{"x"', id="a"), piece("f", ":1}", id="a"), piece("g", B, id="b")],
        [("a", "f", A), ("b", "g", B)],
    ),
    "the name again with every piece, without ids": (
        [piece("f", '{"x"', index=0), piece("f", ":1}", index=0), piece("f", "", index=0)],
        [("ours_0", "f", A)],
    ),
    "an empty id with later pieces": (
        [piece("f", "", index=0, id="a"), piece("", A, index=0, id="")],
        [("a", "f", A)],
    ),
    "one id for two places": (
        [piece("f", A, index=0, id="a"), piece("g", B, index=1, id="a")],
        [("a", "f", A), ("ours_1", "g", B)],
    ),
    "one id for two functions": (
        [piece("f", A, id="a"), piece("g", B, id="a")],
        [("a", "f", A), ("ours_1", "g", B)],
    ),
    "one id for two calls of one function": (
        [piece("f", A, index=0, id="a"), piece("f", B, index=0, id="a")],
        [("a", "f", A), ("ours_1", "f", B)],
    ),
    "places that begin at one, or jump": (
        [piece("f", A, index=1, id="a"), piece("g", '{"y"', index=7, id="b"), piece(None, ":2}", index=7)],
        [("a", "f", A), ("b", "g", B)],
    ),
    "the id with a later piece": (
        [piece("f", "", index=0), piece(None, A, index=0, id="late")],
        [("ours_0", "f", A)],
    ),
    "the name with a later piece": (
        [piece(None, None, index=0, id="a"), piece("f", None, index=0), piece(None, A, index=0)],
        [("a", "f", A)],
    ),
    "the name with a later piece, after the arguments": (
        [piece(None, A, index=0, id="a"), piece("f", None, index=0)],
        [("a", "f", A)],
    ),
    "no name at all": ([piece(None, A, index=0, id="a")], [("a", "", A)]),
    "arguments as an object": ([piece("f", {"x": 1}, index=0, id="a")], [("a", "f", A)]),
    "arguments as an empty object": ([piece("f", {}, index=0, id="a")], [("a", "f", "{}")]),
    "arguments that are not JSON": ([piece("f", "x = 1", id="a")], [("a", "f", "x = 1")]),
    "no arguments": ([piece("f", None, index=0, id="a")], [("a", "f", "")]),
    "a blank line after whole arguments, id and name again": (
        [piece("f", A, index=0, id="a"), piece("f", "\n", index=0, id="a")],
        [("a", "f", A + "\n")],
    ),
    "a blank line after whole arguments, the name again, without ids": (
        [piece("f", A, index=0), piece("f", " \n", index=0), piece("f", B, index=0)],
        [("ours_0", "f", A + " \n"), ("ours_1", "f", B)],
    ),
    "a blank line after whole arguments, the name again, without ids and places": (
        [piece("f", A), piece("f", "\n"), piece("f", B)],
        [("ours_0", "f", A + "\n"), ("ours_1", "f", B)],
    ),
    "deeper than anybody reads": (
        [piece("f", "[" * 2_000 + "]" * 2_000, index=0, id="a"), piece("f", ' {"a":' * 2_000, index=0, id="a")],
        [("a", "f", "[" * 2_000 + "]" * 2_000 + ' {"a":' * 2_000)],
    ),
    "objects deeper than anybody reads": (
        [piece("f", '{"a":' * 2_000 + "1" + "}" * 2_000, id="a"), piece("f", "{}", id="a")],
        [("a", "f", '{"a":' * 2_000 + "1" + "}" * 2_000 + "{}")],
    ),
    "no function": ([ChunkToolCall(0, "a"), piece("f", A, index=0)], [("a", "f", A)]),
}


@pytest.mark.parametrize(("pieces", "calls"), SHAPES.values(), ids=SHAPES)
def test_pieces_of_any_shape_become_plain_calls(pieces, calls):
    assert taken_in(pieces) == calls


def test_an_id_that_the_run_has_used_is_replaced():
    assert taken_in([piece("f", A, index=0, id="a"), piece(None, "", index=0, id="a")], taken=["a"]) == [
        ("ours_0", "f", A)
    ]


MANY = 20_000
FLOODS = {
    "one call, named with every piece": [piece("f", '{"x":"', index=0, id="a")]
    + [piece("f", "x" * 50, index=0, id="a")] * MANY,
    "one call whose pieces look like whole ones": [piece("f", '{"x":[{}', index=0, id="a")]
    + [piece("f", ",{}" * 16 + "{}", index=0, id="a")] * MANY,
    "as many calls": [piece("f", "{}", index=n, id=f"call_{n}") for n in range(MANY)],
    "as many calls without ids and places": [piece("f", "{}")] * MANY,
}


def collected(flood):
    pieces = CallPieces((), lambda index: f"ours_{index}")
    for one in flood:
        pieces.take(one)
    return pieces


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_flood_of_pieces_takes_no_longer_than_it_is_long(flood):
    assert grows_in_step(lambda: collected(flood[: MANY // 10]), lambda: collected(flood))
    assert sum(len(call.function.arguments) for call in as_functions(collected(flood))) == sum(
        len(one.function.arguments) for one in flood
    )


maybe = st.none() | st.sampled_from(["", "a", "b"])
odd_pieces = st.builds(
    piece,
    maybe,
    st.none() | st.sampled_from(["", "{", "}", "{}", A]) | st.dictionaries(st.sampled_from("xy"), st.integers(0, 1)),
    index=st.none() | st.integers(-1, 2),
    id=maybe,
)


@given(st.lists(odd_pieces | st.just(ChunkToolCall()), max_size=8), st.sets(st.sampled_from("ab")))
def test_whatever_comes_every_call_has_an_id_of_its_own_and_no_argument_is_lost(pieces, taken):
    calls = taken_in(pieces, taken)

    ids = [id for id, _, _ in calls]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & taken
    said = "".join(
        p.function.arguments
        if isinstance(p.function.arguments, str)
        else json.dumps(p.function.arguments, separators=(",", ":"))
        for p in pieces
        if p.function and p.function.arguments is not None
    )
    assert sorted(said) == sorted("".join(arguments for _, _, arguments in calls))
    assert bool(calls) == bool(pieces)


# Built-in tools

BUILTIN: dict[str, BuiltinKind] = {"run": "code_interpreter", "find": "file_search"}


def shown_of(*pieces: ChunkToolCall) -> list[dict[str, Any]]:
    """The calls as a client sees them that joins the deltas, after checking their order."""
    collected = CallPieces((), lambda index: f"ours_{index}", BUILTIN)
    shown: list[dict[str, Any]] = []
    deltas = [delta for one in pieces for delta in collected.take(one)]
    for delta in [*deltas, *collected.finish()]:
        told = json.loads(msgspec.json.encode(delta))
        assert told["index"] <= len(shown)
        if told["index"] == len(shown):
            shown.append(told)
        else:
            assert told["type"] == shown[told["index"]]["type"]
            accumulate(shown[told["index"]], told)
    assert [call["id"] for call in shown] == [call.id for call in collected.calls]
    return shown


def test_code_is_shown_as_code_while_it_is_written():
    [call] = shown_of(
        piece("run", "", index=0, id="a"), piece(None, '{"code": "pr', index=0), piece(None, 'int(1)"}', index=0)
    )
    assert call == {
        "index": 0,
        "id": "a",
        "type": "code_interpreter",
        "code_interpreter": {"input": "print(1)", "outputs": []},
    }


def test_a_search_is_shown_without_its_query():
    [call] = shown_of(piece("find", '{"query":', index=0, id="a"), piece(None, '"q"}', index=0))
    assert call == {"index": 0, "id": "a", "type": "file_search", "file_search": {}}


def test_a_call_that_is_named_late_is_shown_when_it_is_named():
    collected = CallPieces((), lambda index: f"ours_{index}", BUILTIN)
    assert collected.take(piece(None, '{"code":', index=0, id="a")) == []
    assert len(collected.take(piece("run", '"1"}', index=0))) == 2
    [call] = collected.calls
    assert (call.kind, call.code) == ("code_interpreter", "1")


def test_calls_are_shown_in_order_though_the_first_is_named_last():
    first, second, third = shown_of(
        piece(None, '{"code":"1', index=0, id="a"),
        piece("f", '{"x"', index=1, id="b"),
        piece("find", "{}", index=2, id="c"),
        piece(None, ":1}", index=1),
        piece("run", '"}', index=0),
    )
    assert first["code_interpreter"]["input"] == "1"
    assert second["function"] == {"name": "f", "arguments": '{"x":1}', "output": None}
    assert third["type"] == "file_search"


def test_a_call_that_is_never_named_is_a_function_without_a_name():
    [call, next_call] = shown_of(piece(None, "{}", index=0, id="a"), piece("run", '{"code":"1"}', index=1, id="b"))
    assert call["function"] == {"name": "", "arguments": "{}", "output": None}
    assert next_call["code_interpreter"]["input"] == "1"


@given(st.data())
def test_any_cut_of_several_calls_shows_the_same(data):
    written = [("run", '{"code": "a\\n\\ud83d\\ude00"}'), ("f", '{"x": 1}'), ("find", '{"query": "q"}'), ("run", "{}")]
    pieces = []
    for index, (name, arguments) in enumerate(written):
        cuts = sorted(data.draw(st.lists(st.integers(0, len(arguments)), max_size=4)))
        edges = [0, *cuts, len(arguments)]
        cut = [arguments[start:end] for start, end in pairwise(edges)]
        named = data.draw(st.integers(0, len(cut) - 1))
        pieces += [
            piece(name if place == named else None, part, index=index, id=f"call_{index}" if place == 0 else None)
            for place, part in enumerate(cut)
        ]
    order = data.draw(st.permutations(range(len(pieces)))) if data.draw(st.booleans()) else range(len(pieces))
    by_call: dict[int | None, list[ChunkToolCall]] = {}
    for one in pieces:
        by_call.setdefault(one.index, []).append(one)
    # Pieces of one call come in order; calls begin in order, and then grow in any.
    begun = [parts.pop(0) for parts in by_call.values()]
    rest = [by_call[pieces[place].index].pop(0) for place in order if by_call[pieces[place].index]]
    first, second, third, fourth = shown_of(*begun, *rest)
    assert first["code_interpreter"]["input"] == "a\n😀"
    assert second["function"]["arguments"] == '{"x": 1}'
    assert third["file_search"] == {}
    assert fourth["code_interpreter"] == {"input": "", "outputs": []}
