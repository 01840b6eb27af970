"""How a model was trained, in the columns and on the page."""

import dataclasses

from edgebench.records import EpochRecord, PhaseRecord, Sample, TrainingRecord
from edgebench.report.content import build_report
from edgebench.report.page import html_text
from edgebench.results.figures import FIGURES
from tests.make import make_result

HISTORY = (
    EpochRecord("all", 1, 1.5, 0.4, 1.25, 0.5, 1e-3, 2.0),
    EpochRecord("all", 2, 1.0, 0.6, 0.75, 0.75, 1e-3, 2.0),
)
RECORD = TrainingRecord(
    model="small", source_sha256="ab", base="cnn:4-8", pretrained=False, settings={}, classes=("cat", "<dog>"),
    split="as the data say", images={"train": 8, "val": 4, "test": 4},
    phases=(PhaseRecord("all", 2, 4.0, 12.5, 8, 1442, 5768),), history=HISTORY, best=1, stopped="epochs", seconds=4.0,
    parameters=1490, peak_rss_bytes=700_000_000, judged_on="test", accuracy=0.75, loss=0.8, confusion=((2, 0), (1, 1)),
    samples=(Sample("dog/1.png", "<dog>", "cat", 0.875, "QUJD"),), duplicates=("a (test) is b (train)",), key="k",
)  # fmt: skip


def test_a_training_is_columns_and_a_section_of_the_page():
    plain = make_result()
    trained = dataclasses.replace(plain, artifact=dataclasses.replace(plain.artifact, training=RECORD))
    report = build_report([trained])
    (row,) = report.rows
    assert (row.trained_from, row.training_ms, row.training_epochs) == ("cnn:4-8", 4000, 2)
    assert (row.parameters_trained, row.training_peak_rss_bytes) == (1442, 700_000_000)
    page = html_text(report)
    for text in (
        "How the models were trained", "Loss by epoch", "cnn:4-8 (random weights)", "75.0% of 4 test images",
        "1 images lie in two splits at once", "12.5 ms a step", "data:image/jpeg;base64,QUJD",
        "&lt;dog&gt;, taken for cat (87.5%)",
    ):  # fmt: skip
        assert text in page
    assert "<dog>" not in page


def test_a_model_that_came_trained_has_empty_columns_and_no_section():
    (row,) = build_report([make_result()]).rows
    assert row.training_ms is None and row.trained_from == ""
    assert "How the models were trained" not in html_text(build_report([make_result()]))
    assert FIGURES["training_ms"].number
