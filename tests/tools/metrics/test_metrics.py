"""Metrics and their confidence intervals against numbers computed by hand."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools import metrics
from tools.metrics import (
    Difference,
    accuracies,
    ap,
    auc,
    auc_interval,
    average_precision,
    brier,
    cllr,
    cllr_min,
    drop_unmeasured,
    ece,
    eer,
    grouped_interval,
    holm,
    interval,
    mate_ranks,
    ndcg_at,
    paired_difference,
    precision_at,
    r_precision,
    rank_k,
    recall_at,
    reciprocal_rank,
    reliability,
    roc,
    tar_at_far,
    tpr_at_fpr,
)

pytestmark = pytest.mark.fast

NAN, INF = math.nan, math.inf

# One ranking, hits at 1, 3 and 4, of five that are relevant in all.
RANKING = [True, False, True, True, False, False]

# Real: 0 1 1 3, forged: 1 2 4 5. From the highest score down, a step for each distinct one:
# 5: tpr 1/4, fpr 0   4: 2/4, 0   3: 2/4, 1/4   2: 3/4, 1/4   1: 4/4, 3/4   0: 4/4, 4/4
SCORES = [0, 1, 1, 3, 1, 2, 4, 5]
LABELS = [False] * 4 + [True] * 4


def test_average_precision_by_hand() -> None:
    """Hits at ranks 1 and 3 of 2 relevant: (1/1 + 2/3) / 2."""
    assert average_precision([True, False, True], 2) == pytest.approx((1 + 2 / 3) / 2)


def test_what_was_never_retrieved_counts_as_missed() -> None:
    """The same list with four relevant items in all is worth half as much."""
    assert average_precision([True, False, True], 4) == pytest.approx((1 + 2 / 3) / 4)


def test_recall_and_precision_at_k_by_hand() -> None:
    """Among the first three two of five are found: R@3 = 2/5, P@3 = 2/3."""
    assert recall_at(RANKING, 5, 3) == pytest.approx(2 / 5)
    assert precision_at(RANKING, 5, 3) == pytest.approx(2 / 3)


def test_places_left_empty_count_as_wrong() -> None:
    """Three hits in a list of six are three of ten, P@10 = 0.3; R@10 = 3/5 all the same."""
    assert precision_at(RANKING, 5, 10) == pytest.approx(0.3)
    assert recall_at(RANKING, 5, 10) == pytest.approx(0.6)


def test_r_precision_and_reciprocal_rank_by_hand() -> None:
    """Five are relevant: 3 of the first 5. The first hit at rank 3 gives 1/3; none at all, 0."""
    assert r_precision(RANKING, 5) == pytest.approx(3 / 5)
    assert reciprocal_rank([False, False, True], 1) == pytest.approx(1 / 3)
    assert reciprocal_rank([False], 1) == 0


def test_ndcg_by_hand() -> None:
    """Gains 2 0 1: DCG@3 = 2/log2(2) + 0 + 1/log2(4) = 2.5; best 2 2 1 by any order of all.

    The ideal DCG@3 = 2 + 2/log2(3) + 1/2; at k = 1 both are 2, so the figure is 1.
    """
    ideal = 2 + 2 / math.log2(3) + 0.5
    assert ndcg_at([2, 0, 1], [1, 0, 2, 2], 3) == pytest.approx(2.5 / ideal)
    assert ndcg_at([2, 0, 1], [1, 0, 2, 2], 1) == pytest.approx(1)


def test_nothing_to_find_is_undefined() -> None:
    """Without relevant items every retrieval figure is NaN, not 0 and not 1."""
    nothing = [False, False]
    figures = [
        average_precision(nothing, 0),
        recall_at(nothing, 0, 2),
        precision_at(nothing, 0, 2),
        r_precision(nothing, 0),
        reciprocal_rank(nothing, 0),
        ndcg_at([0, 0], [0, 0, 0], 2),
    ]
    assert all(map(math.isnan, figures))


def test_an_empty_list_missed_everything() -> None:
    """Nothing retrieved of what there was is 0: that is a measurement."""
    figures = [f([], 3) for f in (average_precision, r_precision, reciprocal_rank)]
    figures += [recall_at([], 3, 5), precision_at([], 3, 5), ndcg_at([], [1.0], 5)]
    assert figures == [0] * 6


def test_a_rank_below_one_is_a_mistake() -> None:
    """`k` = 0 is refused, in place of a division by zero."""
    with pytest.raises(ValueError, match="1 or more"):
        precision_at([True], 1, 0)


def test_auc_with_ties_by_hand() -> None:
    """Of 16 pairs the forged one wins 1 + 3 + 4 + 4 = 12 and ties 2, which count half: 13/16.

    1 beats 0 and ties 1, 1; 2 beats 0, 1, 1; 4 and 5 beat all four.
    """
    assert auc(SCORES, LABELS) == pytest.approx(13 / 16)
    curve = roc(SCORES, LABELS)
    assert curve is not None and curve.area == pytest.approx(13 / 16)


def test_average_precision_of_scores_by_hand() -> None:
    """Recall grows by 1/4 at 5 (precision 1), 4 (1), 2 (3/4) and 1 (4/7): (1+1+3/4+4/7)/4."""
    assert ap(SCORES, LABELS) == pytest.approx((1 + 1 + 3 / 4 + 4 / 7) / 4)


def test_equal_error_rate_by_hand() -> None:
    """At threshold 2 a quarter of each kind is wrong.

    With real 0 1 2 and forged 1 3: (fpr, miss) goes from (0, 1/2) at 3 to (1/3, 1/2) at 2 and
    (2/3, 0) at 1. On the last stretch fpr = 1/3 + t/3 and miss = 1/2 − t/2 meet at t = 1/5: 2/5.
    """
    assert eer(SCORES, LABELS) == pytest.approx(1 / 4)
    assert eer([0, 1, 2, 1, 3], [0, 0, 0, 1, 1]) == pytest.approx(2 / 5)


def test_true_positives_at_a_false_positive_rate_by_hand() -> None:
    """No false alarm: 2/4. Up to a quarter: 3/4. Anything in between allows none more."""
    expected = {0.0: 2 / 4, 0.2: 2 / 4, 0.25: 3 / 4, 0.74: 3 / 4, 0.75: 1, 1.0: 1}
    assert {rate: tpr_at_fpr(SCORES, LABELS, rate) for rate in expected} == expected


def test_tied_operating_points_are_points_of_the_curve() -> None:
    """Both scores hold one of each kind: accepting the higher finds half at a half."""
    assert tpr_at_fpr([2, 2, 1, 1], [1, 0, 1, 0], 0.5) == 0.5


def test_the_threshold_of_an_operating_point_reproduces_it() -> None:
    """Scores of at least the threshold: 2 and more, three of four forged, one of four real."""
    curve = roc(SCORES, LABELS)
    assert curve is not None
    assert curve.at(0.25).threshold == 2
    assert (np.array(SCORES[4:]) >= 2).mean() == 3 / 4 == curve.at(0.25).tpr


def test_when_every_threshold_alarms_nothing_is_accepted() -> None:
    """The highest score is real's: without false alarms nothing is found, at threshold ∞."""
    curve = roc([1.0, 2.0], [True, False])
    assert curve is not None
    assert (curve.at(0).tpr, curve.at(0).threshold) == (0, INF)


def test_true_accepts_at_a_false_accept_rate_by_hand() -> None:
    """Of ten impostors one may pass: the threshold is 0.5, and of genuine 0.4 0.6 0.9 two do."""
    impostors = [0.5, *np.linspace(0, 0.3, 9)]
    assert tar_at_far([0.4, 0.6, 0.9, NAN], impostors, 0.1) == pytest.approx(1)
    assert tar_at_far([0.4, 0.6, 0.9, NAN], impostors, 0.09) == pytest.approx(2 / 3)


def test_identification_by_hand() -> None:
    """Query 0: its mate (0.7) is behind one other: rank 2. Query 1: its best mate is first.

    Query 2: its mate ties with another, which counts against us: rank 2. Query 3 has no mate;
    query 4 has one that was not compared. Rank-1: 1 of 3, rank-2: 3 of 3.
    """
    similarity = [[0.9, 0.7, 0.1], [0.8, 0.2, 0.9], [0.5, 0.5, NAN], [1, 1, 1], [0.1, NAN, 0.2]]
    mates = [[0, 1, 0], [0, 1, 1], [1, 0, 0], [0, 0, 0], [0, 1, 0]]
    ranks = mate_ranks(similarity, mates)
    assert ranks == pytest.approx([2, 1, 2, NAN, NAN], nan_ok=True)
    assert (rank_k(ranks, 1), rank_k(ranks, 2)) == pytest.approx((1 / 3, 1))


def test_accuracies_by_hand() -> None:
    """Real 0.1 0.2 0.5 are right (0.5 is not above), 0.9 wrong: 3/4; fake 0.6 right, 0.4 wrong: 1/2.

    The mean of the two is 5/8; of all six samples four are right: 2/3.
    """  # noqa: E501 - one line a fact
    found = accuracies([0.1, 0.2, 0.5, 0.9, 0.6, 0.4, NAN], [0, 0, 0, 0, 1, 1, 1])
    assert (found.real, found.fake, found.average) == (3 / 4, 1 / 2, 5 / 8)
    assert found.accuracy == pytest.approx(2 / 3)


def test_a_kind_that_is_missing_has_no_accuracy() -> None:
    """Only real ones: their share is known, forged and the mean of both are not."""
    found = accuracies([0.1, 0.9], [False, False])
    assert (found.real, found.accuracy) == (0.5, 0.5)
    assert math.isnan(found.fake) and math.isnan(found.average)


def test_bins_and_calibration_error_by_hand() -> None:
    """Two bins: 0.1 0.3 with one of two true, 0.5 0.9 1.0 with two of three true.

    Means 0.2 and 0.8, shares 0.5 and 2/3: ECE = 2/5 · 0.3 + 3/5 · (0.8 − 2/3) = 0.12 + 0.08.
    An edge belongs to the bin above it, 1 to the last.
    """
    predicted, happened = [0.1, 0.3, 0.5, 0.9, 1.0], [0, 1, 0, 1, 1]
    low, high = reliability(predicted, happened, 2)
    assert (low.count, low.probability, low.share) == (2, pytest.approx(0.2), 0.5)
    assert (high.count, high.probability) == (3, pytest.approx(0.8))
    assert (high.low, high.high, high.share) == (0.5, 1, pytest.approx(2 / 3))
    assert ece(predicted, happened, 2) == pytest.approx(0.2)


def test_empty_bins_have_counts_but_no_shares() -> None:
    """Fifteen bins for one prediction: fourteen are empty, NaN without a warning."""
    found = reliability([0.5], [True])
    assert [part.count for part in found] == [0] * 7 + [1] + [0] * 7
    assert sum(math.isnan(part.share) for part in found) == 14


def test_what_is_no_probability_is_refused() -> None:
    """A logit among probabilities is a mistake of the caller."""
    with pytest.raises(ValueError, match="probabilities"):
        ece([0.5, 1.7], [True, False])


def test_brier_by_hand() -> None:
    """(0.9 − 1)² = 0.01 and (0.4 − 0)² = 0.16, a mean of 0.085; one kind alone is defined too."""
    assert brier([0.9, 0.4, NAN], [True, False, True]) == pytest.approx(0.085)
    assert brier([0.9], [True]) == pytest.approx(0.01)
    assert brier([0.9], [False]) == pytest.approx(0.81)


def test_cllr_by_hand() -> None:
    """LR 3 for same: log2(1 + 1/3); LR 1 and 1/7 for different: (1 + log2(8/7)) / 2; halved."""
    expected = (math.log2(4 / 3) + (1 + math.log2(8 / 7)) / 2) / 2
    assert cllr([math.log(3)], [0, -math.log(7)]) == pytest.approx(expected)


def test_cllr_of_nothing_known_certainty_and_error() -> None:
    """LR 1 always: 1 bit. Certain and right: 0. Certain and wrong once: infinite."""
    assert cllr([0, 0], [0]) == pytest.approx(1)
    assert cllr([INF], [-INF]) == 0
    assert cllr([-INF], [-INF]) == INF


def test_cllr_min_by_hand() -> None:
    """Same 1 3, different 0 2. Pooling what is out of order: 0 | 1 and 2 | 3, shares 0, 1/2, 1.

    As many of each: LR 0, 1, ∞. Same: log2(1 + 1/1) = 1 and 0; different: 0 and log2(1 + 1) = 1.
    Cllr_min = ½ (½ + ½) = ½, however far off the scores were as ratios.
    """
    assert cllr_min([1, 3], [0, 2]) == pytest.approx(0.5)
    assert cllr_min([100, 300], [0, 200]) == pytest.approx(0.5)


def test_cllr_min_of_order_and_of_ties() -> None:
    """In order: 0, even at infinity. All alike, one to two: posterior 1/3 is LR 1, hence 1 bit."""
    assert cllr_min([5, INF], [-INF, 4]) == 0
    assert cllr_min([7], [7, 7]) == pytest.approx(1)


TWO_KINDS: dict[str, Callable[[list[float], list[bool]], float]] = {
    "auc": auc,
    "ap": ap,
    "eer": eer,
    "tpr_at_fpr": lambda scores, labels: tpr_at_fpr(scores, labels, 0.1),
    "tar_at_far": lambda scores, labels: tar_at_far(
        [s for s, same in zip(scores, labels, strict=True) if same],
        [s for s, same in zip(scores, labels, strict=True) if not same],
        0.1,
    ),
    "cllr": lambda scores, labels: cllr(
        [s for s, same in zip(scores, labels, strict=True) if same],
        [s for s, same in zip(scores, labels, strict=True) if not same],
    ),
    "cllr_min": lambda scores, labels: cllr_min(
        [s for s, same in zip(scores, labels, strict=True) if same],
        [s for s, same in zip(scores, labels, strict=True) if not same],
    ),
}


@pytest.mark.parametrize("figure", TWO_KINDS.values(), ids=TWO_KINDS.keys())
def test_one_kind_alone_is_undefined(figure: Callable[[list[float], list[bool]], float]) -> None:
    """Nothing, one kind, or a second kind without scores: NaN, without a warning."""
    assert math.isnan(figure([], []))
    assert math.isnan(figure([0.2, 0.3], [True, True]))
    assert math.isnan(figure([0.2, 0.3], [False, False]))
    assert math.isnan(figure([0.2, NAN], [False, True]))


@pytest.mark.parametrize("figure", TWO_KINDS.values(), ids=TWO_KINDS.keys())
def test_rows_without_a_score_do_not_count(
    figure: Callable[[list[float], list[bool]], float],
) -> None:
    """A figure is that of the rows which have scores."""
    scores, labels = [0.1, 0.7, 0.4, 0.9, 0.6], [False, False, True, True, False]
    gaps = [0.1, NAN, 0.7, 0.4, NAN, 0.9, 0.6], [False, False, False, True, True, True, False]
    assert figure(*gaps) == figure(scores, labels)


def test_rows_without_a_score_are_counted() -> None:
    """`drop_unmeasured` says how many rows it left out; rows of unequal lists are a mistake."""
    found = drop_unmeasured([1.0, NAN, -INF], [True, False, False])
    assert (found.dropped, found.kinds) == (1, 2)
    assert found.scores.tolist() == [1.0, -INF] and found.labels.tolist() == [True, False]
    with pytest.raises(ValueError, match="one list"):
        drop_unmeasured([1.0], [True, False])


def test_what_was_never_measured_has_no_calibration() -> None:
    """ECE, Brier score, mean and rank of nothing are NaN."""
    figures = [ece([], []), brier([NAN], [True]), metrics.mean([NAN]), rank_k([NAN], 1)]
    assert all(map(math.isnan, figures))


def test_infinite_scores_rank_first_and_last() -> None:
    """A probability of exactly 1 has an infinite logit: it is the highest score, not a fault."""
    scores, labels = [-INF, 0.0, 1.0, INF], [False, True, False, True]
    assert (auc(scores, labels), tpr_at_fpr(scores, labels, 0)) == (0.75, 0.5)
    assert ap(scores, labels) == pytest.approx((1 + 2 / 3) / 2)


rows = st.lists(
    st.tuples(st.integers(-5, 5) | st.sampled_from([NAN, INF, -INF]), st.booleans()), max_size=30
)


@given(rows)
@settings(max_examples=60, deadline=None)
def test_auc_of_turned_scores_is_the_rest(listed: list[tuple[float, bool]]) -> None:
    """Turning all scores round turns the AUC round; a curve's area is the same number."""
    scores, labels = [score for score, _ in listed], [label for _, label in listed]
    value, curve = auc(scores, labels), roc(np.array(scores, float), labels)
    assert value + auc([-score for score in scores], labels) == pytest.approx(1, nan_ok=True) or (
        math.isnan(value)
    )
    assert (curve is None) == math.isnan(value)
    if curve is not None:
        assert curve.area == pytest.approx(value)
        assert 0 <= curve.eer <= 1
        found = [curve.at(rate).tpr for rate in (0, 0.1, 0.5, 1)]
        assert found == sorted(found) and found[-1] == 1


@given(
    st.lists(st.floats(-20, 20), min_size=1, max_size=20),
    st.lists(st.floats(-20, 20), min_size=1, max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_recalibration_never_hurts(same: list[float], different: list[float]) -> None:
    """0 ≤ Cllr_min ≤ Cllr, Cllr_min ≤ 1, and a monotone change of the scores leaves it alone."""
    least = cllr_min(same, different)
    assert -1e-9 <= least <= min(1, cllr(same, different)) + 1e-9
    stretched = [[3 * value + 1 for value in values] for values in (same, different)]
    if len({3 * value + 1 for value in same + different}) == len(set(same + different)):
        assert cllr_min(*stretched) == pytest.approx(least)


@given(st.lists(st.booleans(), max_size=20), st.integers(0, 5), st.integers(1, 25))
@settings(max_examples=60, deadline=None)
def test_retrieval_figures_are_shares(relevant: list[bool], missed: int, k: int) -> None:
    """All lie in [0, 1], or are NaN when there is nothing to find."""
    total = sum(relevant) + missed
    gains = [float(flag) for flag in relevant]
    found = [
        average_precision(relevant, total),
        recall_at(relevant, total, k),
        precision_at(relevant, total, k),
        r_precision(relevant, total),
        reciprocal_rank(relevant, total),
        ndcg_at(gains, gains + [1.0] * missed, k),
    ]
    assert [math.isnan(value) for value in found] == [total == 0] * 6
    assert total == 0 or all(0 <= value <= 1 + 1e-9 for value in found)


def test_the_interval_covers_the_mean_and_narrows_with_more_persons() -> None:
    """More values, a narrower interval around the same mean."""
    few, many = interval([0.0, 1.0] * 5), interval([0.0, 1.0] * 500)
    assert few[0] < many[0] < 0.5 < many[1] < few[1]


def test_one_value_has_no_interval() -> None:
    """An interval of a single value or group is not measured."""
    assert all(math.isnan(edge) for edge in interval([1.0]))
    assert all(math.isnan(edge) for edge in grouped_interval(metrics.mean, ["a", "a"], [1.0, 2.0]))
    assert all(math.isnan(edge) for edge in auc_interval([1, 2], [True, False], ["a", "a"]))
    assert all(math.isnan(edge) for edge in auc_interval([], [], []))


def test_a_grouped_interval_holds_the_known_value() -> None:
    """Two hundred persons with means around 3: the interval holds 3 and is about ±2·0.5/√200."""
    rng = np.random.default_rng(1)
    values, persons = rng.normal(3, 0.5, 200), np.arange(200)
    low, high = grouped_interval(metrics.mean, persons, values, rounds=500)
    assert low < 3 < high
    assert high - low == pytest.approx(4 * 0.5 / math.sqrt(200), rel=0.15)


def test_images_of_one_person_do_not_pose_as_independent() -> None:
    """Each of 20 persons twenty times over: as wide as with one image each, √20 times too narrow

    were images resampled.
    """
    person = np.random.default_rng(0).normal(size=20)
    values, persons = np.repeat(person, 20), np.repeat(np.arange(20), 20)
    of_persons = grouped_interval(metrics.mean, persons, values)
    of_images = grouped_interval(metrics.mean, np.arange(400), values)
    once = grouped_interval(metrics.mean, np.arange(20), person)
    assert of_persons == pytest.approx(once)
    ratio = (of_persons[1] - of_persons[0]) / (of_images[1] - of_images[0])
    assert ratio == pytest.approx(math.sqrt(20), rel=0.15)


def some_scores() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with ties and gaps, labels, and the names of 30 persons."""
    rng = np.random.default_rng(0)
    labels = rng.random(240) < 0.4
    scores = np.round(rng.normal(size=240) + labels, 1)
    scores[::17] = NAN
    return scores, labels, np.array([f"person {number}" for number in rng.integers(0, 30, 240)])


def test_the_fast_interval_of_an_auc_is_the_general_one() -> None:
    """Sorting once gives the very figures that sorting in every round gives."""
    scores, labels, persons = some_scores()
    fast = auc_interval(scores, labels, persons, rounds=100, seed=3)
    slow = grouped_interval(auc, persons, scores, labels, rounds=100, seed=3)
    assert fast == pytest.approx(slow)
    assert fast[0] < auc(scores, labels) < fast[1]


def test_a_system_does_not_differ_from_itself() -> None:
    """The same scores twice: the difference is exactly 0, always, and p is 1."""
    scores, labels, persons = some_scores()
    one = (scores, labels)
    assert paired_difference(auc, persons, one, one, rounds=50) == Difference(0, 0, 0, 1)


def test_a_better_system_is_told_apart_and_by_pairs() -> None:
    """Scores that are better by a constant for every person: no draw says otherwise, p = 1/rounds.

    Means 0.2 apart with noise that both share: unpaired the intervals would overlap.
    """
    person = np.random.default_rng(0).normal(size=25)
    found = paired_difference(
        metrics.mean, np.arange(25), [person + 0.2], [person], rounds=100
    )  # fmt: skip
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.2, 0.2))
    assert found.p == 1 / 100
    assert interval(list(person + 0.2))[0] < interval(list(person))[1]


def test_turning_the_systems_round_turns_the_difference_round() -> None:
    """A − B = −(B − A), with the same p: the test has two sides."""
    scores, labels, persons = some_scores()
    other = scores + np.random.default_rng(5).normal(size=240)
    one = paired_difference(auc, persons, (scores, labels), (other, labels), rounds=80)
    back = paired_difference(auc, persons, (other, labels), (scores, labels), rounds=80)
    assert (one.value, one.low, one.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert one.p == back.p


def test_a_comparison_without_figures_is_undefined() -> None:
    """One kind only, or one group only: no difference, no interval or no p."""
    labels = [True, True, True]
    found = paired_difference(auc, list("abc"), ([1, 2, 3], labels), ([1, 2, 3], labels), rounds=5)
    assert all(map(math.isnan, (found.value, found.low, found.high, found.p)))
    single = paired_difference(metrics.mean, ["a"], [[2.0]], [[1.0]])
    assert single.value == 1 and math.isnan(single.p)


def test_the_p_value_by_hand() -> None:
    """Two persons with differences −1 and +3; drawn twice: sums −2, 2, 2, 6, one in four not above 0.

    p = 2 · ¼ = ½, up to the luck of the draws.
    """  # noqa: E501 - one line a fact
    found = paired_difference(metrics.mean, ["a", "b"], [[-1.0, 3.0]], [[0.0, 0.0]], rounds=4000)
    assert found.value == 1
    assert found.p == pytest.approx(0.5, abs=0.05)


def test_several_comparisons_by_hand() -> None:
    """Sorted 0.01 0.03 0.04 times 3, 2, 1: 0.03, 0.06, and 0.04 raised to 0.06; NaN is no test."""
    assert holm([0.01, 0.04, NAN, 0.03]) == pytest.approx([0.03, 0.06, NAN, 0.06], nan_ok=True)
    assert holm([0.7, 0.9]) == [1, 1]
    assert holm([]) == []
