"""What only some installations have."""

from collections.abc import Iterator
from contextlib import contextmanager

from runstead.domain.errors import RunsteadError


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Imports of what only some installations have."""
    try:
        yield
    except ImportError as error:
        raise Missing(error.name or "a package", name) from None


class Missing(RunsteadError):
    """A setting asks for what is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed, which these settings need: pip install 'runstead[{extra}]'.")
