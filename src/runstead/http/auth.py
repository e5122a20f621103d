"""Who may call: holders of a key, or without keys only callers on this machine."""

import base64
import binascii
import hmac
from collections.abc import Iterable
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import urlsplit

from runstead.http.errors import ForeignCaller, InvalidKey, MissingKey


class Keys:
    """The accepted keys, known by their hashes only."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = [sha256(key.encode()).digest() for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def check(self, authorization: str | None) -> None:
        """Raises MissingKey or InvalidKey. Every key is compared, so the time tells nothing."""
        key = _key(authorization)
        if not key:
            raise MissingKey
        digest = sha256(key.encode("utf-8", "surrogateescape")).digest()
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        if not any(matches):
            raise InvalidKey(key)


def _key(authorization: str | None) -> str:
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    credentials = credentials.strip()
    if scheme.lower() == "bearer":
        return credentials
    if scheme.lower() == "basic":
        # API: the key may come as the password of an empty user.
        try:
            _, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return password
    return ""


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_local(host: str | None, origin: str | None, bound_host: str, allowed_origins: Iterable[str]) -> None:
    """Without keys: refuse what a web page could make a browser send here. Raises ForeignCaller.

    A page elsewhere can reach a loopback port, by its own Origin or by a name that it made resolve to 127.0.0.1.
    """
    name = _host_name(host)
    if name is not None and not is_loopback(name) and name.lower() != bound_host.lower():
        raise ForeignCaller("Host", host or "")
    if origin is None or origin in allowed_origins:
        return
    source = _host_name(urlsplit(origin).netloc) if "//" in origin else None
    if source is None or not (is_loopback(source) or source.lower() == bound_host.lower()):
        raise ForeignCaller("Origin", origin)


def _host_name(host: str | None) -> str | None:
    if not host:
        return None
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
