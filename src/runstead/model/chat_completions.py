"""Any chat-completions server as the Model port: retries, fallbacks and plain sentences around one streamed POST."""

import asyncio
import io
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from aiohttp import ClientResponse, ClientSession, ClientTimeout
from msgspec import json, structs
from yarl import URL

from runstead.domain.errors import ModelFailed
from runstead.model.answer import Answer, read_bounded, translated
from runstead.model.cards import Card, read_cards
from runstead.model.connection import environment_proxy, identity, load_trust, open_session, parse_base_url
from runstead.model.dialect import Dialect, Refused, adapt, newly_refused
from runstead.model.model_map import served_name
from runstead.model.retry import Patience, RetryPolicy, retry_after
from runstead.model.upstream_errors import Failure, UpstreamError, explain, from_body
from runstead.model.windows import Windows
from runstead.wire.chat import ChatChunk, ChatRequest
from runstead.wire.models import Model as ModelCard

log = structlog.get_logger(__name__)

MAX_ERROR_BODY = 64 * 1024
MAX_CARDS_BODY = 8 * 1024 * 1024
CARDS_LIMIT = 10.0
"""Seconds that a list of models may take."""
ERROR_BODY_LIMIT = 2.0
"""Seconds that the words of a refusal may take; its status came already."""
LARGE_BODY = 1024 * 1024
"""Bytes above which a prompt is sent in pieces, so that one run does not hold up the others."""


class ChatCompletions:
    """`base_url` ends in /v1. `window` in tokens overrules what the server tells; `idle_limit` is in seconds.

    `model_map` leads from the names clients use to the server's. Raises ModelFailed for an unusable URL or CA file.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        model_map: Mapping[str, str] | None = None,
        window: int | None = None,
        ca_file: Path | None = None,
        idle_limit: float = 120.0,
        trust_env: bool = True,
        retry: RetryPolicy | None = None,
    ) -> None:
        address = parse_base_url(base_url)
        self._base = address.with_user(None)
        self._identity = identity(key, address)
        self._secret = key or address.password
        self._model_map = model_map or {}
        self._window = window
        self._trust = load_trust(ca_file)
        self._idle_limit = idle_limit
        self._proxy, self._proxy_headers = environment_proxy(address) if trust_env else (None, {})
        self._retry = retry or RetryPolicy()
        self._dialect = Dialect()
        self._windows = Windows(self._cards)
        self._session: ClientSession | None = None
        self._drains: dict[asyncio.Task[None], Answer] = {}

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Sequence[ChatChunk], None]:
        model = served_name(self._model_map, request.model)
        answer: Answer | None = None
        complete = False
        try:
            answer, chunks = await self._open(request, model)
            while chunks is not None:
                yield chunks
                chunks = await answer.next()
            complete = True
        except UpstreamError as error:
            raise explain(error, model, self._idle_limit, self._secret) from error
        finally:
            if answer is not None:
                self._leave(answer, complete=complete)

    async def window(self, model: str) -> int:
        return self._window or await self._windows.get(served_name(self._model_map, model))

    async def list_models(self) -> list[ModelCard]:
        return [card.model for card in await self._cards()]

    async def check(self) -> str:
        count = len(await self._cards())
        return f"{self._base} answers and lists {count} model{'' if count == 1 else 's'}"

    async def close(self) -> None:
        for task, answer in list(self._drains.items()):
            # Both: a task that has not begun yet would let go of nothing.
            task.cancel()
            answer.close()
        await asyncio.gather(*self._drains, return_exceptions=True)
        await self._windows.close()
        if self._session is not None:
            await self._session.close()

    async def _open(self, request: ChatRequest, model: str) -> tuple[Answer, list[ChatChunk] | None]:
        """An answer and its first words, after as many attempts as it takes or patience allows."""
        patience = Patience(self._retry, time.monotonic())
        body = _body(request, model)
        while True:
            try:
                answer = await self._send(body, model)
                try:
                    return answer, await answer.begin()
                except BaseException:
                    # A cancelled task too would leave its connection open.
                    answer.close()
                    raise
            except UpstreamError as error:
                wait = patience.wait(error, time.monotonic())
                if wait is None:
                    raise
                log.info("asking the model again", failure=error.failure.name, status=error.status, wait=round(wait, 2))
            await asyncio.sleep(wait)

    async def _send(self, body: dict[str, Any], model: str) -> Answer:
        """POST, once more for each field that the server turns out not to take."""
        refused: Refused = self._dialect.refused(model)
        learned: Refused = frozenset()
        while True:
            sent = adapt(body, refused)
            response = await self._post(json.encode(sent))
            if response.status == 200:
                if learned:
                    self._dialect.remember(model, learned)
                return Answer(response)
            error = await _refusal(response)
            field = newly_refused(error, sent)
            if field is None or field in refused:
                raise error
            log.info("the model server does not take a field; asking without it", field=field)
            learned |= {field}
            refused |= {field}

    async def _post(self, body: bytes) -> ClientResponse:
        with translated():
            return await self._connected().post(
                self._base / "chat" / "completions",
                headers=self._identity,
                data=body if len(body) < LARGE_BODY else io.BytesIO(body),
                proxy=self._proxy,
                proxy_headers=self._proxy_headers,
                # The key is for this server only.
                allow_redirects=False,
            )

    async def _cards(self) -> list[Card]:
        """What the server lists. Raises ModelFailed."""
        try:
            return await self._fetch_cards()
        except UpstreamError as error:
            if error.status in {404, 405}:
                said = "The server at RUNSTEAD_MODEL_URL does not list its models; check that the address ends in /v1"
                raise ModelFailed("server_error", f"{said}.") from error
            raise explain(error, "", CARDS_LIMIT, self._secret) from error

    async def _fetch_cards(self) -> list[Card]:
        with translated():
            async with self._connected().get(
                self._base / "models",
                headers=self._identity,
                proxy=self._proxy,
                proxy_headers=self._proxy_headers,
                allow_redirects=False,
                timeout=ClientTimeout(total=CARDS_LIMIT),
            ) as response:
                if response.status != 200:
                    raise await _refusal(response)
                cards = read_cards(await read_bounded(response, MAX_CARDS_BODY))
        if cards is None:
            raise UpstreamError("its list of models cannot be read", failure=Failure.NO_COMPLETION)
        return cards

    def _connected(self) -> ClientSession:
        if self._session is None:
            self._session = open_session(self._trust, self._idle_limit)
        return self._session

    def _leave(self, answer: Answer, *, complete: bool) -> None:
        if not complete:
            answer.close()
        elif not answer.at_end:
            task = asyncio.create_task(answer.drain())
            self._drains[task] = answer
            task.add_done_callback(self._drains.pop)


def _body(request: ChatRequest, model: str) -> dict[str, Any]:
    body = {name: value for name, value in structs.asdict(request).items() if value is not None}
    return {**body, "model": model, "stream": True, "stream_options": {"include_usage": True}}


async def _refusal(response: ClientResponse) -> UpstreamError:
    body = b""
    try:
        if 300 <= response.status < 400:
            target = URL(response.headers.get("Location", ""))
            return UpstreamError(
                f"to {target.with_user(None).with_query(None)}" if target.host else "", status=response.status
            )
        async with asyncio.timeout(ERROR_BODY_LIMIT):
            with translated():
                body = await read_bounded(response, MAX_ERROR_BODY)
    except (UpstreamError, TimeoutError):
        log.debug("a refusal came without its words", status=response.status)
    finally:
        response.release()
    return from_body(response.status, body, retry_after(response.headers, time.time()))
