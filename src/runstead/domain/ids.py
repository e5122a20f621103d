"""Ids: the API's prefixes, spelt from bytes that somebody else drew, or derived from what is already named."""

from hashlib import blake2b

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH = 24
ENTROPY_BYTES = 18
"""How many random bytes a new id takes: 62^24 is just under 2^143."""


def spell(prefix: str, entropy: bytes) -> str:
    """An id such as `run_4Gk…`: the prefix and 24 letters and digits."""
    number = int.from_bytes(entropy, "big")
    letters = []
    for _ in range(LENGTH):
        number, digit = divmod(number, 62)
        letters.append(ALPHABET[digit])
    return prefix + "".join(letters)


def derive(prefix: str, *names: object) -> str:
    """The id that follows from these names, always the same one.

    A step's id is derived from its run, epoch and place, so that a driver never has to remember it.
    """
    seed = "\x1f".join(map(str, names)).encode()
    return spell(prefix, blake2b(seed, digest_size=ENTROPY_BYTES).digest())
