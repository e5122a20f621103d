from runstead.ports import Ranking
from runstead.search.rank import Found, merge, weigh

A, B, C = (1, 0), (1, 1), (2, 0)


def test_words_add_a_tenth_to_what_vectors_say():
    scored = weigh([Found([(B, 8.0), (C, 4.0)], [(A, 0.7), (B, 0.65)], {C: 0.1})], Ranking())

    assert [one.key for one in scored] == [B, A, C]
    assert [round(one.score, 4) for one in scored] == [
        round((0.65 + 0.1) / 1.1, 4),
        round(0.7 / 1.1, 4),
        round((0.1 + 0.05) / 1.1, 4),
    ]


def test_where_only_one_kind_looks_its_scores_stand_alone():
    assert [one.score for one in weigh([Found([], [(A, 0.7)])], Ranking())] == [0.7]
    assert [one.score for one in weigh([Found([(A, 3.0)], [], share=0.75)], Ranking())] == [0.75]


def test_words_alone_follow_the_strongest_which_is_scored_by_which_of_them_it_says():
    found = Found([(A, 4e-6), (B, 2e-6), (C, 1e-6)], [], share=0.8)

    scored = weigh([found], Ranking())

    assert [(one.key, round(one.score, 3)) for one in scored] == [(A, 0.8), (B, 0.4), (C, 0.2)]
    assert [one.key for one in weigh([found], Ranking(score_threshold=0.3))] == [A, B]


def test_weights_are_those_of_the_client():
    found = [Found([(B, 8.0)], [(A, 0.9), (B, 0.2)])]

    assert [one.key for one in weigh(found, Ranking())] == [A, B]
    assert [one.key for one in weigh(found, Ranking(text_weight=10))] == [B, A]
    assert [one.score for one in weigh(found, Ranking(text_weight=0))] == [0.9, 0.2]


def test_a_chunk_without_vectors_is_hardly_close():
    scored = weigh([Found([(C, 1.0)], [(A, 0.6), (B, 0.4)])], Ranking())

    assert [one.key for one in scored] == [A, C, B]


def test_scores_stay_between_nothing_and_all():
    scored = weigh([Found([], [(A, 1.0000001), (B, -0.3)])], Ranking())

    assert [one.score for one in scored] == [1.0, 0.0]


def test_a_threshold_cuts_off():
    assert [one.key for one in weigh([Found([], [(A, 0.6), (B, 0.4)])], Ranking(score_threshold=0.5))] == [A]


def test_the_best_of_several_queries_counts():
    scored = weigh([Found([], [(A, 0.2), (B, 0.5)]), Found([], [(A, 0.9)])], Ranking())

    assert [(one.key, one.score) for one in scored] == [(A, 0.9), (B, 0.5)]


def test_nothing_found_is_nothing():
    assert weigh([], Ranking()) == []
    assert weigh([Found([], [])], Ranking()) == []
    assert list(merge([])) == []
