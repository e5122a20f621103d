import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from runstead.search.matrix_cache import MatrixCache
from runstead.search.vector_matrix import VectorMatrix

FILES = st.lists(st.lists(st.integers(1, 4), max_size=5), max_size=8)


def rows(random, count):
    made = random.normal(size=(count, 3)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@settings(max_examples=100, deadline=None)
@given(FILES, st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7)) | st.none(), st.integers(1, 6))
def test_the_closest_chunks_are_found_among_those_that_are_allowed(files, gone, allowed, depth):
    random = np.random.default_rng(1)
    matrix = VectorMatrix(3)
    query = rows(random, 1)[0]
    expected = {}
    for file, chunks in enumerate(files):
        positions = np.repeat(np.arange(len(chunks)), chunks).astype(np.int32)
        vectors = rows(random, len(positions))
        if len(positions):
            matrix.append(file, positions, vectors)
        for position in range(len(chunks)):
            if file not in gone and (allowed is None or file in allowed):
                expected[file, position] = float((vectors[positions == position] @ query).max())
    matrix.files -= gone

    compared = matrix.compare(query)
    found = compared.top(allowed, depth)

    best = sorted(expected.items(), key=lambda pair: -pair[1])[:depth]
    assert [key for key, _ in found] == [key for key, _ in best]
    assert np.allclose([cosine for _, cosine in found], [cosine for _, cosine in best], atol=1e-6)
    cosines = compared.cosines([*expected, (99, 0), (0, 99)])
    assert cosines.keys() == expected.keys()
    assert all(abs(cosines[key] - expected[key]) < 1e-6 for key in expected)


def test_a_file_may_come_in_parts():
    matrix = VectorMatrix(3)
    east, north = np.eye(3, dtype=np.float32)[:2]
    matrix.append(7, np.array([0, 1], np.int32), np.stack([north, north]))
    matrix.append(7, np.array([1, 2], np.int32), np.stack([east, north]))

    assert matrix.compare(east).top(None, 1) == [((7, 1), 1.0)]
    assert len(matrix.compare(east).top(None, 9)) == 3


def test_a_matrix_tells_when_most_of_it_is_gone():
    matrix = VectorMatrix(3)
    for file in range(4):
        matrix.append(file, np.zeros(1, np.int32), np.ones((1, 3), np.float32))
    matrix.files -= {0, 1}
    assert not matrix.is_mostly_gone
    matrix.files -= {2}
    assert matrix.is_mostly_gone


def test_a_cache_keeps_within_its_limit_and_drops_the_one_not_used_for_longest():
    one = VectorMatrix(3, 1000)
    cache = MatrixCache(int(2.5 * one.nbytes))
    assert cache.has_room(one.nbytes)
    assert not cache.has_room(3 * one.nbytes)

    for store in (1, 2):
        cache.keep((store, "m", 3), VectorMatrix(3, 1000))
    cache.find((1, "m", 3))
    cache.keep((3, "m", 3), VectorMatrix(3, 1000))

    assert cache.nbytes == 2 * one.nbytes
    assert [cache.find((store, "m", 3)) is not None for store in (1, 2, 3)] == [True, False, True]
    cache.forget_store(1)
    assert cache.find((1, "m", 3)) is None
