"""Progress: never past its total, with the time that is left, and never silent for long."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from edgebench.cli import progress, train
from edgebench.cli.converting import ConversionDisplay
from edgebench.cli.display import Display
from edgebench.cli.progress import Heartbeat, Tally, working
from edgebench.devices.base import OnDevice, Phase
from edgebench.pipeline.events import ConversionFinished, ConversionStarted, Decoded, ExamReady, JobStarted
from edgebench.training import events
from edgebench.units import duration
from tests.make import make_artifact
from tests.waiting import wait_for


def test_time_left_is_the_mean_of_what_took_time() -> None:
    tally = Tally()
    assert tally.left(0.0) == ""
    for job, now in ((1, 100.0), (2, 110.0), (3, 110.01), (4, 116.0)):  # the second was found, not measured
        tally.start(job, 10, now)
    assert (tally.finished, tally.total) == (3, 10)
    assert tally.left(116.0) == f", about {duration((10 + 5.99) / 2 * 7)} left"
    assert tally.left(1000.0) == f", about {duration((10 + 5.99) / 2 * 6)} left"  # the current one is overdue


def test_sweeps_are_counted_together_and_never_past_the_total() -> None:
    tally = Tally(sweeps=3)
    seen = []
    for total in (4, 4, 4):
        for job in range(1, total + 1):
            tally.start(job, total, 0.0)
            seen.append((tally.finished, tally.total))
    assert seen == [(at, 12) for at in range(12)]
    grown = Tally()
    for job, total in ((1, 2), (2, 2), (3, 2)):  # more than was said
        grown.start(job, total, 0.0)
        assert grown.finished < grown.total


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 2.5), ("30", 30.0), ("0", 0.1), ("soon", 2.5), ("nan", 0.1), ("inf", 1e6)]
)
def test_the_environment_says_how_long_a_silence_may_be(text: str, seconds: float) -> None:
    assert progress._silence(text) == seconds


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5400, "1.5 h")])
def test_durations_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is said, with a silence that is short enough for a test."""
    said = io.StringIO()
    monkeypatch.setattr(progress, "SILENCE_SECONDS", 0.02)
    monkeypatch.setattr(progress, "Console", lambda stderr, quiet: Console(file=said, quiet=quiet, width=100))
    return said


def test_a_long_job_is_heard_of_again(stderr: io.StringIO) -> None:
    with Display() as display:
        display.tell(JobStarted("cpu", "digits tflite:int8", "latency", 1, 4))
        wait_for(lambda: stderr.getvalue().count("cpu: 1/4 digits tflite:int8 latency") > 2)
        display.tell(OnDevice("cpu", Phase("images", 20, 50), "digits tflite:int8", "accuracy"))
        wait_for(lambda: "cpu: 1/4 digits tflite:int8 accuracy: image 20 of 50" in stderr.getvalue())


def test_preparing_images_is_heard_of_until_it_ends(stderr: io.StringIO) -> None:
    with Display() as display:
        display.tell(Decoded("digits", 20, 50))
        wait_for(lambda: "digits: 20 of 50 images decoded" in stderr.getvalue())
        display.tell(ExamReady("digits", (), ""))
        display.tell(JobStarted("cpu", "digits tflite:int8", "memory", 1, 4))
        said = len(stderr.getvalue())
        wait_for(lambda: "cpu: 1/4" in stderr.getvalue()[said:])
        assert "decoded" not in stderr.getvalue()[said:]


def test_a_long_conversion_is_heard_of(stderr: io.StringIO) -> None:
    with ConversionDisplay(2, quiet=False) as display:
        wait_for(lambda: "0 of 2 made, loading the model" in stderr.getvalue())
        display.tell(ConversionStarted("digits", "tflite:int8"))
        display.tell(ConversionFinished(make_artifact()))
        wait_for(lambda: "1 of 2 made, digits tflite:int8" in stderr.getvalue())


def test_a_training_is_heard_of_between_its_epochs(stderr: io.StringIO) -> None:
    with train._Display(quiet=False) as display:
        wait_for(lambda: "loading the photos and the model" in stderr.getvalue())
        display.tell(events.Progress("features", 20, 50))
        wait_for(lambda: "features: 20 of 50" in stderr.getvalue())


def test_what_is_quiet_stays_quiet(stderr: io.StringIO) -> None:
    beats: list[int] = []
    with Display(quiet=True) as display, Heartbeat(lambda: beats.append(1)), working("merging", quiet=True):
        display.tell(JobStarted("cpu", "digits tflite:int8", "latency", 1, 4))
        wait_for(lambda: len(beats) > 3)
    assert stderr.getvalue() == ""
    with working("merging results"):
        wait_for(lambda: re.search(r"merging results, \d+ s", stderr.getvalue()))
