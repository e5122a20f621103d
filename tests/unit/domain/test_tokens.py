import gzip
import hashlib
import subprocess
import sys
from importlib.resources import files

import pytest

from runstead.domain import tokens

# Counted with another implementation of the same vocabulary.
KNOWN = {
    "": 0,
    "Hello, world!": 4,
    "it's WE'LL don't": 5,
    "Grüße aus München 😀👩\u200d👩\u200d👧": 14,
    "请问今天天气怎么样?": 7,
    "def f(x):\n    return x ** 2\n": 11,
    "1234567890 3.14159": 9,
    "<|endoftext|>": 7,
    "   \n\n  \t x": 3,
}


def test_the_ranks_are_the_published_ones():
    packed = (files("runstead.domain") / "data" / "o200k_base.tiktoken.gz").read_bytes()

    assert len(packed) < 1_800_000
    digest = hashlib.sha256(gzip.decompress(packed)).hexdigest()
    assert digest == "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"


@pytest.mark.parametrize(("text", "number"), KNOWN.items())
def test_texts_have_known_counts(text, number):
    assert tokens.count(text) == number


@pytest.mark.parametrize("text", ["", "plain", "Grüße 😀", "<|endoftext|>", "\ud800", " \n\t "])
def test_the_bound_is_one(text):
    assert tokens.count(text) <= tokens.at_most(text)


@pytest.mark.parametrize("letter", ["a", " ", "\n", "!", "😀", "ab ", "1"])
def test_a_long_run_of_anything_is_counted(letter):
    # A million blanks at once would overflow the stack of the pattern's engine.
    size = 300_000

    assert 0 < tokens.count(letter * (size // len(letter))) <= size * 2


def test_a_long_text_counts_as_much_as_its_parts():
    sentence = "The quick brown fox jumps over the lazy dog; Zwölf Boxkämpfer jagen Viktor."
    long = " ".join([sentence] * 2000)

    assert tokens.count(long) == tokens.count(sentence) + 1999 * tokens.count(f" {sentence}")


def test_nothing_is_loaded_before_it_is_needed():
    program = "import sys, runstead.domain.tokens as t; t.at_most('x'); sys.exit(t._encoding.cache_info().currsize)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
