"""Hypothesis strategies for every wire struct, read off its type: a field added there is covered here at once."""

import string
from functools import cache
from typing import Any, TypeVar

import msgspec.inspect as kinds
from hypothesis import reject
from hypothesis import strategies as st
from msgspec import Struct

S = TypeVar("S", bound=Struct)

_NAMES = string.ascii_letters + string.digits + "_-"
_TEXT = st.characters(exclude_categories=["Cs"], exclude_characters="\0")

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(_TEXT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(_TEXT, max_size=5), inner, max_size=3),
    max_leaves=6,
)


@cache
def some(struct: type[S]) -> st.SearchStrategy[S]:
    """Valid structs of a kind."""
    return _of(kinds.type_info(struct))


def _of(kind: kinds.Type) -> st.SearchStrategy[Any]:
    match kind:
        case kinds.StrType(min_length=low, max_length=high, pattern=pattern):
            return st.text(_NAMES if pattern else _TEXT, min_size=low or 0, max_size=min(high or 12, 12))
        case kinds.IntType(ge=low, le=high):
            return st.integers(0 if low is None else low, 2**31 - 1 if high is None else high)
        case kinds.FloatType(ge=low, le=high):
            return st.floats(low, high, allow_nan=False, allow_infinity=False)
        case kinds.BoolType():
            return st.booleans()
        case kinds.NoneType():
            return st.none()
        case kinds.AnyType():
            return any_json
        case kinds.LiteralType(values=values):
            return st.sampled_from(values)
        case kinds.ListType(item_type=item, min_length=low, max_length=high):
            return st.lists(_of(item), min_size=low or 0, max_size=min(high or 3, 3))
        case kinds.DictType(key_type=key, value_type=value):
            return st.dictionaries(_of(key), _of(value), max_size=3)
        case kinds.UnionType(types=types):
            return st.one_of([_of(member) for member in types])
        case kinds.StructType():
            return _struct(kind)
        case _:
            raise TypeError(kind)


def _struct(kind: kinds.StructType) -> st.SearchStrategy[Any]:
    required = {field.name: _of(field.type) for field in kind.fields if field.required}
    optional = {field.name: _of(field.type) for field in kind.fields if not field.required}

    def build(values: dict[str, Any]) -> Struct:
        try:
            made: Struct = kind.cls(**values)
        except ValueError:
            # A rule between fields, such as a type that another field must go with.
            reject()
        return made

    return st.fixed_dictionaries(required, optional=optional).map(build)
