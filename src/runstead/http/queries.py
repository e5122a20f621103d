"""Query parameters of lists, steps and runs. Unknown ones are ignored; of a repeated one the last counts."""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, cast, get_args
from urllib.parse import parse_qsl

from msgspec import Struct

from runstead.domain.errors import InvalidRequest
from runstead.http.refusals import InvalidType, InvalidValue, NullCharacter, OutOfRange
from runstead.ports import PageRequest
from runstead.wire.vector_stores import IngestionStatus

MAX_LIMIT = 100
MAX_WAIT = 60
STATES = get_args(IngestionStatus)
RESULT_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_METADATA = re.compile(r"metadata\[(.*)\]", re.DOTALL)
_MAX_PARAMETERS = 100


class Limits(NamedTuple):
    """How many objects a page has if nothing is said, and at most."""

    default: int = PageRequest().limit
    most: int = MAX_LIMIT


USUAL = Limits()


class Query(Struct, frozen=True, kw_only=True):
    """What a list, a step or a run may be asked for."""

    page: PageRequest
    run_id: str | None = None
    purpose: str | None = None
    filter: IngestionStatus | None = None
    # Pairs that what is listed must have.
    metadata: dict[str, str] = {}
    # Seconds until which a run that does not rest yet is waited for.
    wait: int = 0
    # Whether file search results are to be shown with their content.
    has_result_content: bool = False


NO_QUERY = Query(page=PageRequest())
"""What an empty query string asks for."""


def parse_query(
    query_string: bytes,
    *,
    is_list: bool = True,
    has_include: bool = True,
    has_filter: bool = False,
    has_metadata: bool = False,
    has_wait: bool = False,
    limits: Limits = USUAL,
) -> Query:
    """Read of a raw query string what the operation knows; raises InvalidRequest."""
    if not (query_string and (is_list or has_include or has_wait)):
        return NO_QUERY if limits is USUAL else Query(page=PageRequest(limit=limits.default))
    pairs = _pairs(query_string)
    has_result_content = has_include and _includes_content(pairs)
    # An empty value is what a form sends for a field left out.
    last = {name: value for name, value in pairs if value}
    if not is_list:
        wait = _integer("wait", last.get("wait"), 0, least=0, most=MAX_WAIT) if has_wait else 0
        return Query(page=PageRequest(), wait=wait, has_result_content=has_result_content)
    return Query(
        page=PageRequest(
            limit=_integer("limit", last.get("limit"), limits.default, least=1, most=limits.most),
            order=_order(last.get("order")),
            after=_id(last, "after"),
            before=_id(last, "before"),
        ),
        run_id=_id(last, "run_id"),
        purpose=_id(last, "purpose"),
        filter=_state(last.get("filter")) if has_filter else None,
        metadata=_metadata(pairs) if has_metadata else {},
        has_result_content=has_result_content,
    )


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise InvalidRequest(f"Too many query parameters: at most {_MAX_PARAMETERS} are read.") from None


def _integer(name: str, value: str | None, default: int, *, least: int, most: int) -> int:
    if value is None:
        return default
    if not _INTEGER.fullmatch(value):
        raise InvalidType(name, ["integer"], "string")
    number = int(value)
    if number < least:
        raise OutOfRange(name, "integer", number, minimum=least)
    if number > most:
        raise OutOfRange(name, "integer", number, maximum=most)
    return number


def _order(value: str | None) -> Literal["asc", "desc"]:
    if value is None:
        return PageRequest().order
    if value not in {"asc", "desc"}:
        raise InvalidValue("order", value, ["asc", "desc"])
    return cast(Literal["asc", "desc"], value)


def _state(value: str | None) -> IngestionStatus | None:
    if value is not None and value not in STATES:
        raise InvalidValue("filter", value, STATES)
    return cast(IngestionStatus | None, value)


def _metadata(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """As official clients write a mapping: `metadata[key]=value`. An empty value is a value here."""
    wanted = {}
    for name, value in pairs:
        if (found := _METADATA.fullmatch(name)) is not None:
            if "\0" in name + value:
                raise NullCharacter("metadata")
            wanted[found[1]] = value
    return wanted


def _id(values: Mapping[str, str], name: str) -> str | None:
    value = values.get(name)
    if value is not None and "\0" in value:
        raise NullCharacter(name)
    return value


def _includes_content(pairs: list[tuple[str, str]]) -> bool:
    # API: official clients write `include[]`; the plain name means the same.
    asked = [value for name, value in pairs if name in {"include", "include[]"} and value]
    for index, value in enumerate(asked):
        if value != RESULT_CONTENT:
            raise InvalidValue(f"include[{index}]", value, [RESULT_CONTENT])
    return bool(asked)
