"""Sets of labels: every figure against scikit-learn on random arrays, with and without ties, to 1e-12."""

import math
import warnings

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn import metrics

from edgebench.measures import outputs as raw
from edgebench.measures.label_sets import average_precision, given, mean_average_precision, score_sets
from edgebench.measures.per_class import class_averages, class_figures, class_losses
from edgebench.measures.summary import summary
from edgebench.records import LABEL_LOGITS, SCORES

EXACT = 1e-12
GENERATOR = np.random.default_rng(1)
LABELS = GENERATOR.random((300, 6)) < [0.5, 0.3, 0.2, 0.1, 0.4, 0.0]  # no image carries the last
SCORE_VALUES = GENERATOR.random((300, 6)).astype(np.float32) * 0.7 + 0.3 * LABELS
SCORE_VALUES[:, 5] *= 0.4  # and nothing gives it
TIED = (np.rint(SCORE_VALUES * 8) / 8).astype(np.float32)  # many are just a half
REFERENCE = np.clip(SCORE_VALUES + GENERATOR.normal(scale=0.1, size=(300, 6)), 0, 1).astype(np.float32)


@pytest.fixture(params=["scores", "tied", "logits"])
def case(request):
    """Outputs and their kind; the logits are those of the scores."""
    if request.param == "logits":
        return logit(SCORE_VALUES.astype(np.float64).clip(1e-6, 1 - 1e-6)).astype(np.float32), LABEL_LOGITS
    return (SCORE_VALUES if request.param == "scores" else TIED).astype(np.float32), SCORES


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    """Several pieces of uneven size, so that their sums are tested as well."""
    monkeypatch.setattr(raw, "CHUNK_ELEMENTS", 770)


def test_against_labels_as_scikit_learn_has_it(case):
    values, kind = case
    counts = score_sets(values, LABELS, None, kind)
    chosen = (expit(values.astype(np.float64)) if kind == LABEL_LOGITS else values) > 0.5
    found, averages, shares = summary(counts), class_averages(counts.classes), class_figures(counts.classes)
    assert (given(values, kind) == chosen).all()
    assert found.subset_accuracy == pytest.approx(metrics.accuracy_score(LABELS, chosen), abs=EXACT)
    assert found.f1_micro == pytest.approx(metrics.f1_score(LABELS, chosen, average="micro"), abs=EXACT)
    occur = list(range(5))  # a label that is neither carried nor given has no share in an average
    for average in ("macro", "weighted"):
        expected = metrics.precision_recall_fscore_support(
            LABELS, chosen, average=average, labels=occur, zero_division=0
        )
        for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
            assert getattr(averages, f"{name}_{average}") == pytest.approx(value, abs=EXACT)
    each = metrics.precision_recall_fscore_support(LABELS, chosen, average=None, zero_division=0)
    for own, other in zip((shares.precision, shares.recall, shares.f1), each, strict=False):
        assert own == pytest.approx(other, abs=EXACT)
    expected = metrics.average_precision_score(LABELS[:, :5], values[:, :5], average="macro")
    assert found.average_precision == pytest.approx(expected, abs=EXACT)
    for at in occur:
        expected = metrics.average_precision_score(LABELS[:, at], values[:, at])
        assert average_precision(values[:, at], LABELS[:, at]) == pytest.approx(expected, abs=EXACT)


def test_there_is_no_top1_no_loss_and_no_divergence(case):
    values, kind = case
    counts = score_sets(values, LABELS, values[::-1], kind)
    found = summary(counts)
    for nothing in (found.top1, found.top5, found.loss, found.brier, found.calibration_error, found.top1_drop):
        assert nothing is None
    assert (found.top1_reference, found.top1_drop_low, found.kl, found.confidence_change) == (None,) * 4
    assert counts.multi_label and counts.independent and counts.top1_correct is None


def test_against_the_reference():
    counts = score_sets(SCORE_VALUES, LABELS, REFERENCE, SCORES)
    mine, theirs = SCORE_VALUES > 0.5, REFERENCE > 0.5
    right, their_right = (mine == LABELS).all(1), (theirs == LABELS).all(1)
    found = summary(counts)
    assert counts.agree == (mine == theirs).all(1).sum()
    assert found.subset_reference == pytest.approx(their_right.mean(), abs=EXACT)
    assert found.subset_drop == pytest.approx(their_right.mean() - right.mean(), abs=EXACT)
    assert found.subset_drop_low < found.subset_drop < found.subset_drop_high and found.verdict.word
    assert counts.other_wrong == (~right & ~their_right & (mine != theirs).any(1)).sum() > 0
    assert (raw.unpack(counts.right, 300) == right).all()
    assert (raw.unpack(counts.reference_right, 300) == their_right).all()
    wide, own = REFERENCE.astype(np.float64), SCORE_VALUES.astype(np.float64)
    assert counts.sqnr_db == pytest.approx(10 * math.log10((wide**2).sum() / ((wide - own) ** 2).sum()), abs=1e-10)
    cosines = (wide * own).sum(1) / np.linalg.norm(wide, axis=1) / np.linalg.norm(own, axis=1)
    assert counts.cosine == pytest.approx(cosines.mean(), abs=EXACT)
    lost = {loss.index: loss for loss in class_losses(counts.classes)}
    assert sorted(lost) == [0, 1, 2, 3, 4]
    recalls = [metrics.recall_score(LABELS[:, 1], bits[:, 1]) for bits in (theirs, mine)]
    assert lost[1].drop == pytest.approx(recalls[0] - recalls[1], abs=EXACT)


def test_equal_outputs_are_exact_and_images_without_labels_keep_the_agreement():
    counts = score_sets(SCORE_VALUES, None, SCORE_VALUES, SCORES)
    assert counts.exact and counts.sqnr_db is None and counts.agree == 300
    assert (counts.right, counts.classes, counts.average_precision) == ("", None, None)
    assert score_sets(SCORE_VALUES, LABELS, None, SCORES, per_class=False).classes is None


def test_labels_that_nobody_carries():
    nobody = np.zeros((4, 2), bool)
    values = np.full((4, 2), 0.25, np.float32)
    assert mean_average_precision(values, nobody) is None
    found = summary(score_sets(values, nobody, None, SCORES))
    assert (found.subset_accuracy, found.f1_micro) == (1.0, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score_sets(values, ~nobody, None, SCORES).average_precision == 1.0
