"""A file of credentials, as NATS' own tools write it: who an account's user is, and the key that proves it."""

import base64
import binascii
import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

_TOKEN = re.compile(rb"-BEGIN NATS USER JWT-+\s+([\w.-]+)\s+-+END")
_SEED = re.compile(rb"-BEGIN USER NKEY SEED-+\s+(\w+)\s+-+END")
_SEED_OF_A_USER = (0x90 | 160 >> 5, (160 << 3) & 0xFF)
"""How the 36 bytes of a user's seed begin: two bytes for its kind, then the key, then a checksum."""


class Credentials(Struct, frozen=True):
    """What is shown to the server, and what signs its challenge."""

    token: bytes
    key: Ed25519PrivateKey

    @classmethod
    def read(cls, file: Path) -> "Credentials":
        """Raises OSError, or ValueError for a file that holds something else."""
        content = file.read_bytes()
        token, seed = _TOKEN.search(content), _SEED.search(content)
        if token is None or seed is None:
            raise ValueError("it holds no user's token and seed")
        return cls(token[1], _key(seed[1]))

    def shown(self) -> bytes:
        """The token."""
        return self.token

    def sign(self, challenge: str) -> bytes:
        """The proof that the token is ours."""
        return base64.b64encode(self.key.sign(challenge.encode()))


def _key(seed: bytes) -> Ed25519PrivateKey:
    try:
        decoded = base64.b32decode(seed + b"=" * (-len(seed) % 8))
    except binascii.Error:
        decoded = b""
    body, checksum = decoded[:-2], decoded[-2:]
    if len(body) != 34 or tuple(body[:2]) != _SEED_OF_A_USER:
        raise ValueError("its seed is no user's")
    if binascii.crc_hqx(body, 0) != int.from_bytes(checksum, "little"):
        raise ValueError("its seed is damaged")
    return Ed25519PrivateKey.from_private_bytes(body[2:])
