"""Models: what GET /models lists."""

from typing import Literal

from runstead.wire.base import Resource, Timestamp


class Model(Resource, frozen=True, kw_only=True):
    """A model that assistants may name."""

    id: str
    object: Literal["model"] = "model"
    created: Timestamp
    owned_by: str
