"""Requests that bear a key of their client's, so that one sent twice has one effect."""

from msgspec import Struct

KEPT_FOR = 24 * 3600
"""Seconds a key is remembered."""


class KeyedRequest(Struct, frozen=True):
    """What a key was used for: which request, as a hash, and the ids of what came of it, by their names in a path."""

    fingerprint: str
    place: dict[str, str]


class RememberRequest(Struct, frozen=True):
    """Note a key with the effect that it belongs to; KeyUsed if another effect has it. Written before all others."""

    key: str
    request: KeyedRequest
    expires_at: int
