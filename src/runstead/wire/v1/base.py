"""What every v1 body and view shares."""

from abc import abstractmethod
from typing import Any, TypeVar

from msgspec import Struct

from runstead.wire.base import Body

S = TypeVar("S", bound=Struct)


class V1Body(Body, frozen=True):
    """A v1 body that differs from its v2 twin, and knows that twin."""

    @abstractmethod
    def canonical(self) -> Body:
        """The same request in v2's words."""


def recast(source: Struct, kind: type[S], **changed: Any) -> S:
    """A struct of another kind with the fields that both have; the others are given."""
    copied = {name: getattr(source, name) for name in kind.__struct_fields__ if name not in changed}
    return kind(**copied, **changed)
