"""The embedding model itself, with its real weights, in its own process."""

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from runstead.domain.errors import EmbeddingFailed
from runstead.search import weights
from runstead.search.local_embedder import LocalEmbedder

# A data folder that `runstead model prepare` filled.
PLACE = Path(os.environ.get("RUNSTEAD_TEST_WEIGHTS", Path.home() / ".local/share/runstead"))
WEIGHTS = weights.find(PLACE)

pytestmark = pytest.mark.skipif(WEIGHTS is None, reason=str(weights.what_is_missing(PLACE)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def embedder():
    assert WEIGHTS is not None
    made = LocalEmbedder(WEIGHTS)
    yield made
    await made.close()


def cosine(one: bytes, other: bytes) -> float:
    return float(np.frombuffer(one, "<f4") @ np.frombuffer(other, "<f4"))


@pytest.mark.asyncio(loop_scope="module")
async def test_what_means_the_same_lies_close_together(embedder):
    question = await embedder.embed_query("How do I reset my password?")
    (same,), (other,) = await embedder.embed_documents(
        ["Choose a new passphrase when you have forgotten the old one.", "The lighthouse was built in 1843."]
    )

    assert cosine(question, question) == pytest.approx(1, abs=1e-5)
    assert cosine(question, same) > 0.4
    assert cosine(question, other) < 0.2
    assert len(question) == 4 * await embedder.dimensions()
    assert "MiniLM" in embedder.name


@pytest.mark.asyncio(loop_scope="module")
async def test_a_long_text_is_read_to_its_end(embedder):
    filler = "The committee met and discussed the agenda of the previous meeting at some length. " * 60
    (vectors,) = await embedder.embed_documents([filler + "The anchor of the Mary Rose weighs three tons."])
    question = await embedder.embed_query("How heavy is the ship's anchor?")

    assert len(vectors) > 2
    closest = max(range(len(vectors)), key=lambda i: cosine(question, vectors[i]))
    assert closest == len(vectors) - 1


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("text", ["", " ", "\0", "\ud800", "😀" * 5000, "x" * 100_000, "灯台守は船を数える。"])
async def test_any_text_has_a_vector(embedder, text):
    (vectors,) = await embedder.embed_documents([text])

    assert vectors
    assert all(np.linalg.norm(np.frombuffer(vector, "<f4")) == pytest.approx(1, abs=1e-4) for vector in vectors)
    assert len(await embedder.embed_query(text)) == len(vectors[0])


@pytest.mark.asyncio(loop_scope="module")
async def test_a_text_has_the_same_vector_alone_and_among_others(embedder):
    texts = ["A short one.", "The lighthouse keeper counts the ships that pass in the night. " * 8, "Two words"]
    together = await embedder.embed_documents(texts)

    for text, vectors in zip(texts, together, strict=True):
        (alone,) = await embedder.embed_documents([text])
        assert [cosine(one, other) for one, other in zip(alone, vectors, strict=True)] == pytest.approx(
            [1.0] * len(vectors), abs=0.02
        )


@pytest.mark.asyncio(loop_scope="module")
async def test_a_query_does_not_wait_for_documents(embedder):
    documents = asyncio.create_task(embedder.embed_documents(["The ship sails on. " * 200] * 40))
    await asyncio.sleep(0)

    await embedder.embed_query("Where is the ship?")

    assert not documents.done()
    documents.cancel()
    await asyncio.gather(documents, return_exceptions=True)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_process_that_dies_is_replaced(embedder):
    await embedder.embed_query("ready")
    first = embedder._process.pid
    os.kill(first, signal.SIGKILL)

    assert len(await embedder.embed_query("again")) == 4 * 384
    assert embedder._process.pid != first


async def test_weights_that_are_none_are_told_of(tmp_path):
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"nothing of the kind")
    embedder = LocalEmbedder(broken)

    with pytest.raises(EmbeddingFailed, match="does not start"):
        await embedder.embed_query("x")
    await embedder.close()
    with pytest.raises(EmbeddingFailed, match="stops"):
        await embedder.embed_query("x")
