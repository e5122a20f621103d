import pytest

from runstead.search import weights


@pytest.mark.parametrize("has_runtime", [False, True])
def test_without_a_model_it_is_said_what_is_lost_and_what_to_do(monkeypatch, tmp_path, has_runtime):
    monkeypatch.setattr(weights, "find_spec", lambda _: object() if has_runtime else None)

    missing = weights.what_is_missing(tmp_path)

    assert missing is not None
    assert "words alone" in missing
    assert "runstead model prepare" in missing
    assert "RUNSTEAD_EMBEDDINGS_URL" in missing
    assert ("pip install" in missing) is not has_runtime
