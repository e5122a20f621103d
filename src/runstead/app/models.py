"""The model that the settings name."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from runstead.model.chat_completions import ChatCompletions
from runstead.ports import Model
from runstead.settings import Settings


def open_model(settings: Settings) -> Model:
    """The model that the settings name; needs a running loop. Raises ModelFailed for an unusable address or CA.

    A model that is missing, or does not answer, is no reason not to start: each run that needs it says so.
    """
    if settings.model_url is None:
        from runstead.model.embedded import EmbeddedModel  # only where it is used

        embedded = EmbeddedModel(settings.data_dir)
        embedded.start()
        return embedded
    return ChatCompletions(
        settings.model_url,
        key=settings.model_key,
        model_map=settings.model_map,
        window=settings.model_window,
        ca_file=settings.model_ca,
        idle_limit=settings.model_idle_limit,
    )


def what_model_is_missing(settings: Settings) -> str | None:
    """What keeps the embedded model from running, if it is the one to be used, with the ways out."""
    if settings.model_url is not None:
        return None
    from runstead.model import weights

    return weights.what_is_missing(settings.data_dir)


def prepare_model(settings: Settings, progress: Callable[[str], None]) -> None:
    """Fetch what the embedded models need; told sentence by sentence. Raises RunsteadError."""
    from runstead.model import weights
    from runstead.search import weights as embedding_weights

    weights.prepare(settings.data_dir, progress)
    embedding_weights.prepare(settings.data_dir, progress)


@asynccontextmanager
async def scripted_model(host: str, port: int) -> AsyncIterator[str]:
    """The base URL of a model that says what it is told, while the block lasts."""
    from runstead.model.scripted.server import serve

    async with serve(host, port) as url:
        yield url
