"""Ids: the API's prefixes, spelt from bytes that somebody else drew, or derived from what is already named."""

from hashlib import blake2b

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ENTROPY_BYTES = 24
"""How many random bytes a new id takes, one a character: 62^24 is just under 2^143."""

# Eight of the 62 letters and digits come a quarter more often than the others, which costs a fraction of a bit.
_LETTERS = bytes(ord(ALPHABET[byte % 62]) for byte in range(256))


def spell(prefix: str, entropy: bytes) -> str:
    """An id such as `run_4Gk…`: the prefix and a letter or digit for each byte."""
    return prefix + entropy.translate(_LETTERS).decode("ascii")


def derive(prefix: str, *names: object) -> str:
    """The id that follows from these names, always the same one.

    A step's id is derived from its run, epoch and place, so that a driver never has to remember it.
    """
    seed = "\x1f".join(map(str, names)).encode()
    return spell(prefix, blake2b(seed, digest_size=ENTROPY_BYTES).digest())
