"""Whether the candidate is less accurate than the baseline, image by image, in the words of the report."""

import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner

from edgebench.cli import cli
from edgebench.measures.accuracy import score
from edgebench.measures.label_sets import score_sets
from edgebench.measures.significance import paired_interval
from edgebench.records import LOGITS, SCORES, Evaluation, Perturbation
from tests.make import make_result, make_set, write_results

IMAGES, CLASSES = 1000, 4
LABELS = np.arange(IMAGES) % CLASSES
SOURCE = np.eye(CLASSES, dtype=np.float32)[LABELS]


def evaluation(wrong, perturbation=None, **changes):
    chosen = LABELS.copy()
    chosen[wrong] = (chosen[wrong] + 1) % CLASSES
    counts = score(np.eye(CLASSES, dtype=np.float32)[chosen], LABELS, SOURCE, LOGITS, per_class=False)
    return Evaluation(dataclasses.replace(make_set(images=IMAGES), **changes), counts, perturbation)


@pytest.fixture
def compare(tmp_path):
    def run(old, new, *arguments):
        places = []
        for name, evaluations in (("old", old), ("new", new)):
            place = tmp_path / name
            place.mkdir()
            made = dataclasses.replace(make_result("digits", "tflite:int8"), evaluations=tuple(evaluations))
            places.append(str(write_results(place, [made])))
        return CliRunner().invoke(cli, ["compare", *places, *arguments])

    return run


@pytest.mark.parametrize(
    ("wrong", "arguments", "word"),
    [
        (range(20, 80), (), "real drop"),
        (range(2), (), "real gain"),
        (range(30), (), "no drop above 1%"),
        (range(2, 33), ("--margin", "0.001"), "undecided"),
        (range(2, 33), ("--margin", "0.02"), "no drop above 2%"),
    ],
)
def test_the_same_images_say_whether_it_dropped(compare, wrong, arguments, word):
    before = evaluation(np.arange(30))
    outcome = compare([before], [evaluation(np.array(wrong))], *arguments, "--json")
    (cell,) = json.loads(outcome.output)["cells"]
    assert cell["accuracy"] == word
    assert (cell["more_images"] is not None) == (word == "undecided")


def test_the_table_says_it_too(compare):
    outcome = compare([evaluation(np.arange(30))], [evaluation(np.arange(100))])
    assert "97.0% → 90.0%, real drop" in outcome.output


def test_the_words_are_adjusted_over_the_cells_of_a_family(compare):
    """One drop that is real alone is none among twenty evaluations; perturbed ones are judged among themselves."""
    none, some = evaluation(np.arange(30)), np.arange(30)
    lost = np.union1d(some[3:], np.arange(100, 113))  # 13 lost, 3 won
    names = [f"set {number}" for number in range(20)]
    before = [dataclasses.replace(none, data=dataclasses.replace(none.data, name=n, sha256=f"{n:a<64}")) for n in names]
    noisy = evaluation(some, Perturbation("noise", 10.0))
    after = [*before[1:], dataclasses.replace(evaluation(lost), data=before[0].data)]
    outcome = compare([*before, noisy], [*after, evaluation(lost, Perturbation("noise", 10.0))], "--json")
    words = [cell["accuracy"] for cell in json.loads(outcome.output)["cells"]]
    assert words.count("undecided") == 1 and words.count("no drop above 1%") == 19
    assert words[-1] == "real drop"


def test_other_images_are_not_judged(compare):
    outcome = compare([evaluation(np.arange(30))], [evaluation(np.arange(100), sha256="b" * 64)], "--json")
    assert json.loads(outcome.output)["cells"][0]["accuracy"] is None


def test_a_gate_on_the_change_is_paired(compare):
    """30 of 1000 more are wrong: of two independent samples that could be chance, of the same images it cannot."""
    low, high = paired_interval(30, 0, IMAGES)
    outcome = compare(
        [evaluation(np.arange(30))], [evaluation(np.arange(60))],
        "--fail-if", f"top1_change < {-low + 1e-9}", "--fail-if", f"top1_change < {-high - 1e-9}", "--json",
    )  # fmt: skip
    assert [gate["passed"] for gate in json.loads(outcome.output)["gates"]] == [False, True]


def sets_evaluation(wrong):
    """Images with two labels of four each; those in `wrong` get a third."""
    labels = np.eye(CLASSES, dtype=bool)[LABELS] | np.eye(CLASSES, dtype=bool)[(LABELS + 1) % CLASSES]
    given = labels.copy()
    given[wrong, (LABELS[wrong] + 2) % CLASSES] = True
    counts = score_sets(given.astype(np.float32), labels, labels.astype(np.float32), SCORES, per_class=False)
    return Evaluation(dataclasses.replace(make_set(images=IMAGES), multi_label=True), counts)


def test_sets_of_labels_have_their_own_name_and_paired_interval(compare):
    before, after = sets_evaluation(np.arange(30)), sets_evaluation(np.arange(20, 80))
    _, high = paired_interval(50, 20, IMAGES)
    outcome = compare([before], [after], "--json", "--fail-if", f"subset_accuracy_change > {-high - 1e-6}")
    (cell,) = json.loads(outcome.output)["cells"]
    assert cell["accuracy"] == "real drop"
    assert outcome.exit_code == 1 and "subset_accuracy_change" in outcome.output  # an unpaired one would be wider


def test_the_table_says_sets_of_labels(compare):
    outcome = compare([sets_evaluation(np.arange(30))], [sets_evaluation(np.arange(60))], "--markdown")
    assert "97.0% → 94.0% with all labels right" in outcome.output and "| -3.0 |" in outcome.output
