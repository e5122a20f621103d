"""How the text of a variable becomes a value; ValueError says what would do instead."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

Launchers = Literal["auto", "bubblewrap", "gvisor", "remote", "off"]
"""What may run model-written code."""


def text(value: str) -> str | None:
    return value or None


def path(value: str) -> Path | None:
    try:
        return Path(value).expanduser() if value else None
    except RuntimeError:
        raise ValueError("there is no such user's home; write the whole path.") from None


def whole(least: int, most: int) -> Callable[[str], int | None]:
    def read(value: str) -> int | None:
        if not value:
            return None
        if not (value.isascii() and value.isdecimal()) or len(value) > 12 or not least <= int(value) <= most:
            raise ValueError(f"a whole number from {least} to {most} is needed.")
        return int(value)

    return read


def seconds(least: float, most: float) -> Callable[[str], float]:
    def read(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not least <= number <= most:
            raise ValueError(f"a number of seconds from {least:g} to {most:g} is needed.")
        return number

    return read


def flag(value: str) -> bool:
    known = {"": False, "0": False, "false": False, "no": False, "off": False}
    known |= {"1": True, "true": True, "yes": True, "on": True}
    if value.lower() not in known:
        raise ValueError("1 or 0 is needed.")
    return known[value.lower()]


def listed(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def keys(value: str) -> tuple[str, ...]:
    keys = listed(value)
    if value.strip() and not keys:
        raise ValueError("it is set but holds no key; unset it to accept any key on loopback.")
    if not all(key.isascii() and key.isprintable() and " " not in key for key in keys):
        # Clients disagree about how to write anything else into a header.
        raise ValueError("a key is made of visible ASCII characters.")
    return keys


def mapping(value: str) -> dict[str, str]:
    pairs = {}
    for part in listed(value):
        asked, equals, served = (piece.strip() for piece in part.partition("="))
        if not (asked and equals and served):
            raise ValueError(f"{part!r} is not a pair like gpt-4o=qwen3.")
        pairs[asked] = served
    return pairs


def http_url(value: str) -> str | None:
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a base URL such as http://127.0.0.1:11434/v1 is needed.")
    return value.rstrip("/")


def database_url(value: str) -> str:
    if value and not value.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise ValueError("sqlite:///path/to/file.db or postgresql://user:password@host/database is needed.")
    if value.startswith("sqlite:///"):
        if not Path(value.removeprefix("sqlite:///")).name:
            raise ValueError("the path of the file is missing after sqlite:///.")
    elif value:
        refuse_bad_port(value)
    return value


def blobs_url(value: str) -> str:
    parts = urlsplit(value)
    is_folder = parts.scheme == "file" and not parts.netloc and parts.path.strip("/")
    if value and not (is_folder or (parts.scheme == "s3" and parts.netloc)):
        raise ValueError("file:///path/to/a/folder or s3://bucket/prefix is needed.")
    return value


def refuse_bad_port(address: str) -> None:
    try:
        # Reading the port is what checks it.
        _ = urlsplit(address).port
    except ValueError:
        raise ValueError("its port is none; whole numbers up to 65535 are.") from None


def nats_url(value: str) -> str | None:
    if value and not listed(value):
        raise ValueError("it is set but holds no address; unset it for a single node.")
    for one in listed(value):
        refuse_bad_port(one)
        parts = urlsplit(one)
        if parts.scheme not in ("nats", "tls", "ws", "wss") or not parts.hostname:
            raise ValueError("addresses such as nats://127.0.0.1:4222 are needed, separated by commas.")
    return value or None


def level(value: str) -> str:
    if value.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError("debug, info, warning or error is needed.")
    return value.lower()


def launchers(value: str) -> Launchers:
    if value not in get_args(Launchers):
        raise ValueError(f"one of {', '.join(get_args(Launchers))} is needed.")
    return cast(Launchers, value)


def uids(value: str) -> tuple[int, int]:
    first, dash, last = value.partition("-")
    if not (dash and first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) < 2**32 - 1):
        raise ValueError("numbers of users such as 65200-65455 are needed.")
    return int(first), int(last)


def sandbox_url(value: str) -> str | None:
    if value:
        refuse_bad_port(value)
        parts = urlsplit(value)
        if parts.scheme != "tls" or not parts.hostname or parts.port is None:
            raise ValueError("an address such as tls://sandbox.example.org:8443 is needed.")
    return value or None
