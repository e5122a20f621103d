"""Code that is decoded out of JSON arguments while they come, however they are cut."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstead.domain.code_input import CodeInput

CODES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)


def decoded(*pieces: str) -> str:
    code = CodeInput()
    said = "".join(code.take(piece) for piece in pieces)
    assert said == code.text
    return said


def one_by_one(text: str) -> str:
    return decoded(*text)


CASES = {
    '{"code":"print(1)"}': "print(1)",
    '{"code": "a\\nb\\tc\\"d\\\\e\\/f\\b\\f\\r"}': 'a\nb\tc"d\\e/f\b\f\r',
    ' \n{ "code" : "x" } \n': "x",
    '{"c\\u006fde":"x"}': "x",
    '{"code":"\\u00e9\\ud83d\\ude00é😀"}': "é😀é😀",
    '{"code":"\\ud83d"}': "\ufffd",
    '{"code":"\\ud83dx"}': "\ufffdx",
    '{"code":"\\ud83d\\n"}': "\ufffd\n",
    '{"code":"\\ud83d\\ud83d\\ude00"}': "\ufffd😀",
    '{"code":"\\ude00"}': "\ufffd",
    '{"code":"a\\u0000b"}': "a\ufffdb",
    '{"code":""}': "",
    "{}": "",
    "": "",
    '{"language":"python","code":"x"}': "x",
    '{"n":-1.5e3,"t":true,"code":"x","z":null}': "x",
    '{"o":{"code":"no","a":["}","{\\"",1]},"l":[[],{"code":"no"}],"code":"x"}': "x",
    '{"code":"x","code":"y"}': "x",
    '{"code":7}': "",
    '{"code":{"code":"no"}}': "",
    '{"code":["no"]}': "",
    '{"Code":"no"}': "",
    # Not JSON, and shown as far as it can be read.
    '{"code":"print(': "print(",
    '{"code":"a\\': "a",
    '{"code":"a\\d\\\'b"}': "a\\d\\'b",
    '{"code":"\\u12x4"}': "\\u12x4",
    '{"code":"a\nb"}': "a\nb",
    '{"code":"x"}{"code":"y"}': "x",
    "{'code': 'x'}": "",
    "print(1)": "print(1)",
    '"print(1)"': '"print(1)"',
    '["code"]': '["code"]',
    "7": "7",
}


@pytest.mark.parametrize(("arguments", "code"), CASES.items())
def test_the_code_is_the_same_however_the_arguments_are_cut(arguments, code):
    assert decoded(arguments) == code
    assert one_by_one(arguments) == code
    for cut in range(len(arguments) + 1):
        assert decoded(arguments[:cut], arguments[cut:]) == code
    for cut in range(1, len(arguments)):
        assert decoded(arguments[: cut - 1], arguments[cut - 1 : cut], arguments[cut:]) == code


@given(CODES, st.booleans(), st.lists(st.integers(0, 400), max_size=8))
def test_what_json_wrote_is_read_back(code, is_ascii, cuts):
    arguments = json.dumps({"before": [1, {"code": "no"}, "}"], "code": code, "after": "\\"}, ensure_ascii=is_ascii)
    edges = sorted({min(cut, len(arguments)) for cut in cuts} | {0, len(arguments)})
    assert decoded(*[arguments[start:end] for start, end in pairwise(edges)]) == code


@given(st.lists(st.text('{}[]":,\\ucode0d8 \n', max_size=12), max_size=6))
def test_anything_at_all_is_read_without_an_error(pieces):
    assert decoded(*pieces) == decoded("".join(pieces))


def test_each_piece_adds_what_it_holds():
    code = CodeInput()
    assert [code.take(piece) for piece in ('{"co', 'de":"pr', "int(\\", 'n1)"', "}")] == ["", "pr", "int(", "\n1)", ""]
