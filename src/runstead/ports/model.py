"""Who writes the assistant's words."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from runstead.wire.chat import ChatChunk, ChatRequest
from runstead.wire.models import Model as ModelCard


class Model(Protocol):
    """Who writes the assistant's words."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[Sequence[ChatChunk], None]:
        """Ask for a completion; yields what each read from the server held, in order.

        Retries what may be retried until a chunk says something. Raises ModelFailed with a sentence a person can act
        on; closing the iterator closes the connection at once. Ends only after the server said that it is done.
        """

    async def window(self, model: str) -> int:
        """How many tokens the model can take in and give out together."""

    async def list_models(self) -> list[ModelCard]:
        """What GET /models shows. Raises ModelFailed."""

    async def check(self) -> str:
        """One line on whether the model answers, for doctor and banner. Raises ModelFailed."""

    async def close(self) -> None:
        """Let go of connections and children."""
