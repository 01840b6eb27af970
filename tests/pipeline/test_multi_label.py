"""A multi-label model all the way: recognised at conversion, scored in sets of labels, told in the report."""

import json

import numpy as np
import pytest
from sklearn import metrics

from edgebench.files import read_record
from edgebench.records import INDEPENDENT, Artifact, Result

QUICK = ("--processes", 1, "--max-processes", 1, "--min-runs", 3, "--min-seconds", 0, "--max-seconds", 0.2)
NOTE = "each output is a label of its own"


@pytest.fixture(scope="module")
def tagged(tmp_path_factory, edgebench):
    """Images whose sets of labels are what the model says, but for every fifth; what convert and profile made of it."""
    import keras
    from keras import layers

    from tests.models.keras_models import classifier

    folder = tmp_path_factory.mktemp("tagged")
    model = classifier(layers.Rescaling(1 / 255), activation="sigmoid")
    images = np.random.default_rng(0).integers(0, 256, (40, 2, 2, 3), np.uint8).repeat(8, 1).repeat(8, 2)
    last = model.layers[-1]
    between = -np.median(keras.Model(model.inputs, last.input)(images.astype(np.float32)) @ last.kernel, axis=0)
    last.bias.assign(between)  # every label is given to half of the images
    model.save(folder / "tagger.keras")
    said = np.asarray(model(images.astype(np.float32))) > 0.5
    said[::5, 0] ^= True
    np.savez(folder / "sets.npz", x_test=images, y_test=said)
    np.savez(folder / "single.npz", x_test=images, y_test=said.argmax(1))
    converted = edgebench("convert", folder / "tagger.keras", "--to", "tflite:float32", "--out", folder)
    data = ("--data", f"sets={folder / 'sets.npz'}", "--data", f"single={folder / 'single.npz'}")
    assert converted.returncode == 0, converted.stdout + converted.stderr
    profiled = edgebench("profile", folder / "artifacts", *data, "--out", folder, *QUICK)
    return folder, said, profiled


def test_the_manifest_says_so(tagged):
    (path,) = (tagged[0] / "artifacts/tagger").glob("*.json")
    artifact = read_record(Artifact, path)
    assert artifact.output_kind == "scores" and artifact.output_kind in INDEPENDENT
    assert any(NOTE in note for note in artifact.notes)


def test_sets_of_labels_have_their_figures_and_one_class_an_image_its_first_choice(tagged):
    folder, said, done = tagged
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (folder / "results/cpu").glob("*.json")
    result = read_record(Result, path)
    sets, single = result.evaluations
    assert (sets.data.name, sets.data.multi_label, single.data.multi_label) == ("sets", True, False)
    outputs = np.load(path.with_name(sets.outputs))
    counts = sets.accuracy
    assert counts.agree == 40 and (counts.both_correct, counts.neither_correct) == (32, 8)
    assert counts.top1_correct is None and counts.loss is None and sets.flips is None
    assert metrics.accuracy_score(said, outputs > 0.5) == 0.8
    expected = metrics.average_precision_score(said, outputs)
    assert counts.average_precision == pytest.approx(expected, abs=1e-12)
    assert single.accuracy.top1_correct == (outputs.argmax(1) == said.argmax(1)).sum()
    assert single.accuracy.independent and not single.accuracy.multi_label and single.accuracy.loss is None


def test_the_report_says_what_is_right(tagged, edgebench):
    folder = tagged[0]
    done = edgebench("report", folder / "results", "--out", folder / "report")
    assert done.returncode == 0, done.stderr
    (found,) = [json.loads(path.read_text()) for path in (folder / "report").rglob("report.json")]
    rows = {row["evaluation"]: row for row in found["rows"]}
    assert rows["sets"]["top1"] is None and rows["sets"]["top1_drop"] is None
    assert rows["sets"]["subset_accuracy"] == 0.8 and rows["sets"]["subset_drop"] == 0.0
    assert rows["sets"]["drift_verdict"] and rows["single"]["top1"] is not None
    assert rows["single"]["subset_accuracy"] is None
    (page,) = [path.read_text() for path in (folder / "report").rglob("report.md")]
    for words in ("All labels", "carry none, one or several labels", "tagger is a multi-label model", NOTE):
        assert words in page, words
