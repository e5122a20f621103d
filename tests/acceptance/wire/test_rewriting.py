"""`rewrite_query`: a model words the search anew, and a search never fails for its sake."""

from typing import Any

import pytest

from tests.acceptance.scripted import Json, Model, call, calls, text
from tests.acceptance.wire.drama import Starter
from tests.acceptance.wire.library import Shelf
from tests.acceptance.wire.talk import Api

QUESTION = "Hello! Could you please tell me who it is that looks after the lamp?"


@pytest.fixture
def shelf(starter: Starter, model: Model) -> Shelf:
    shelf = Shelf.open(Api(starter(RUNSTEAD_REWRITE_MODEL=model.name).url))
    for name, words in {
        b"keeper.txt": b"The lighthouse keeper tends the lantern.",
        b"bread.txt": b"Bread rises.",
    }.items():
        assert shelf.ended(shelf.add(words, name))["status"] == "completed"
    return shelf


def searched(shelf: Shelf, query: Any, **options: Any) -> Json:
    return shelf.api.post(f"{shelf.path}/search", {"query": query, **options})


def test_other_words_find_what_the_question_did_not(shelf: Shelf, model: Model):
    assert searched(shelf, QUESTION)["search_query"] == [QUESTION]

    model.will(text(' "lighthouse keeper\n lantern" '))
    page = searched(shelf, QUESTION, rewrite_query=True)

    assert page["search_query"] == ["lighthouse keeper lantern"]
    assert page["data"][0]["filename"] == "keeper.txt"
    asked = model.requests[-1]
    assert asked["messages"][-1] == {"role": "user", "content": QUESTION}


def test_each_of_several_queries_is_worded_anew(shelf: Shelf, model: Model):
    model.will(text("bread"), repeat=True)

    assert searched(shelf, ["one", "two"], rewrite_query=True)["search_query"] == ["bread", "bread"]


@pytest.mark.parametrize(
    "answer", [text(""), text("word " * 400), calls(call("look"))], ids=["nothing", "an essay", "a call"]
)
def test_what_is_no_query_is_not_searched_for(shelf: Shelf, model: Model, answer: Any):
    model.will(answer)

    assert searched(shelf, "bread", rewrite_query=True)["search_query"] == ["bread"]


def test_a_model_that_is_not_there_keeps_nobody_from_searching(starter: Starter):
    server = starter(RUNSTEAD_REWRITE_MODEL="any", model_url="http://127.0.0.1:9/v1")
    shelf = Shelf.open(Api(server.url))
    assert shelf.ended(shelf.add(b"Bread rises.", b"bread.txt"))["status"] == "completed"

    page = searched(shelf, "bread", rewrite_query=True)

    assert page["search_query"] == ["bread"]
    assert [result["filename"] for result in page["data"]] == ["bread.txt"]


def test_without_a_model_for_it_the_query_is_searched_for_as_it_is(starter: Starter, model: Model):
    shelf = Shelf.open(Api(starter().url))

    assert searched(shelf, QUESTION, rewrite_query=True)["search_query"] == [QUESTION]
