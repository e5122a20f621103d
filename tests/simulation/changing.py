"""How a rule is broken for a while."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Mutation = Callable[[], Any]


@contextmanager
def changed(owner: Any, name: str, to: Any) -> Iterator[None]:
    was = owner.__dict__[name]
    setattr(owner, name, to)
    try:
        yield
    finally:
        setattr(owner, name, was)
