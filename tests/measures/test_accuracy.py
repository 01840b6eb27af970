"""Counts, intervals and verdicts against values worked out by hand or by another library."""

import math

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import accuracy_score, log_loss, top_k_accuracy_score

from edgebench.measures import accuracy as drift
from edgebench.records import LOGITS, PROBABILITIES, SCORES

GENERATOR = np.random.default_rng(0)
LOGIT_VALUES = GENERATOR.normal(size=(200, 10)).astype(np.float32)
PROBABILITY_VALUES = softmax(LOGIT_VALUES.astype(np.float64), axis=1).astype(np.float32)
LABELS = GENERATOR.integers(0, 10, 200)


def test_sqnr_is_the_ratio_of_powers():
    reference = np.array([[3.0, 4.0]], np.float32)
    assert drift.sqnr_db(reference + np.array([[0.05, 0.0]], np.float32), reference) == pytest.approx(40, abs=1e-4)
    assert drift.sqnr_db(reference, reference) == math.inf
    with pytest.raises(ValueError, match="zero everywhere"):
        drift.sqnr_db(reference, reference * 0)


def test_kinds_are_told_apart_by_their_values():
    assert drift.output_kind(LOGIT_VALUES) == LOGITS
    assert drift.output_kind(PROBABILITY_VALUES) == PROBABILITIES
    assert drift.output_kind(np.array([[0.9, 0.8]], np.float32)) == SCORES


def test_rates_agree_with_scikit_learn():
    counts = drift.score(LOGIT_VALUES, LABELS, None, LOGITS)
    summary = drift.summary(counts)
    assert summary.top1 == accuracy_score(LABELS, LOGIT_VALUES.argmax(1))
    assert summary.top5 == top_k_accuracy_score(LABELS, LOGIT_VALUES, k=5)
    assert summary.loss == pytest.approx(
        log_loss(LABELS, softmax(LOGIT_VALUES.astype(np.float64), 1), labels=range(10)), rel=1e-5
    )
    assert drift.score(PROBABILITY_VALUES, LABELS, None, PROBABILITIES).loss == pytest.approx(summary.loss, rel=1e-5)
    assert summary.top1_drop is None and summary.agreement is None and summary.verdict == ""


def test_top5_of_three_classes_is_not_a_number():
    assert drift.score(LOGIT_VALUES[:, :3], LABELS % 3, None, LOGITS).top5_correct is None


def test_the_paired_table_and_the_drop():
    reference = np.eye(4, dtype=np.float32)[[0, 1, 2, 3]]
    outputs = np.eye(4, dtype=np.float32)[[0, 1, 3, 0]]
    counts = drift.score(outputs, np.array([0, 2, 2, 0]), reference, PROBABILITIES)
    assert (counts.both_correct, counts.only_reference_correct) == (1, 1)
    assert (counts.only_artifact_correct, counts.neither_correct) == (1, 1)
    assert counts.agree == 2
    assert drift.summary(counts).top1_drop == 0


def test_an_equal_output_is_exact_and_has_no_infinite_number():
    counts = drift.score(LOGIT_VALUES, LABELS, LOGIT_VALUES, LOGITS)
    assert counts.exact and counts.sqnr_db is None and counts.agree == 200


def test_the_interval_covers_as_often_as_it_says():
    generator = np.random.default_rng(1)
    lost_rate, won_rate, n = 0.04, 0.02, 400
    draws = generator.multinomial(n, [lost_rate, won_rate, 1 - lost_rate - won_rate], size=2000)
    intervals = [drift.paired_interval(lost, won, n) for lost, won, _ in draws]
    covered = np.mean([low <= lost_rate - won_rate <= high for low, high in intervals])
    assert 0.94 <= covered <= 0.975


@pytest.mark.parametrize(
    ("lost", "won", "n", "verdict"),
    [
        (40, 5, 1000, "real drop"),
        (5, 40, 1000, "real gain"),
        (3, 3, 5000, "no drop above 1%"),
        (1, 0, 50, "undecided: 50 images leave room for a drop of"),
    ],
)
def test_verdicts(lost, won, n, verdict):
    low, high = drift.paired_interval(lost, won, n)
    assert drift._verdict(low, high, n).startswith(verdict)
