"""/v1/models."""

from runstead.domain.errors import InvalidRequest, NotFound, shown
from runstead.http.api import Api, Call
from runstead.http.pages import listed
from runstead.ports import Page
from runstead.wire.base import Deleted, ListPage
from runstead.wire.models import Model


class NoModel(NotFound):
    """API: models have a sentence of their own."""

    def __init__(self, id: str) -> None:
        InvalidRequest.__init__(self, f"The model '{shown(id)}' does not exist", param="model", code="model_not_found")


async def list_models(api: Api, call: Call[None]) -> ListPage[Model]:
    """What the model's server offers."""
    return listed(Page(await api.model.list_models(), has_more=False))


async def get_model(api: Api, call: Call[None]) -> Model:
    """One of them."""
    return await _find(api, call.path["model"])


async def delete_model(api: Api, call: Call[None]) -> Deleted:
    """Refused: the original deleted fine-tuned models only, and here models belong to the model's server."""
    model = await _find(api, call.path["model"])
    raise InvalidRequest(f"The model '{shown(model.id)}' belongs to the model's server and cannot be deleted here.")


async def _find(api: Api, id: str) -> Model:
    for model in await api.model.list_models():
        if model.id == id:
            return model
    raise NoModel(id)
