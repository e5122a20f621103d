"""What is wrong with a parameter, in the original's words.

API: clients match on these sentences and codes, so each class is one sentence. A client's value is quoted in it only
up to a bound: a megabyte in the wrong place must not come back.
"""

from collections.abc import Sequence

from runstead.domain.errors import InvalidRequest

QUOTED = 100
"""How many characters of a client's text an error repeats."""


def short(text: object) -> str:
    """A client's value, cut to what an error may repeat."""
    words = str(text)
    return words if len(words) <= QUOTED else words[:QUOTED] + "…"


def listed(words: Sequence[str], conjunction: str) -> str:
    """`a`, `a and b`, `a, b, and c`."""
    if len(words) < 3:
        return f" {conjunction} ".join(words)
    return f"{', '.join(words[:-1])}, {conjunction} {words[-1]}"


def with_article(noun: str) -> str:
    return noun if noun == "null" else f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


class NotJson(InvalidRequest):
    """The body cannot be read at all."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "We could not parse the JSON body of your request. "
            f"The API expects a JSON object encoded as UTF-8, but {reason}."
        )


class UnknownParameter(InvalidRequest):
    def __init__(self, path: str) -> None:
        super().__init__(f"Unknown parameter: '{short(path)}'.", param=short(path), code="unknown_parameter")


class MissingParameter(InvalidRequest):
    def __init__(self, path: str) -> None:
        super().__init__(f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter")


class InvalidValue(InvalidRequest):
    """The value is none of the few that are allowed."""

    def __init__(self, path: str, value: object, supported: Sequence[str]) -> None:
        words = listed([f"'{name}'" for name in supported], "and")
        verb = "value is" if len(supported) == 1 else "values are"
        super().__init__(
            f"Invalid value: '{short(value)}'. Supported {verb}: {words}.", param=path, code="invalid_value"
        )


class InvalidType(InvalidRequest):
    """The value is of another JSON type; `expected` holds nouns such as `string` or `array of objects`."""

    def __init__(self, path: str, expected: Sequence[str], got: str) -> None:
        first, *others = expected
        words = f"one of {listed([with_article(first), *others], 'or')}" if others else with_article(first)
        whose = f"Invalid type for '{path}'" if path else "Invalid type for the request body"
        super().__init__(
            f"{whose}: expected {words}, but got {with_article(got)} instead.",
            param=path or None,
            code="invalid_type",
        )


class OutOfBounds(InvalidRequest):
    """A length or a number that is too large or too small."""

    def __init__(self, path: str, problem: str, expected: str, got: str, code: str) -> None:
        super().__init__(
            f"Invalid '{path}': {problem}. Expected {expected}, but got {got} instead.", param=path, code=code
        )


class WrongLength(OutOfBounds):
    """A string or an array is too long, or too short. API: an empty one has a sentence and a code of its own."""

    def __init__(self, path: str, noun: str, length: int, minimum: int | None, maximum: int | None) -> None:
        kind = with_article(noun)
        if maximum is not None and length > maximum:
            problem, code = f"{noun} too long", f"{noun}_above_max_length"
            expected = f"{kind} with maximum length {maximum}"
        else:
            problem, code = f"{noun} too short", f"{noun}_below_min_length"
            expected = f"{kind} with minimum length {minimum}"
        got = f"{kind} with length {length}"
        if length == 0:
            problem, code, got = f"empty {noun}", f"empty_{noun}", f"an empty {noun}"
        super().__init__(path, problem, expected, got, code)


class TooManyProperties(OutOfBounds):
    def __init__(self, path: str, count: int, maximum: int) -> None:
        super().__init__(
            path,
            "too many properties",
            f"an object with at most {maximum} properties",
            f"an object with {count} properties",
            "object_above_max_properties",
        )


class KeyTooLong(OutOfBounds):
    """A key of a map of strings; the map is named, because the key is what cannot be repeated."""

    def __init__(self, path: str, length: int, maximum: int) -> None:
        super().__init__(
            path,
            "key too long",
            f"every key to have at most {maximum} characters",
            f"a key with length {length}",
            "string_above_max_length",
        )


class OutOfRange(OutOfBounds):
    """An `integer` or a `decimal` below its minimum or above its maximum; exactly one bound is given."""

    def __init__(
        self, path: str, noun: str, got: float, *, minimum: float | None = None, maximum: float | None = None
    ) -> None:
        if maximum is not None:
            problem, expected, code = "above maximum value", f"<= {maximum}", f"{noun}_above_max_value"
        else:
            problem, expected, code = "below minimum value", f">= {minimum}", f"{noun}_below_min_value"
        super().__init__(path, f"{noun} {problem}", f"a value {expected}", short(got), code)


class PatternMismatch(InvalidRequest):
    def __init__(self, path: str, pattern: str) -> None:
        # Our patterns keep out a last newline in a way that would only puzzle a reader.
        pattern = pattern.replace(r"(?!\n)", "")
        super().__init__(
            f"Invalid '{path}': string does not match pattern. Expected a string that matches the pattern '{pattern}'.",
            param=path,
            code="invalid_value",
        )


class NullCharacter(InvalidRequest):
    """U+0000, which the stores cannot keep."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"Invalid '{short(path)}': strings must not contain the null character (U+0000).",
            param=short(path),
            code="invalid_value",
        )
