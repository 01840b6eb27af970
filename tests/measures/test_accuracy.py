"""Every figure against scikit-learn or SciPy on random arrays, with and without ties, to 1e-12."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import cosine
from scipy.special import softmax
from scipy.stats import entropy
from sklearn import metrics
from sklearn.calibration import calibration_curve

from edgebench.measures import accuracy as drift
from edgebench.measures import outputs as raw
from edgebench.measures.per_class import class_averages, class_figures, confusion_matrix
from edgebench.measures.summary import summary
from edgebench.records import LOGITS, PROBABILITIES, SCORES

EXACT = 1e-12
GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(0, 9, 400)  # the tenth class has no image
LOGIT_VALUES = GENERATOR.normal(size=(400, 10)).astype(np.float32)
PROBABILITY_VALUES = softmax(LOGIT_VALUES.astype(np.float64), axis=1).astype(np.float32)
TIED_LOGITS = np.rint(LOGIT_VALUES * 2).astype(np.float32)
TIED_PROBABILITIES = (np.rint(PROBABILITY_VALUES * 32) / 32).astype(np.float32)
TIED_PROBABILITIES[:, 0] += 1 - TIED_PROBABILITIES.sum(1)
CASES = {
    "logits": (LOGIT_VALUES, LOGITS),
    "probabilities": (PROBABILITY_VALUES, PROBABILITIES),
    "tied logits": (TIED_LOGITS, LOGITS),
    "tied probabilities": (np.maximum(TIED_PROBABILITIES, 0), PROBABILITIES),
}


@pytest.fixture(params=CASES)
def case(request):
    """Outputs, their kind, and the same as probabilities by SciPy."""
    values, kind = CASES[request.param]
    wide = values.astype(np.float64)
    return values, kind, softmax(wide, axis=1) if kind == LOGITS else wide / wide.sum(1, keepdims=True)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    """Several pieces of uneven size, so that their sums are tested as well."""
    monkeypatch.setattr(raw, "CHUNK_ELEMENTS", 770)


def test_against_labels_as_scikit_learn_has_it(case):
    values, kind, shares = case
    counts = drift.score(values, LABELS, None, kind)
    found, chosen = summary(counts), values.argmax(1)
    reversed_top5 = metrics.top_k_accuracy_score(9 - LABELS, values[:, ::-1], k=5, labels=range(10))
    assert found.top1 == metrics.accuracy_score(LABELS, chosen)
    assert found.top5 == pytest.approx(reversed_top5, abs=EXACT)  # scikit-learn gives a tie to the higher index
    clipped = np.clip(shares, raw.CLIP, 1 - raw.CLIP) if kind == PROBABILITIES else shares
    assert found.loss == pytest.approx(-np.log(clipped[np.arange(400), LABELS]).mean(), abs=EXACT)
    if values is LOGIT_VALUES:
        assert found.loss == pytest.approx(metrics.log_loss(LABELS, shares, labels=range(10)), abs=EXACT)
    brier = metrics.brier_score_loss(LABELS, shares, labels=range(10), scale_by_half=False)
    assert found.brier == pytest.approx(brier, abs=EXACT)
    assert found.classes is not None
    for average in ("macro", "weighted"):
        expected = metrics.precision_recall_fscore_support(LABELS, chosen, average=average, zero_division=0)
        for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
            assert getattr(found.classes, f"{name}_{average}") == pytest.approx(value, abs=EXACT)


def test_per_class_as_scikit_learn_has_it(case):
    values, kind, _ = case
    counts = drift.score(values, LABELS, None, kind).classes
    chosen = values.argmax(1)
    expected = metrics.precision_recall_fscore_support(LABELS, chosen, labels=range(10), zero_division=0)
    figures = class_figures(counts)
    for own, other in zip((figures.precision, figures.recall, figures.f1), expected, strict=False):
        assert own == pytest.approx(other, abs=EXACT)
    assert (confusion_matrix(counts) == metrics.confusion_matrix(LABELS, chosen, labels=range(10))).all()
    assert counts.images[9] == 0 and sum(counts.images) == 400


def test_macro_leaves_out_classes_that_never_occur():
    values = np.eye(10, dtype=np.float32)[LABELS % 3]
    counts = drift.score(values, LABELS % 4 % 3, None, PROBABILITIES).classes
    expected = metrics.f1_score(LABELS % 4 % 3, LABELS % 3, average="macro")
    assert class_averages(counts).f1_macro == pytest.approx(expected, abs=EXACT)


def test_calibration_error_is_that_of_the_bins_of_scikit_learn(case):
    values, kind, shares = case
    right, confidence = values.argmax(1) == LABELS, shares.max(1)
    accuracy, mean_confidence = calibration_curve(right, confidence, n_bins=15)
    images = np.histogram(np.nextafter(confidence, 0), bins=np.linspace(0, 1, 16))[0]
    expected = np.average(np.abs(accuracy - mean_confidence), weights=images[images > 0])
    assert summary(drift.score(values, LABELS, None, kind)).calibration_error == pytest.approx(expected, abs=EXACT)


def test_against_the_reference_as_scipy_has_it(case):
    values, kind, shares = case
    noisy = (values + GENERATOR.normal(scale=0.1, size=values.shape) * (kind == LOGITS)).astype(np.float32)
    noisy = np.roll(noisy, 1, axis=0) if kind == PROBABILITIES else noisy
    counts = drift.score(values, LABELS, noisy, kind)
    wide = noisy.astype(np.float64)
    theirs = softmax(wide, axis=1) if kind == LOGITS else wide / wide.sum(1, keepdims=True)
    mine = np.clip(shares, raw.CLIP, 1)
    assert counts.kl == pytest.approx(np.mean(entropy(theirs, mine, axis=1)), abs=EXACT)
    cosines = [1 - cosine(a, b) for a, b in zip(values.astype(np.float64), wide, strict=True)]
    assert counts.cosine == pytest.approx(np.mean(cosines), abs=EXACT)
    assert counts.confidence_change == pytest.approx(np.mean(shares.max(1) - theirs.max(1)), abs=EXACT)
    assert counts.agree == (values.argmax(1) == noisy.argmax(1)).sum()
    noise = np.sum((wide - values) ** 2)
    assert counts.sqnr_db == pytest.approx(10 * math.log10(np.sum(wide**2) / noise), abs=1e-10)


def test_a_divergence_from_probabilities_of_zero_is_finite():
    reference = np.array([[0.5, 0.5, 0.0]], np.float32)
    outputs = np.array([[1.0, 0.0, 0.0]], np.float32)
    kl = drift.score(outputs, None, reference, PROBABILITIES).kl
    assert kl == pytest.approx(0.5 * math.log(0.5) + 0.5 * math.log(0.5 / 1e-7), rel=1e-6)


def test_sqnr_is_the_ratio_of_powers():
    reference = np.array([[3.0, 4.0]], np.float32)
    assert drift.sqnr_db(reference + np.array([[0.05, 0.0]], np.float32), reference) == pytest.approx(40, abs=1e-4)
    assert drift.sqnr_db(reference, reference) == math.inf
    with pytest.raises(ValueError, match="zero everywhere"):
        drift.sqnr_db(reference, reference * 0)
    with pytest.raises(ValueError, match="differ in shape"):
        drift.sqnr_db(reference, reference[:, :1])


def test_kinds_are_told_apart_by_their_values():
    assert raw.output_kind(LOGIT_VALUES) == LOGITS
    assert raw.output_kind(PROBABILITY_VALUES) == PROBABILITIES
    assert raw.output_kind(np.array([[0.9, 0.8]], np.float32)) == SCORES


def test_scores_have_neither_loss_nor_divergence():
    values = np.array([[0.9, 0.8], [0.2, 0.1]], np.float32)
    counts = drift.score(values, np.array([0, 1]), values, SCORES)
    assert counts.loss is None and counts.kl is None and counts.top1_correct == 1
    assert counts.brier == pytest.approx((0.01 + 0.64 + 0.04 + 0.81) / 2)


def test_top5_of_five_classes_is_not_a_number():
    assert drift.score(LOGIT_VALUES[:, :5], LABELS % 5, None, LOGITS).top5_correct is None
    assert drift.score(LOGIT_VALUES[:, :6], LABELS % 6, None, LOGITS).top5_correct is not None


def test_ties_are_counted_and_go_to_the_lower_index():
    values = np.array([[1, 3, 3], [2, 2, 2], [1, 2, 3], [0, 3, 3]], np.float32)
    counts = drift.score(values, np.array([1, 1, 2, 2]), None, LOGITS)
    assert (counts.ties, counts.top1_correct) == (3, 2)
    assert raw.ranks(values, np.array([1, 1, 2, 2])).tolist() == [0, 1, 0, 1]
    tied = np.zeros((2, 7), np.float32)
    assert drift.score(tied, np.array([4, 5]), None, LOGITS).top5_correct == 1


def test_the_paired_table_the_drop_and_the_flips():
    reference = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 1]]
    outputs = np.eye(4, dtype=np.float32)[[0, 1, 3, 0, 2]]
    counts = drift.score(outputs, np.array([0, 2, 2, 0, 3]), reference, PROBABILITIES)
    assert (counts.both_correct, counts.only_reference_correct) == (1, 1)
    assert (counts.only_artifact_correct, counts.neither_correct) == (1, 2)
    assert (counts.agree, counts.other_wrong) == (2, 1)
    found = summary(counts)
    assert (found.top1_drop, found.right_to_wrong, found.wrong_to_right, found.wrong_to_other_wrong) == (
        0,
        0.2,
        0.2,
        0.2,
    )
    assert counts.classes.lost == (0, 0, 1, 0) and counts.classes.won == (1, 0, 0, 0)


def test_an_equal_output_is_exact_and_has_no_infinite_number():
    counts = drift.score(LOGIT_VALUES, LABELS, LOGIT_VALUES, LOGITS)
    assert counts.exact and counts.sqnr_db is None and counts.agree == 400
    assert counts.kl == pytest.approx(0, abs=EXACT) and counts.cosine == pytest.approx(1, abs=EXACT)


def test_which_images_are_right_is_kept():
    counts = drift.score(LOGIT_VALUES, LABELS, TIED_LOGITS, LOGITS)
    assert (raw.unpack(counts.right, 400) == (LOGIT_VALUES.argmax(1) == LABELS)).all()
    assert (raw.unpack(counts.reference_right, 400) == (TIED_LOGITS.argmax(1) == LABELS)).all()
    with pytest.raises(ValueError, match="not those of 500 images"):
        raw.unpack(counts.right, 500)
    assert drift.score(LOGIT_VALUES, None, TIED_LOGITS, LOGITS).right == ""


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ([0.5, 0.5], PROBABILITIES),
        ([1.0, -9e-7], PROBABILITIES),
        ([1.0, -1.1e-6], LOGITS),
        ([1.0 + 9e-7, 0.0], PROBABILITIES),
        ([1.0 + 2e-6, 0.0], LOGITS),
        ([0.5, 0.5009], PROBABILITIES),
        ([0.5, 0.502], SCORES),
        ([0.5, 0.498], SCORES),
    ],
)
def test_the_limits_between_kinds(row, kind):
    assert raw.output_kind(np.array([row] * 3, np.float64)) == kind
