"""What was lost, on which step, in which class and on top of the clean images: figures from answers made by hand."""

import dataclasses

import numpy as np
import pytest

from edgebench.measures.outputs import pack
from edgebench.measures.robustness import Answers, extra_drop, extra_drop_on_others
from edgebench.measures.significance import paired_interval
from edgebench.records import ClassCounts, EpochRecord, Evaluation, Perturbation, PhaseRecord, TrainingRecord
from edgebench.results.derived import answers, class_name, derive
from edgebench.results.figure import Basis, Figure, Unit, figure, figures_of
from edgebench.results.figures import FIGURES
from edgebench.results.rows import to_row
from edgebench.results.together import float_artifacts, float_sibling, judged_together, rows_together, same_images
from edgebench.results.values import value_of
from tests.make import make_accuracy, make_result, make_set

N = 200
IMAGES = np.arange(N)
REFERENCE = IMAGES < 180


def right(lost, won=0):
    return (REFERENCE & (lost <= IMAGES)) | ((IMAGES >= 180) & (180 + won > IMAGES))


def evaluation(lost, won=0, host=None, perturbation=None, data=None, **changes):
    """The artifact loses the first images, and wins the first of those that the source model has wrong."""
    bits = {"right": pack(right(lost, won)), "reference_right": pack(REFERENCE)}
    bits |= {} if host is None else {"host_right": pack(right(host))}
    counts = make_accuracy(N, lost=lost, won=won, both=180 - lost, **bits, **changes)
    return Evaluation(data or make_set(images=N), counts, perturbation)


def result(*evaluations, variant="tflite:int8", **changes):
    return dataclasses.replace(make_result(variant=variant), evaluations=evaluations, **changes)


def rows(*results):
    return rows_together([one for made in results for one in derive(made)])


def interval(row, name):
    value = value_of(FIGURES[name], row)
    return value.low, value.high


def steps(row):
    return row.conversion_drop, row.quantisation_drop, row.device_drop


def test_each_step_has_its_loss_and_interval():
    float32, int8 = rows(result(evaluation(4), variant="tflite:float32"), result(evaluation(60, host=40)))
    assert steps(int8) == (4 / N, 36 / N, 20 / N) and int8.loss_arose == "quantisation, device"
    for name, lost in (("conversion_drop", 4), ("quantisation_drop", 36), ("device_drop", 20)):
        assert interval(int8, name) == paired_interval(lost, 0, N)
    assert steps(float32) == (4 / N, None, None) and float32.loss_arose == ""
    assert interval(float32, "conversion_drop") == paired_interval(4, 0, N)


def test_where_the_float_artifact_says_other_on_the_device_what_it_says_here_counts():
    _, int8 = rows(result(evaluation(50, host=4), variant="tflite:float32"), result(evaluation(60, host=40)))
    assert steps(int8) == (4 / N, 36 / N, 20 / N)
    _, here = rows(result(evaluation(50, host=4), variant="tflite:float32"), result(evaluation(60)))
    assert steps(here) == (50 / N, 10 / N, None)


def test_without_a_float_artifact_all_of_it_is_conversion():
    (alone,) = rows(result(evaluation(60, host=40)))
    assert steps(alone) == (40 / N, None, 20 / N) and alone.loss_arose == "conversion, device"
    (bare,) = rows(result(dataclasses.replace(evaluation(60), accuracy=make_accuracy(N, lost=60, both=120))))
    assert steps(bare) == (None, None, None) and bare.loss_arose == ""
    assert value_of(FIGURES["device_drop"], bare).reason == "device_drop is empty"
    foggy = evaluation(60, perturbation=Perturbation("fog", 1.0))
    assert [steps(row) for row in rows(result(evaluation(40), foggy))] == [(40 / N, None, None), (None, None, None)]


@pytest.mark.parametrize(
    "changes",
    [
        {"device": "pi"},
        {"evaluations": (evaluation(4, data=dataclasses.replace(make_set(images=N), sha256="ab" * 32)),)},
        {"evaluations": (evaluation(4, rows_sha256="ab" * 32),)},
        {"evaluations": (evaluation(4, perturbation=Perturbation("fog", 1.0)),)},
        {"evaluations": ()},
        {"artifact": dataclasses.replace(make_result(variant="onnx:float32").artifact)},
        {"artifact": dataclasses.replace(make_result().artifact, source=None)},
        {"artifact": make_result(variant="tflite:float16").artifact},
    ],
)
def test_a_float_artifact_of_other_conditions_is_no_sibling(changes):
    (own,) = derive(result(evaluation(60)))
    float32 = result(evaluation(4), variant="tflite:float32")
    (sibling,) = derive(float32)
    assert float_sibling(own, float_artifacts([own, sibling])) is sibling
    assert float_sibling(sibling, float_artifacts([sibling, own])) is None
    others = derive(dataclasses.replace(float32, **changes))
    assert float_sibling(own, float_artifacts([own, *others])) is None
    assert float_sibling(derive(result())[0], float_artifacts([sibling])) is None


def test_the_same_images_may_be_of_another_size():
    (one,) = derive(result(evaluation(1)))
    other_size = dataclasses.replace(make_set(images=N), pixels_sha256="cd" * 32, name="else")
    (other,) = derive(result(evaluation(2, data=other_size)))
    assert same_images(one, other) and not same_images(one, derive(result())[0])
    (bare,) = derive(result(Evaluation(make_set(images=N))))
    assert not same_images(bare, bare)


NOISE = Perturbation("noise", 40.0, 3)


def test_what_a_perturbation_adds_is_paired_and_another_set_is_not():
    clean, foggy = Answers(right(10), REFERENCE), Answers(right(30, 4), REFERENCE)
    night = dataclasses.replace(make_set(images=N), sha256="ab" * 32, name="night")
    made = rows(result(evaluation(10), evaluation(30, 4, perturbation=NOISE), evaluation(30, 4, data=night)))
    paired, unpaired = extra_drop(clean, foggy), extra_drop_on_others(clean, foggy)
    assert [row.extra_drop for row in made] == [None, paired.value, unpaired.value]
    assert paired.value == pytest.approx(16 / N)
    assert interval(made[1], "extra_drop") == (paired.low, paired.high)
    assert interval(made[2], "extra_drop") == (unpaired.low, unpaired.high)


@pytest.mark.parametrize(
    ("main", "other"),
    [
        (evaluation(10, perturbation=Perturbation("fog", 1.0)), evaluation(30, perturbation=NOISE)),
        (evaluation(10, rows_sha256="ab" * 32), evaluation(30, perturbation=NOISE)),
        (
            evaluation(10, data=dataclasses.replace(make_set(images=N), sha256="ab" * 32)),
            evaluation(30, perturbation=NOISE),
        ),
        (evaluation(10), Evaluation(make_set(images=N), make_accuracy(N, lost=30, both=150), NOISE)),
        (Evaluation(make_set(images=N), make_accuracy(N, lost=30, both=150)), evaluation(30, perturbation=NOISE)),
    ],
)
def test_nothing_is_added_where_the_images_or_answers_are_not_the_same(main, other):
    assert derive(result(main, other))[1].extra_drop is None


def test_answers_need_labels_and_reference():
    counts = evaluation(10).accuracy
    found = answers(counts)
    assert found.artifact.tolist() == right(10).tolist() and found.reference.tolist() == REFERENCE.tolist()
    assert answers(None) is answers(dataclasses.replace(counts, right="")) is None
    assert answers(dataclasses.replace(counts, reference_right="")) is None


def test_a_class_without_a_name_is_its_number():
    assert [class_name(("cat", "dog"), n) for n in (0, 1, 2, -1)] == ["cat", "dog", "2", "-1"]


CLASSES = ClassCounts((100, 100), (120, 80), (90, 80), (), lost=(2, 25), won=(1, 1))


def test_the_worst_class_is_named_with_the_interval_of_one_that_was_picked():
    made = result(evaluation(27, 2, classes=CLASSES))
    (row,) = rows(dataclasses.replace(made, artifact=dataclasses.replace(made.artifact, labels=("cat", "dog"))))
    assert (row.worst_class, row.worst_class_drop, row.classes_lost) == ("dog", 0.24, 1)
    assert interval(row, "worst_class_drop") == paired_interval(25, 1, 100, 0.975)
    averages = row.precision_weighted, row.recall_weighted, row.recall_macro, row.precision_macro
    assert averages == pytest.approx(((0.75 + 1) / 2, 0.85, 0.85, (0.75 + 1) / 2))
    f1 = (180 / 220 + 160 / 180) / 2
    assert (row.f1_macro, row.f1_weighted) == pytest.approx((f1, f1))
    (none,) = rows(result(evaluation(27, 2)))
    assert (none.worst_class, none.worst_class_drop, none.classes_lost, none.f1_macro) == ("", None, None, None)
    assert value_of(FIGURES["worst_class_drop"], none).reason == "worst_class_drop is empty"
    gained = dataclasses.replace(CLASSES, lost=(2, 1), won=(1, 25))
    assert rows(result(evaluation(3, 26 - 6, classes=gained)))[0].classes_lost == 0


def test_verdicts_are_of_one_cell_alone_and_of_a_report_together():
    made = result(evaluation(13, 3), evaluation(13, 3, data=make_set("other", N)))
    alone = derive(made)
    assert [one.accuracy.verdict.cells for one in alone] == [1, 1]
    foggy = derive(result(evaluation(13, 3, perturbation=NOISE)))
    together = judged_together([*alone, *foggy], margin=0.03)
    assert [one.accuracy.verdict.cells for one in together] == [2, 2, 1]
    assert {one.accuracy.verdict.margin for one in together} == {0.03}
    verdict = alone[0].accuracy.verdict
    row = to_row(alone[0])
    assert (row.smallest_drop, row.more_images) == (verdict.smallest_drop, verdict.more_images)
    assert row.smallest_drop > 0.05


def test_the_smaller_figures_of_a_summary():
    worked = {"brier": 0.1, "kl": 0.2, "cosine": 0.9, "confidence_change": -0.3, "ties": 4, "other_wrong": 6}
    (row,) = rows(result(evaluation(10, 2, **worked)))
    found = row.brier, row.kl_nats, row.cosine, row.confidence_change, row.ties, row.wrong_to_other_wrong
    assert found == (0.1, 0.2, 0.9, -0.3, 4 / N, 6 / N)
    assert (row.right_to_wrong, row.wrong_to_right) == (10 / N, 2 / N)
    empty = rows(result())[0]
    assert (empty.brier, empty.kl_nats, empty.right_to_wrong, empty.more_images) == (None,) * 4


def test_the_reference_needs_both_counts():
    for missing in ({"both_correct": None}, {"only_reference_correct": None}):
        (row,) = rows(result(evaluation(10, **missing)))
        assert FIGURES["top1_reference"].bounds(row.of) is None and row.top1_reference is None
    (whole,) = rows(result(evaluation(10)))
    low, high = FIGURES["top1_reference"].bounds(whole.of)
    assert low < 180 / N < high
    assert FIGURES["top1_reference"].bounds(rows(result())[0].of) is None


PHASES = tuple(PhaseRecord(name, 1, 2.0, 10.0, 32, learn, 0) for name, learn in (("head", 700), ("fine-tune", 4000)))
TRAINING = TrainingRecord(
    model="digits", source_sha256="ab", base="keras:MobileNetV2", pretrained=False, settings={}, classes=(), split="",
    images={}, phases=PHASES, history=(EpochRecord("head", 1, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0),) * 3, best=0,
    stopped="epochs", seconds=12.5, parameters=5000, peak_rss_bytes=123_456, judged_on="test", accuracy=0.9, loss=0.1,
    confusion=(),
)  # fmt: skip


def test_what_the_training_cost():
    made = result(evaluation(1))
    (row,) = rows(dataclasses.replace(made, artifact=dataclasses.replace(made.artifact, training=TRAINING)))
    assert (row.trained_from, row.training_ms, row.training_epochs) == ("keras:MobileNetV2", 12_500.0, 3)
    assert (row.parameters_trained, row.training_peak_rss_bytes) == (4000, 123_456)
    (none,) = rows(made)
    assert (none.trained_from, none.training_ms, none.training_epochs) == ("", None, None)
    assert none.parameters_trained is none.training_peak_rss_bytes is None


def test_a_table_is_what_its_fields_declare():
    def one(d):
        return d

    fields = [
        ("other", "int"),
        ("size", "int | None", figure(Basis.ARTIFACT, Unit.BYTES, one, "Size.", ("a", "b"))),
        ("whole", "int", figure(Basis.IMAGES, Unit.COUNT, one, "Count.")),
        ("name", "str", figure(Basis.IDENTITY, Unit.TEXT, one, "Name.")),
        ("flag", "bool", figure(Basis.MACHINE, Unit.FLAG, one, "Flag.", one)),
    ]
    found = figures_of(dataclasses.make_dataclass("Table", fields))
    assert list(found) == ["size", "whole", "name", "flag"]
    assert found["size"] == Figure("size", Basis.ARTIFACT, Unit.BYTES, one, "Size.", ("a", "b"), True)
    assert found["whole"] == Figure("whole", Basis.IMAGES, Unit.COUNT, one, "Count.", None, True)
    assert found["flag"] == Figure("flag", Basis.MACHINE, Unit.FLAG, one, "Flag.", one, False)
    assert [one.number for one in found.values()] == [True, True, False, False]
