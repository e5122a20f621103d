"""The embedded model as the Model port: a tiny model in a child process, for a first run without a key or a network.

It proves the plumbing and is no assistant. It cannot call tools by itself, so calls are built around it: words choose
the tool, and a schema holds it to arguments that parse.
"""

import os
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from msgspec import structs

from runstead.domain.errors import ModelFailed
from runstead.model import weights
from runstead.model.argument_schema import Limits, argument_schema
from runstead.model.chat_completions import ChatCompletions
from runstead.model.embedded_choice import choose_tool
from runstead.model.embedded_process import Child, EmbeddedProcess
from runstead.model.embedded_prompt import argument_messages, plain_messages
from runstead.model.retry import RetryPolicy
from runstead.model.upstream_errors import Failure, UpstreamError
from runstead.wire.chat import ChatChunk, ChatRequest, ChunkChoice, ChunkDelta, ChunkFunction, ChunkToolCall, ChunkUsage
from runstead.wire.models import Model as ModelCard

CONTEXT = 8192
"""Tokens in all, which is what the model was trained for and 190 MB of memory."""
SLOTS = 2
"""Answers at a time, each with its share of the context, so that a short run need not wait for a long one."""
IDLE_LIMIT = 300.0
"""Seconds: a full prompt is read for a minute, after two others."""
RELEASED = 1_738_886_400
ARGUMENT_LIMITS = (Limits(), Limits(string=60, items=1))
"""For the first attempt at a call's arguments, and for the second."""
ARGUMENT_TOKENS = 512


class EmbeddedModel:
    """Starts its process with `start`, or with the first call. What is missing is told by the calls, not here."""

    def __init__(self, data_dir: Path, *, weights_file: Path | None = None, threads: int | None = None) -> None:
        self._data_dir = data_dir
        self._weights_file = weights_file
        # One thread per core collapses to a tenth of the speed as soon as anything else runs.
        self.threads = threads or max(1, len(os.sched_getaffinity(0)) - 1)
        self._process: EmbeddedProcess | None = None
        self._adapter: tuple[Child, ChatCompletions] | None = None

    def start(self) -> None:
        """Begin loading without waiting for it, if there is something to load. Needs a running loop."""
        if self._missing() is None:
            self._running().start()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Sequence[ChatChunk], None]:
        for is_last in (False, True):
            child = await self._running().ready()
            sent = False
            try:
                async with aclosing(self._answer(await self._asked(child), request)) as batches:
                    async for batch in batches:
                        sent = True
                        yield batch
            except ModelFailed as failure:
                if not (_lost_connection(failure) and await child.has_died()):
                    raise
                if sent or is_last:
                    raise ModelFailed("server_error", "The embedded model died while it answered.") from failure
            else:
                return

    async def window(self, model: str) -> int:  # noqa: ARG002 - it answers to every name
        return CONTEXT // SLOTS

    async def list_models(self) -> list[ModelCard]:
        self._running()
        return [ModelCard(id=weights.NAME, created=RELEASED, owned_by="runstead")]

    async def check(self) -> str:
        child = await self._running().ready()
        return f"{weights.NAME} runs embedded (process {child.process.pid}, {self.threads} of the cores); a demo model"

    async def close(self) -> None:
        if self._adapter is not None:
            await self._adapter[1].close()
        if self._process is not None:
            await self._process.close()

    async def _answer(self, model: ChatCompletions, request: ChatRequest) -> AsyncGenerator[Sequence[ChatChunk], None]:
        function = choose_tool(request)
        if function is not None:
            yield await _call(model, request, function)
            return
        async with aclosing(model.stream(_plain(request))) as batches:
            async for batch in batches:
                yield batch

    def _missing(self) -> str | None:
        return None if self._weights_file is not None else weights.what_is_missing(self._data_dir)

    def _running(self) -> EmbeddedProcess:
        if self._process is None:
            missing = self._missing()
            file = self._weights_file or weights.find(self._data_dir)
            if missing is not None or file is None:
                raise ModelFailed("server_error", missing or "The embedded model's weights are gone.")
            self._process = EmbeddedProcess(file, weights.NAME, threads=self.threads, context=CONTEXT, slots=SLOTS)
        return self._process

    async def _asked(self, child: Child) -> ChatCompletions:
        if self._adapter is None or self._adapter[0] is not child:
            old, self._adapter = self._adapter, (child, _adapter(child))
            if old is not None:
                await old[1].close()
        return self._adapter[1]


def _adapter(child: Child) -> ChatCompletions:
    return ChatCompletions(
        child.url,
        key=child.key,
        model_map={"*": weights.NAME},
        window=CONTEXT // SLOTS,
        idle_limit=IDLE_LIMIT,
        trust_env=False,
        # Once, for a connection that was just closed. A dead child comes back at another port: not a matter of waiting.
        retry=RetryPolicy(retries=1, first_wait=0.0),
    )


def _lost_connection(failure: ModelFailed) -> bool:
    cause = failure.__cause__
    return isinstance(cause, UpstreamError) and cause.failure in {Failure.CUT, Failure.UNREACHABLE}


def _plain(request: ChatRequest) -> ChatRequest:
    return structs.replace(
        request,
        messages=plain_messages(request.messages),
        tools=None,
        tool_choice=None,
        parallel_tool_calls=None,
        reasoning_effort=None,
    )


async def _call(model: ChatCompletions, request: ChatRequest, function: Mapping[str, Any]) -> list[ChatChunk]:
    """One call with arguments that parse. Raises ModelFailed if the second attempt ran out of tokens too."""
    usage: ChunkUsage | None = None
    arguments: str | None = "{}"
    for limits in ARGUMENT_LIMITS:
        schema = argument_schema(function.get("parameters"), limits)
        if schema is None:
            break
        arguments, usage = await _arguments(model, request, function, schema)
        if arguments is not None:
            break
    if arguments is None:
        said = f"The embedded model did not find an end to the arguments of {function.get('name')}."
        raise ModelFailed("server_error", f"{said} Set RUNSTEAD_MODEL_URL to a model that can call tools.")
    call = ChunkToolCall(
        index=0,
        id=f"call_{secrets.token_hex(12)}",
        function=ChunkFunction(name=str(function.get("name")), arguments=arguments),
    )
    choice = ChunkChoice(delta=ChunkDelta(tool_calls=[call]), finish_reason="tool_calls")
    return [ChatChunk(choices=[choice], usage=usage)]


async def _arguments(
    model: ChatCompletions, request: ChatRequest, function: Mapping[str, Any], schema: dict[str, Any]
) -> tuple[str | None, ChunkUsage | None]:
    """The arguments, or None where they were cut off."""
    held = ChatRequest(
        model=request.model,
        messages=argument_messages(request, function),
        response_format={"type": "json_schema", "json_schema": {"name": "arguments", "schema": schema}},
        temperature=0.0,
        max_completion_tokens=ARGUMENT_TOKENS,
    )
    text, finish, usage = "", None, None
    async for batch in model.stream(held):
        for chunk in batch:
            usage = chunk.usage or usage
            for choice in (chunk.choices or [])[:1]:
                finish = choice.finish_reason or finish
                text += (choice.delta.content or "") if choice.delta else ""
    return (None if finish == "length" else text.strip()), usage
