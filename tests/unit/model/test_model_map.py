import pytest

from runstead.model.model_map import served_name
from runstead.settings import BadSetting, load


@pytest.mark.parametrize(
    ("setting", "asked", "served"),
    [
        ("", "gpt-4o", "gpt-4o"),
        ("gpt-4o=qwen3", "gpt-4o", "qwen3"),
        ("gpt-4o=qwen3", "gpt-4", "gpt-4"),
        (" gpt-4o = qwen3 , * = llama3 ,", "gpt-4", "llama3"),
        ("gpt-4o=org/model:7b", "gpt-4o", "org/model:7b"),
    ],
)
def test_names_are_mapped_or_pass_through(setting, asked, served):
    assert served_name(load({"RUNSTEAD_MODEL_MAP": setting}).model_map, asked) == served


@pytest.mark.parametrize("setting", ["gpt-4o", "=a", "a=", "a=b,c"])
def test_a_bad_entry_is_named(setting):
    with pytest.raises(BadSetting, match="RUNSTEAD_MODEL_MAP"):
        load({"RUNSTEAD_MODEL_MAP": setting})
