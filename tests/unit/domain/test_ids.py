from hypothesis import given
from hypothesis import strategies as st

from runstead.domain import ids


@given(st.binary(min_size=ids.ENTROPY_BYTES, max_size=ids.ENTROPY_BYTES))
def test_an_id_is_its_prefix_and_24_letters_and_digits(entropy):
    id = ids.spell("run_", entropy)
    assert id.startswith("run_")
    assert len(id) == 28
    assert set(id[4:]) <= set(ids.ALPHABET)


def test_a_new_id_has_a_letter_for_each_byte_drawn():
    assert ids.ENTROPY_BYTES == 24


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_a_derived_id_follows_from_its_names_alone(names, others):
    assert ids.derive("step_", *names) == ids.derive("step_", *names)
    clean = [[name.replace("\x1f", "") for name in some] for some in (names, others)]
    if clean[0] != clean[1] and "\x1f".join(clean[0]) != "\x1f".join(clean[1]):
        assert ids.derive("step_", *clean[0]) != ids.derive("step_", *clean[1])


def test_places_next_to_each_other_have_different_ids():
    places = {ids.derive("step_", "run_1", epoch, call) for epoch in range(1, 20) for call in range(1, 20)}
    assert len(places) == 19 * 19
