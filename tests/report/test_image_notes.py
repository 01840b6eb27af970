"""What the report says of the images themselves: turned photos, sets of labels, one class for a multi-label model."""

import dataclasses

from edgebench.records import Evaluation, Preprocessing
from edgebench.report.notes import notes
from tests.make import make_accuracy, make_result, make_set


def said(*results):
    return list(notes(results, [], []))


def result(model, data, accuracy=None, **artifact):
    made = make_result(model, artifact=artifact)
    return dataclasses.replace(made, evaluations=(Evaluation(data, accuracy or make_accuracy()),))


def test_photos_that_are_turned():
    data = dataclasses.replace(make_set(), turned=7)
    found = said(
        result("vit", data, preprocessing=Preprocessing("huggingface", upright=True)),
        result("swin", data, preprocessing=Preprocessing("huggingface", upright=True)),
        result("cnn", data, preprocessing=Preprocessing("none")),
        result("other", make_set()),
    )
    start, end = "7 of 500 images of test are turned by their EXIF: they", "as the loader of its framework does."
    assert [note for note in found if "EXIF" in note] == [
        f"{start} were turned upright for vit, swin, {end}",
        f"{start} were taken as they are stored, not upright, for cnn, {end}",
    ]


def test_what_is_right_where_outputs_are_labels_of_their_own():
    one = make_accuracy(independent=True)
    sets = dataclasses.replace(one, multi_label=True, top1_correct=None, right="x")
    found = said(result("tagger", make_set(), one), result("tagger", make_set(), sets), result("cnn", make_set()))
    assert sum("carry none, one or several labels" in note for note in found) == 1
    assert sum("tagger is a multi-label model" in note for note in found) == 1
    assert not any("label" in note for note in said(result("cnn", make_set())))
