"""Labels are the model's by name; outputs are scored row by row against the labels and the reference of their image."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from edgebench.converters import sources
from edgebench.converters.trust import NOTHING
from edgebench.errors import ConversionError, EdgebenchError, UsageError
from edgebench.images.evaluation import EvaluationImages, open_dataset
from edgebench.pipeline import reference, scoring
from edgebench.pipeline.scoring import Exam, image_size, make_exam, score_outputs
from edgebench.records import (
    LABEL_LOGITS,
    LOGITS,
    PROBABILITIES,
    SCORES,
    EvaluationSet,
    Preprocessing,
    Source,
    TensorSpec,
)
from tests.make import make_artifact

NHWC, NCHW = TensorSpec("x", (1, 5, 7, 3), "float32"), TensorSpec("x", (1, 3, 5, 7), "float32")


def data(labels, classes=(), name="photos"):
    record = EvaluationSet(name, "s" * 64, "p" * 64, len(labels), len(classes), True)
    return EvaluationImages(record, None, np.array(labels, np.int64), tuple(classes))


def indices(labels, classes, model_labels, outputs):
    return scoring._output_indices(data(labels, classes), tuple(model_labels), outputs, "digits").tolist()


def test_the_size_of_an_image():
    assert image_size(NHWC, "NHWC") == image_size(NCHW, "NCHW") == (5, 7, 3) == image_size(NHWC, "")


def test_labels_are_mapped_by_name_where_the_model_knows_its_own():
    assert indices([0, 1, 2, 0], "abc", "cab", 3) == [1, 2, 0, 1]
    assert indices([0, 1], "ca", "abc", 3) == [2, 0]  # a part of the model's classes
    assert indices([1, 0], "ab", "abcdefghij", 10) == [1, 0]


def test_else_by_order_where_there_are_as_many():
    assert indices([0, 1, 2], ("x", "y", "z"), "abc", 3) == [0, 1, 2]
    assert indices([2, 0], "abc", (), 3) == [2, 0]
    assert indices([2, 0], (), (), 3) == indices([2, 0], (), "abc", 3) == [2, 0]
    assert indices([2, 0], (), (), 10) == [2, 0]  # numbers alone: the largest may be missing among the images


@pytest.mark.parametrize(
    ("labels", "classes", "model_labels", "outputs", "words"),
    [
        ([0, 1], "ab", (), 3, "photos has 2 classes (a, b), digits has 3 outputs"),
        ([0, 1], "ax", "abc", 3, "photos has 2 classes (a, x), digits has 3 outputs"),
        ([0, 6], "abcdefg", "abc", 3, "photos has 7 classes (a, b, c, d, e), digits has 3 outputs"),
        ([0, 3], (), (), 3, "photos has 4 classes (0..3), digits has 3 outputs"),
    ],
)
def test_classes_that_cannot_be_the_models_are_a_question(labels, classes, model_labels, outputs, words):
    with pytest.raises(UsageError) as error:
        indices(labels, classes, model_labels, outputs)
    assert str(error.value) == f"{words}: give the right data, or the model's labels in order with --labels"


OUTPUTS = np.array([[3.0, 1, 0], [0, 4, 1], [2, 1, 0], [0, 1, 5]], np.float32)
LABELS = np.array([0, 1, 1, 0], np.int64)  # right, right, wrong, wrong
REFERENCE = np.array([[3.0, 1, 0], [5, 4, 1], [0, 2, 0], [0, 1, 5]], np.float32)  # right, wrong, right, wrong
EXAM = Exam(data(LABELS, "abc"), LABELS, REFERENCE, "r" * 64)
LOGITS_MODEL = make_artifact(output_kind=LOGITS)


def test_outputs_are_scored_against_labels_and_reference():
    counts = score_outputs(EXAM, OUTPUTS, (), LOGITS_MODEL)
    assert (counts.images, counts.top1_correct, counts.agree) == (4, 2, 2)
    paired = counts.both_correct, counts.only_artifact_correct, counts.only_reference_correct, counts.neither_correct
    assert paired == (1, 1, 1, 1)
    assert (counts.reference_sha256, counts.reference_reason, counts.agree_with_host) == ("r" * 64, "", None)
    noise = ((REFERENCE - OUTPUTS) ** 2).sum()
    assert counts.sqnr_db == pytest.approx(10 * np.log10((REFERENCE**2).sum() / noise), rel=1e-6)


def test_a_part_of_the_rows_is_scored_against_its_own_labels_and_reference():
    counts = score_outputs(EXAM, OUTPUTS[[1, 2]], (1, 2), LOGITS_MODEL)
    assert (counts.images, counts.top1_correct, counts.agree) == (2, 1, 0)
    assert (counts.only_artifact_correct, counts.only_reference_correct) == (1, 1)
    with pytest.raises(EdgebenchError, match="2 outputs came back for 4 images"):
        score_outputs(EXAM, OUTPUTS[:2], (), LOGITS_MODEL)
    with pytest.raises(EdgebenchError, match="2 outputs came back for 1 images"):
        score_outputs(EXAM, OUTPUTS[:2], (3,), LOGITS_MODEL)


def test_without_labels_or_reference_that_part_is_empty():
    unlabelled = score_outputs(dataclasses.replace(EXAM, labels=None), OUTPUTS, (), LOGITS_MODEL)
    assert (unlabelled.top1_correct, unlabelled.both_correct, unlabelled.agree) == (None, None, 2)
    lone = Exam(EXAM.data, LABELS, None, reference_reason="the source model is gone")
    counts = score_outputs(lone, OUTPUTS, (), LOGITS_MODEL)
    assert (counts.top1_correct, counts.agree, counts.sqnr_db) == (2, None, None)
    assert (counts.reference_reason, counts.reference_sha256) == ("the source model is gone", "")


def test_another_number_of_classes_than_the_reference_has():
    with pytest.raises(EdgebenchError) as error:
        score_outputs(EXAM, OUTPUTS[:, :2], (), LOGITS_MODEL)
    assert str(error.value) == "outputs have shape (4, 2), the source model's (4, 3)"


def test_agreement_with_the_host():
    host = OUTPUTS.copy()
    host[0] = [0, 9, 0]
    assert score_outputs(EXAM, OUTPUTS, (), LOGITS_MODEL, host).agree_with_host == 3
    assert score_outputs(EXAM, OUTPUTS, (), LOGITS_MODEL, host[:3]).agree_with_host is None


def test_the_artifacts_kind_of_output_decides_and_else_its_values():
    shares = np.array([[0.5, 0.3, 0.2]] * 4, np.float32)
    exam = dataclasses.replace(EXAM, reference=None)
    known = [score_outputs(exam, shares, (), make_artifact(output_kind=kind)).loss for kind in (LOGITS, PROBABILITIES)]
    bare = score_outputs(exam, shares, (), make_artifact(output_kind="")).loss
    assert bare == known[1] != known[0]
    assert known[1] == pytest.approx(-np.log([0.5, 0.3, 0.3, 0.5]).mean(), rel=1e-6)


# ---- sets of labels

SETS = ((0,), (1, 2), (), (0, 2))
CARRIED = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0], [1, 0, 1]], bool)
SHARES = np.array([[0.9, 0.2, 0.1], [0.1, 0.6, 0.7], [0.1, 0.3, 0.5], [0.8, 0.1, 0.2]], np.float32)  # 3 of 4 right


def carried(sets, classes, model_labels, outputs, ordered=False):
    holding = dataclasses.replace(data([0] * len(sets), classes), sets=sets)
    return scoring._output_sets(holding, tuple(model_labels), outputs, "digits", ordered).astype(int).tolist()


def test_sets_are_mapped_by_name_or_in_an_order_that_was_given():
    assert carried(SETS, "abc", "cab", 3) == [[0, 1, 0], [1, 0, 1], [0, 0, 0], [1, 1, 0]]
    assert carried(SETS, "abc", "abcd", 4)[1] == [0, 1, 1, 0]  # a part of the model's labels
    assert carried(SETS, "abc", (), 3, ordered=True) == CARRIED.astype(int).tolist()
    assert carried(SETS, (), (), 5)[3] == [1, 0, 1, 0, 0]
    with pytest.raises(UsageError, match=r"does not know the labels of photos \(a, b, c\): which output is which"):
        carried(SETS, "abc", (), 3)
    for sets, names, outputs in ((SETS, "abc", 4), (SETS, (), 2)):
        with pytest.raises(UsageError, match=f"photos has 3 labels, digits has {outputs} outputs"):
            carried(sets, names, (), outputs, ordered=True)


def with_sets(labels=CARRIED, reference=SHARES):
    record = dataclasses.replace(EXAM.data.record, multi_label=True)
    return dataclasses.replace(
        EXAM, data=dataclasses.replace(EXAM.data, record=record), labels=labels, reference=reference
    )


@pytest.mark.parametrize("kind", [SCORES, ""])
def test_sets_are_scored_as_sets(kind):
    flipped = SHARES.copy()
    flipped[0, 1] = 0.6
    counts = score_outputs(with_sets(), flipped, (), make_artifact(output_kind=kind), SHARES)
    assert counts.multi_label and counts.top1_correct is None
    assert (counts.both_correct, counts.only_reference_correct, counts.neither_correct) == (2, 1, 1)
    assert (counts.agree, counts.agree_with_host) == (3, 3)
    part = score_outputs(with_sets(), flipped[[0, 3]], (0, 3), make_artifact(output_kind=SCORES))
    assert (part.images, part.agree, part.neither_correct, part.only_reference_correct) == (2, 1, 1, 1)


def test_a_model_that_chooses_one_class_is_not_asked_for_sets():
    for kind in (LOGITS, PROBABILITIES):
        with pytest.raises(UsageError, match=f"carry several labels, and digits gives {kind}"):
            score_outputs(with_sets(), SHARES, (), make_artifact(output_kind=kind))
    with pytest.raises(UsageError, match="gives logits"):
        score_outputs(with_sets(), SHARES * 9, (), make_artifact(output_kind=""))


def test_one_class_an_image_asks_a_multi_label_model_for_its_first_choice_and_no_labels_for_sets():
    model = make_artifact(output_kind=LABEL_LOGITS)
    logits = (SHARES - 0.5).astype(np.float32)
    single = score_outputs(dataclasses.replace(EXAM, reference=logits), logits, (), model)
    assert (single.top1_correct, single.loss, single.kl, single.agree) == (2, None, None, 4)
    assert single.independent and not single.multi_label
    other = logits.copy()
    other[0, 0] = -0.1  # still the highest, and no longer given
    exam = dataclasses.replace(EXAM, labels=None, reference=logits)
    assert score_outputs(exam, other, (), model).agree == 3
    assert score_outputs(exam, other, (), LOGITS_MODEL).agree == 4


# ---- the exam of a model


@pytest.fixture
def photos(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (4, 5, 7, 3), dtype=np.uint8)
    np.savez(tmp_path / "photos.npz", x_test=images, y_test=np.array([1, 0, 2, 1]))
    return open_dataset(tmp_path / "photos.npz")


@pytest.fixture
def source_model(monkeypatch):
    """A source model that is there, and the calls for its outputs."""
    asked = []

    def predict(source, preprocessing, images, folder, imports, out):
        asked.append((source, preprocessing, images))
        np.save(out, REFERENCE)

    now = SimpleNamespace(sha256="s", asked=asked)
    monkeypatch.setattr(reference, "_predict", predict)
    monkeypatch.setattr(sources, "resolve", lambda *words: asked.append(words) or SimpleNamespace(sha256=now.sha256))
    return now


MODEL = make_artifact(
    input=NHWC,
    output=TensorSpec("y", (1, 3), "float32"),
    labels=(),
    source=Source("keras", "/m.keras", "s", (("input_size", "5x7"),)),
)


def test_an_exam_has_the_reference_of_exactly_these_pixels(photos, source_model, tmp_path):
    rule = Preprocessing("none")
    exam = make_exam(MODEL, rule, photos, tmp_path / "cache", None)
    assert exam.labels.tolist() == [1, 0, 2, 1] and np.load(exam.data.images).shape == (4, 5, 7, 3)
    assert exam.reference.tolist() == REFERENCE.tolist() and len(exam.reference_sha256) == 64
    assert source_model.asked == [("/m.keras", "5x7", NOTHING), (MODEL.source, rule, exam.data.images)]
    make_exam(MODEL, rule, photos, tmp_path / "cache", None)
    assert len(source_model.asked) == 2  # kept
    scaled = dataclasses.replace(rule, scale=0.5)
    make_exam(MODEL, scaled, photos, tmp_path / "cache", None)
    other = dataclasses.replace(MODEL, source=dataclasses.replace(MODEL.source, options=(), spec="/n.keras"))
    make_exam(other, rule, photos, tmp_path / "cache", None)
    assert [entry[0] for entry in source_model.asked[2::2]] == ["/m.keras", "/n.keras"]
    assert source_model.asked[4] == ("/n.keras", "", NOTHING)
    assert len(list((tmp_path / "cache/references").glob("digits-????????????????.npy"))) == 3


def test_images_with_sets_of_labels_ask_for_a_multi_label_model(source_model, tmp_path):
    images = np.zeros((4, 5, 7, 3), np.uint8)
    np.savez(tmp_path / "sets.npz", x_test=images, y_test=CARRIED)
    several = open_dataset(tmp_path / "sets.npz")

    def exam(kind):
        return make_exam(dataclasses.replace(MODEL, output_kind=kind), Preprocessing("none"), several, tmp_path, None)

    assert (exam(SCORES).labels == CARRIED).all()
    assert (exam("").labels == CARRIED).all()  # a bare file: its values will tell
    with pytest.raises(UsageError, match="carry several labels, and digits gives probabilities"):
        exam(PROBABILITIES)


def test_a_source_model_that_changed_is_no_reference(photos, source_model, tmp_path):
    source_model.sha256 = "another"
    exam = make_exam(MODEL, Preprocessing("none"), photos, tmp_path, None)
    assert exam.reference is None and exam.reference_sha256 == ""
    assert exam.reference_reason == ("the source model /m.keras has changed since it was converted: convert it again")
    bare = make_exam(dataclasses.replace(MODEL, source=None), Preprocessing("none"), photos, tmp_path, None)
    assert bare.reference_reason == "no manifest, so the source model is not known"
    assert bare.labels.tolist() == [1, 0, 2, 1]


def test_a_source_model_that_fails_costs_the_reference_alone(photos, source_model, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise ConversionError("no reference outputs: out of memory")

    monkeypatch.setattr(reference, "_predict", fail)
    exam = make_exam(MODEL, Preprocessing("none"), photos, tmp_path, None)
    assert exam.reference_reason == "no reference outputs: out of memory" and exam.reference is None


def test_the_labels_of_other_data_are_refused_and_images_without_labels_have_none(photos, source_model, tmp_path):
    small = dataclasses.replace(MODEL, output=TensorSpec("y", (1, 2), "float32"))
    with pytest.raises(UsageError, match="digits has 2 outputs"):
        make_exam(small, Preprocessing("none"), photos, tmp_path, None)
    images = np.zeros((4, 5, 7, 3), np.uint8)
    np.savez(tmp_path / "bare.npz", x_test=images)
    exam = make_exam(small, Preprocessing("none"), open_dataset(tmp_path / "bare.npz"), tmp_path, None)
    assert exam.labels is None
