"""Verdicts over a whole report, stages, classes, pairs, other sets, corruption and flips: made from real scores."""

import csv
import dataclasses
import io
import json

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from edgebench.errors import UsageError
from edgebench.measures.accuracy import score
from edgebench.records import LOGITS, Evaluation, Flips, Perturbation
from edgebench.report.content import build_report
from edgebench.report.flips import flips_csv
from edgebench.report.markdown import markdown_text
from edgebench.report.page import html_text
from edgebench.report.tables import csv_text, json_text
from edgebench.results.load import load_results
from tests.make import make_result, make_set, write_results

IMAGES, CLASSES = 600, 10
GENERATOR = np.random.default_rng(3)
LABELS = GENERATOR.integers(0, CLASSES, IMAGES)
NAMES = tuple(f"class {index}" for index in range(CLASSES))


def outputs(wrong):
    """Logits that are right but for the images in `wrong`, which go to the next class."""
    chosen = LABELS.copy()
    chosen[wrong] = (chosen[wrong] + 1) % CLASSES
    return np.eye(CLASSES, dtype=np.float32)[chosen] * 5


SOURCE = outputs(np.arange(20))
BAD = np.flatnonzero(LABELS == 4)[:25]  # what int8 gets wrong, all of one class


def evaluation(own, reference=SOURCE, perturbation=None, **changes):
    accuracy = score(own, LABELS, reference, LOGITS, per_class=perturbation is None)
    data = dataclasses.replace(make_set(images=IMAGES), **changes)
    return Evaluation(data, accuracy, perturbation)


def result(variant, *evaluations, model="digits"):
    made = make_result(model, variant)
    return dataclasses.replace(
        made, artifact=dataclasses.replace(made.artifact, labels=NAMES), evaluations=tuple(evaluations)
    )


def int8(*more):
    wrong = np.union1d(np.arange(20), BAD)
    flips = Flips(
        ("4/a.png", "=1+1.png"), (4, 4), (4, 4), (0.99, 0.5), (5, 5), (0.9, 0.6), ("bm8gcG5n",), NAMES,
    )  # fmt: skip
    main = dataclasses.replace(evaluation(outputs(wrong)), flips=flips)
    return result("tflite:int8", main, *more)


@pytest.fixture(scope="module")
def report():
    noisy = outputs(np.arange(100))
    worse = outputs(np.arange(200))
    float32 = result("tflite:float32", evaluation(SOURCE))
    shifted = evaluation(worse, noisy, name="shifted", sha256="b" * 64)
    levels = [
        evaluation(own, noisy, Perturbation("noise", severity)) for severity, own in ((20.0, noisy), (40.0, worse))
    ]
    other = result("tflite:float32", evaluation(outputs(np.arange(60, 140))), model="other")
    return build_report([float32, int8(shifted, *levels), other])


def row_of(report, variant="tflite:int8", **wanted):
    return next(
        r for r in report.rows
        if r.variant == variant and r.model == "digits" and all(getattr(r, k) == v for k, v in wanted.items())
    )  # fmt: skip


def test_the_row_says_where_the_loss_arose(report):
    row = row_of(report, perturbation="")
    assert (row.loss_arose, row.conversion_drop) == ("quantisation", 0)
    assert row.quantisation_drop == row.top1_drop == pytest.approx(len(np.setdiff1d(BAD, np.arange(20))) / IMAGES)
    assert row_of(report, "tflite:float32").loss_arose == ""


def test_the_worst_class_is_named(report):
    row = row_of(report, perturbation="")
    assert (row.worst_class, row.classes_lost) == ("class 4", 1)
    assert row.worst_class_drop == pytest.approx(np.isin(BAD, np.arange(20), invert=True).sum() / (LABELS == 4).sum())


def test_words_are_adjusted_over_the_report(report):
    judged = [r.of.accuracy.verdict for r in report.rows if not r.perturbation]
    assert {verdict.cells for verdict in judged} == {4}
    assert row_of(report, perturbation="").of.accuracy.verdict.word == "real drop"
    assert {r.of.accuracy.verdict.cells for r in report.rows if r.perturbation} == {2}
    wide = build_report([int8()], margin=0.2)
    assert wide.rows[0].of.accuracy.verdict.margin == 0.2


def test_corruption_costs_extra_image_by_image(report):
    (curve,) = report.curves
    assert (curve.kind, curve.severities) == ("noise", (20.0, 40.0))
    assert curve.top1 == (500 / IMAGES, 400 / IMAGES)
    own = row_of(report, severity=40.0)
    lost = len(np.setdiff1d(BAD, np.arange(20)))
    assert own.extra_drop == pytest.approx((100 - lost) / IMAGES)
    assert curve.extra_drop.value == pytest.approx((50 - lost) / IMAGES) and curve.extra_is_real
    section = next(s for s in report.sections if s.key == "corruption")
    assert section.tables[0].lines[0][1:] == ("1", "25.0%", "1.500")
    assert section.tables[1].lines[0][1:4] == ("noise", "20 40", "75.0%")


def test_other_images_are_laid_beside_the_main_ones(report):
    (line,) = next(s for s in report.sections if s.key == "sets").tables[0].lines
    assert line[0] == "digits tflite:int8 on cpu" and line[1] == "shifted"


def test_every_class_has_its_figures_and_its_confusion(report):
    own = np.argmax(outputs(np.union1d(np.arange(20), BAD)), axis=1)
    precision, recall, f1, images = precision_recall_fscore_support(LABELS, own, zero_division=0)
    found = [one for one in json.loads(json_text(report))["classes"] if one["variant"] == "tflite:int8"]
    assert [one["evaluation"] for one in found] == ["test", "shifted"]  # not the perturbed ones
    for name, expected in (("precision", precision), ("recall", recall), ("f1", f1), ("images", images)):
        assert found[0][name] == pytest.approx(expected.tolist(), abs=1e-12)
    assert found[0]["classes"] == list(NAMES)
    page = html_text(report)
    assert page.count("<h2>Class by class</h2>") == 1
    matrix = confusion_matrix(LABELS, own)
    cells = "".join(
        f"<td{' class=' + chr(34) + 'bad' + chr(34) if n and at != 4 else ''}>{n or ''}</td>"
        for at, n in enumerate(matrix[4])
    )
    assert f'<tr><th scope="row">class 4</th>{cells}</tr>' in page
    line = f'<td class="text">class 4</td><td>{images[4]}</td><td>{precision[4]:.1%}</td><td>{recall[4]:.1%}</td>'
    assert line in page


def test_many_classes_are_for_programs_alone():
    labels = np.arange(62) % 31
    counts = score(np.eye(31, dtype=np.float32)[labels], labels, None, LOGITS)
    made = dataclasses.replace(make_result("wide"), evaluations=(Evaluation(make_set(images=62), counts, None),))
    report = build_report([made])
    assert "Class by class" not in html_text(report)
    (found,) = json.loads(json_text(report))["classes"]
    assert found["recall"] == [1.0] * 31 and found["classes"][:10] == list("0123456789")


def test_models_are_compared_in_pairs(report):
    section = next(s for s in report.sections if s.key == "pairs")
    assert section.brief == ("tflite:float32: digits is more accurate than other",)


def test_every_output_has_the_sections(report):
    page, text, plain = html_text(report), markdown_text(report), json.loads(json_text(report))
    for title in (
        "Is the drop real",
        "Which classes lost",
        "On other images",
        "Model against model",
        "Under corruption",
    ):
        assert f"<h2>{title}</h2>" in page and f"## {title}" in text
        assert title in [section["title"] for section in plain["sections"]]
    assert "Accuracy under corruption" in page and 'href="flips.csv"' in page
    assert "bm8gcG5n" not in page  # no PNG
    json.dumps(plain, allow_nan=False)
    table = list(csv.DictReader(io.StringIO(csv_text(report))))
    assert len(table) == 6 and table[1]["loss_arose"] == "quantisation" and table[0]["extra_drop"] == ""


def test_flips_csv_has_every_flip_and_no_formula(report):
    lines = list(csv.DictReader(io.StringIO(flips_csv(report.rows))))
    assert [line["image"] for line in lines] == ["4/a.png", "'=1+1.png"]
    assert lines[0]["direction"] == "right to wrong" and lines[0]["artifact"] == "class 5"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"right": "AAAA"}, "right cannot be read"),
        ({"bin_images": (1,)}, "bins of unequal number"),
    ],
)
def test_a_result_that_lies_is_refused(tmp_path, change, message):
    made = int8()
    accuracy = dataclasses.replace(made.evaluations[0].accuracy, **change)
    folder = write_results(
        tmp_path,
        [dataclasses.replace(made, evaluations=(dataclasses.replace(made.evaluations[0], accuracy=accuracy),))],
    )
    with pytest.raises(UsageError, match=message):
        load_results([folder])
