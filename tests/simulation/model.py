"""A model that says one of a few things, at its own pace."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from runstead.domain.errors import ModelFailed
from runstead.wire.chat import ChatChunk, ChatRequest
from tests.unit.domain.making import piece, pieces, words

if TYPE_CHECKING:
    from tests.simulation.world import World


class Bug(Exception):
    """What nobody foresaw."""


Beat = Sequence[ChatChunk] | float | type[ModelFailed] | type[Bug]
"""Chunks, a silence in seconds, or an end with a bang. An error is made anew each time: it holds on to where it was."""


class Script(Struct, frozen=True):
    name: str
    beats: tuple[Beat, ...]


def _calling(*names: str) -> tuple[Beat, ...]:
    asked = [
        piece(name, ARGUMENTS.get(name, "{}"), index=index, id=f"call_{index}") for index, name in enumerate(names)
    ]
    return ([pieces(*asked, finish="tool_calls")],)


ARGUMENTS = {"code_interpreter": '{"code": "1"}', "file_search": '{"query": "what"}'}


HEL: Sequence[ChatChunk] = [words("Hel")]
LO: Sequence[ChatChunk] = [words("lo", finish="stop")]
HELLO = Script("hello", (HEL, LO))
SCRIPTS = (
    HELLO,
    Script("calls", _calling("f")),
    Script("words, then calls", (HEL, *_calling("f"))),
    Script("unknown call", _calling("nope")),
    Script("calls nobody after a while", (6.5, *_calling("nope"))),
    Script("calls nobody after a moment", (0.5, *_calling("nope"))),
    Script("slow", (HEL, 2.5, LO)),
    Script("slower than a lease", (3.5, HEL, 4.0, LO)),
    Script("hangs", (HEL, 15.0, LO)),
    Script("fails", (HEL, ModelFailed)),
    Script("breaks", (HEL, Bug)),
)
CODE, SEARCH = "code_interpreter", "file_search"
TOOL_SCRIPTS = (
    Script("runs code", _calling(CODE)),
    Script("searches", _calling(SEARCH)),
    Script("words, then code", (HEL, *_calling(CODE))),
    Script("runs code twice and searches", _calling(CODE, SEARCH, CODE)),
    Script("runs code and calls", _calling("f", CODE)),
    Script("searches twice and calls", _calling(SEARCH, "g", SEARCH)),
)
BY_NAME = {script.name: script for script in SCRIPTS + TOOL_SCRIPTS}


class Model:
    """See ports.Model."""

    def __init__(self, world: World, process: int) -> None:
        self._world = world
        self._process = process

    async def window(self, model: str) -> int:
        return 8_192

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Sequence[ChatChunk], None]:
        network = self._world.network
        script = network.script()
        self._world.witness.asked(self._process, request)
        for beat in script.beats:
            if isinstance(beat, float):
                await network.silence(self._process, beat)
                continue
            await network.silence(self._process, 0.0)
            if beat is ModelFailed:
                raise ModelFailed("server_error", "The model's server broke.")
            if beat is Bug:
                raise Bug
            assert not isinstance(beat, type)
            yield beat
