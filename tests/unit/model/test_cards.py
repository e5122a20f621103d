import pytest

from runstead.model.cards import read_cards


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"data":[{"id":"a","created":5,"owned_by":"x"}]}', [("a", 5, "x", None)]),
        (b'{"data":[{"id":"a","max_model_len":4096}]}', [("a", 0, "unknown", 4096)]),
        (b'{"data":[{"id":"a","context_length":8192,"created":1.7e9}]}', [("a", 1_700_000_000, "unknown", 8192)]),
        (b'{"data":[{"id":"a","meta":{"n_ctx":512,"n_ctx_train":8192}}]}', [("a", 0, "unknown", 512)]),
        (b'{"models":[{"name":"a"}]}', [("a", 0, "unknown", None)]),
        (b'["a", {"no": "id"}, 7]', [("a", 0, "unknown", None)]),
        (b'{"data":[{"id":"a","created":"1970-01-01T00:00:07+00:00"}]}', [("a", 7, "unknown", None)]),
        (b'{"data":[{"id":"a","created":"soon","max_model_len":"many"}]}', [("a", 0, "unknown", None)]),
        (b'{"data":[{"id":"a","created":99999999999}]}', [("a", 0, "unknown", None)]),
        (b'{"data":null}', []),
    ],
)
def test_a_list_of_models_is_read_whatever_its_shape(body, expected):
    cards = read_cards(body)

    assert cards is not None
    assert [(card.model.id, card.model.created, card.model.owned_by, card.window) for card in cards] == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"7", b'{"data":7}', b"[" * 100_000])
def test_what_is_no_list_is_said_to_be_none(body):
    assert read_cards(body) is None
