"""Vectors and reranking from a server: its oddities, its troubles, and what becomes of them."""

import numpy as np
import pytest
from aiohttp import web

from runstead.domain.errors import EmbeddingFailed
from runstead.search.endpoint import Endpoint
from runstead.search.endpoint_embedder import BATCH_TEXTS, EndpointEmbedder
from runstead.search.reranker import EndpointReranker
from tests.contract.search.embedding_server import serving


@pytest.fixture
async def server():
    async with serving() as running:
        yield running


@pytest.fixture
async def embedder(server):
    made = EndpointEmbedder(Endpoint(server.url, key="sk-secret", first_pause=0.01), "small-model", window=100)
    yield made
    await made.close()


def lengths(vectors):
    """What the server said of each text, read back from a vector of length one."""
    read = [np.frombuffer(vector, "<f4") for vector in vectors]
    assert all(np.linalg.norm(numbers) == pytest.approx(1) for numbers in read)
    return [round(float(numbers[0] / numbers[1])) for numbers in read]


def says(status, text="{}", **headers):
    return lambda _: web.Response(status=status, text=text, headers=headers)


async def test_each_text_gets_its_own_vector_whatever_the_order_of_the_answer(server, embedder):
    vectors = await embedder.embed_documents(["a", "bb", "ccc"])

    assert [lengths(some) for some in vectors] == [[1], [2], [3]]
    assert lengths([await embedder.embed_query("four")]) == [4]
    assert await embedder.dimensions() == 2
    assert embedder.name == "small-model"
    assert {body["model"] for body in server.asked} == {"small-model"}
    assert server.headers[0]["Authorization"] == "Bearer sk-secret"


async def test_many_texts_are_asked_for_in_batches(server, embedder):
    texts = ["x" * (n % 7 + 1) for n in range(2 * BATCH_TEXTS + 1)]

    vectors = await embedder.embed_documents(texts)

    assert [lengths(some) for some in vectors] == [[len(text)] for text in texts]
    assert [len(body["input"]) for body in server.asked] == [BATCH_TEXTS, BATCH_TEXTS, 1]


async def test_what_a_model_cannot_read_at_once_gets_several_vectors(server, embedder):
    vectors = await embedder.embed_documents(["harbour " * 250, "", "sho\ud800rt"])

    assert [len(some) for some in vectors] == [3, 1, 1]
    assert all(text for body in server.asked for text in body["input"])


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_what_may_pass_is_asked_again(server, embedder, status):
    server.script = [says(status), says(status, **{"Retry-After": "0.01"})]

    assert lengths([await embedder.embed_query("four")]) == [4]
    assert len(server.asked) == 3


async def test_what_does_not_pass_is_told_in_the_servers_words(server, embedder):
    server.script = [says(503, "no\n GPU left")] * 4

    with pytest.raises(EmbeddingFailed, match="answered 503: no GPU left"):
        await embedder.embed_query("x")
    assert len(server.asked) == 4


@pytest.mark.parametrize("status", [400, 401, 404, 413])
async def test_a_refusal_is_not_asked_again(server, embedder, status):
    server.script = [says(status, "not you")]

    with pytest.raises(EmbeddingFailed, match=f"answered {status}: not you"):
        await embedder.embed_query("x")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "no usable answer"),
        ("<html>", "no usable answer"),
        ('{"data": "x"}', "no usable answer"),
        ('{"data": []}', "0 vectors for 1"),
        ('{"data": [{"embedding": [1]}, {"embedding": [1]}]}', "2 vectors for 1"),
        ('{"data": [{"embedding": []}]}', "of 0 numbers"),
        ('{"data": [{"embedding": [0, 0]}]}', "no direction"),
        ('{"data": [{"embedding": [1e308, 1e308]}]}', "no direction"),
    ],
)
async def test_an_answer_that_is_none_is_said_to_be_none(server, embedder, answer, reason):
    server.script = [says(200, answer)]

    with pytest.raises(EmbeddingFailed, match=reason):
        await embedder.embed_query("x")


async def test_dimensions_never_change_under_one_name(server, embedder):
    await embedder.embed_query("x")
    server.script = [says(200, '{"data": [{"embedding": [1, 2, 3]}]}')]

    with pytest.raises(EmbeddingFailed, match="RUNSTEAD_EMBEDDINGS_MODEL"):
        await embedder.embed_query("x")


async def test_a_server_that_is_not_there_is_named():
    embedder = EndpointEmbedder(Endpoint("http://127.0.0.1:9/v1", first_pause=0.01), "m", window=100)
    try:
        with pytest.raises(EmbeddingFailed, match=r"http://127\.0\.0\.1:9/v1/embeddings does not answer"):
            await embedder.check()
    finally:
        await embedder.close()


async def test_a_reranker_scores_each_text_in_its_place(server):
    reranker = EndpointReranker(Endpoint(server.url), "cross")

    assert await reranker.scores("question", ["a", "bbb", "c" * 40]) == [0.1, 0.3, 1.0]
    assert await reranker.scores("question", []) == []
    assert server.asked[0]["query"] == "question"
    assert server.asked[0]["model"] == "cross"
    await reranker.close()


async def test_a_reranker_may_answer_with_a_bare_list(server):
    reranker = EndpointReranker(Endpoint(server.url), None)
    server.script = [says(200, '[{"index": 1, "score": 0.9}, {"index": 0, "score": -2.5}]')]

    assert await reranker.scores("question", ["a", "b"]) == [0.0, 0.9]
    await reranker.close()


@pytest.mark.parametrize(
    "answer", ['{"results": [{"index": 5, "score": 1}]}', '{"results": [{"index": 0}]}', '{"error": "busy"}']
)
async def test_a_reranker_that_talks_nonsense_has_failed(server, answer):
    reranker = EndpointReranker(Endpoint(server.url), None)
    server.script = [says(200, answer)]

    with pytest.raises(EmbeddingFailed):
        await reranker.scores("question", ["a"])
    await reranker.close()
