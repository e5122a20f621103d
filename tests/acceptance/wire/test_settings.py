"""What the environment says: each bad value is named with what would do, before anything is served."""

import re

import pytest

from tests.acceptance.processes import DidNotStart
from tests.acceptance.wire.talk import Api

# One of each kind: the rest of the table needs no process to be tested.
BAD = {
    ("RUNSTEAD_DATABASE_URL", "mysql://localhost/x"): "sqlite:///path/to/file.db or postgresql://",
    ("RUNSTEAD_NATS_URL", "http://localhost:4222"): "nats://127.0.0.1:4222",
    ("RUNSTEAD_NATS_URL", "nats://localhost:4222"): "RUNSTEAD_DATABASE_URL=postgresql://",
    ("RUNSTEAD_DATABASE_URL", "sqlite:///."): "the path of the file is missing",
    ("RUNSTEAD_DATABASE_URL", "postgresql://u@127.0.0.1:99999/x"): "its port is none",
    ("RUNSTEAD_DATA_DIR", "~nobody-of-that-name/x"): "no such user's home",
    ("RUNSTEAD_NATS_URL", " , "): "holds no address",
    ("RUNSTEAD_MODEL_URL", "localhost:11434/v1"): "a base URL such as http://127.0.0.1:11434/v1 is needed",
    ("RUNSTEAD_MODEL_MAP", "gpt-4o"): "is not a pair like gpt-4o=qwen3",
    ("RUNSTEAD_API_KEYS", "schlüssel"): "visible ASCII characters",
    ("RUNSTEAD_RUN_EXPIRES_AFTER", "10m"): "a whole number from 1",
    ("RUNSTEAD_DRAIN_FOR", "soon"): "a number of seconds from 0",
    ("RUNSTEAD_MAX_BODY", "32MB"): "a whole number from 1024",
}


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_value_that_cannot_be_used_is_named_with_what_would_do(starter, name, value):
    with pytest.raises(DidNotStart) as refusal:
        starter(**{name: value})

    assert f"Error: {name}=" in str(refusal.value)
    assert BAD[name, value] in str(refusal.value)
    assert "Traceback" not in str(refusal.value)


def test_a_key_that_cannot_be_used_is_not_shown(starter):
    with pytest.raises(DidNotStart) as refusal:
        starter(RUNSTEAD_API_KEYS="sécret")

    assert "cret" not in str(refusal.value)


def test_an_empty_value_is_the_default(starter):
    server = starter(RUNSTEAD_API_KEYS="", RUNSTEAD_RUN_EXPIRES_AFTER="", RUNSTEAD_LOG_LEVEL=" ")

    assert Api(server.url).send("GET", "/assistants").status == 200


def test_a_variable_that_looks_misspelt_is_warned_of(starter):
    server = starter(RUNSTEAD_MODELURL="http://localhost")

    assert re.search(r"warning: RUNSTEAD_MODELURL is not a setting of Runstead and was ignored\.", server.log)
    assert Api(server.url).send("GET", "/assistants").status == 200


def test_settings_of_others_are_not_warned_of(starter):
    assert "is not a setting" not in starter(OPENAI_API_KEY="sk", RUNSTEAD_LOG_LEVEL="INFO").log
