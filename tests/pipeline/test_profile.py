"""The profile of bare .onnx files: a result for every cell, whatever breaks, and nothing measured twice."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from edgebench.devices.local import LocalDevice
from edgebench.errors import UsageError
from edgebench.files import read_record
from edgebench.images.evaluation import open_dataset
from edgebench.measures.difference import difference_interval
from edgebench.pipeline.artifacts import BASELINE, find_artifacts
from edgebench.pipeline.evaluations import Exams
from edgebench.pipeline.events import Resumed
from edgebench.pipeline.profile import profile
from edgebench.pipeline.request import Request
from edgebench.records import NAN, OK, REFUSED, Result, Settings
from edgebench.results.load import load_results
from tests.models import onnx_models

QUICK = Settings(processes=2, min_runs=10, min_seconds=0.01, max_seconds=0.5)


@pytest.fixture
def folder(tmp_path):
    """Two models that work, one cut short and one whose outputs are not numbers."""
    place = tmp_path / "models"
    place.mkdir()
    whole = onnx_models.classifier(place / "good.onnx").read_bytes()
    (place / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    onnx_models.classifier(place / "nan.onnx", bias=float("nan"))
    onnx_models.classifier(place / "other.onnx", size=6)
    return place


@pytest.fixture
def old(folder, tmp_path):
    """A folder with the same good model: the baseline."""
    place = tmp_path / "old"
    place.mkdir()
    shutil.copy(folder / "good.onnx", place)
    return place


def write_photos(folder):
    """Three images of each of four classes in `folder/photos/test`."""
    for label in range(4):
        for index in range(3):
            path = folder / "photos" / "test" / f"class{label}" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (12, 10), (60 * label, 20 * index, 90)).save(path)
    return folder / "photos"


@pytest.fixture
def photos(tmp_path):
    return write_photos(tmp_path)


def request(folder, photos, out, **changes):
    exams = Exams([open_dataset(photos)], out / "cache", ignore) if photos else None
    return Request(find_artifacts([folder], None), exams, QUICK, out, **changes)


class Counting(LocalDevice):
    """This machine, counting the jobs it really runs; it can be interrupted as by Ctrl-C before one of them."""

    def __init__(self, interrupt_after=10**9):
        super().__init__()
        self.jobs = []
        self.interrupt_after = interrupt_after

    def run(self, job, progress):
        if len(self.jobs) == self.interrupt_after:
            raise KeyboardInterrupt
        self.jobs.append(job)
        return super().run(job, progress)


def ignore(event):
    pass


def test_every_cell_has_a_result_and_a_failed_one_its_reason(folder, photos, tmp_path):
    results = {r.artifact.model: r for r in profile(request(folder, photos, tmp_path / "out"), LocalDevice(), ignore)}
    assert {name: r.status for name, r in results.items()} == {
        "cut": REFUSED,
        "good": OK,
        "nan": NAN,
        "other": OK,
    }
    assert results["cut"].reason.startswith("memory: ")
    assert results["nan"].reason.startswith("accuracy: 12 of 12 images gave outputs that are not finite")
    good = results["good"]
    assert [run.kind for run in good.runs] == ["memory", "accuracy", "latency", "latency"]
    accuracy = good.evaluations[0].accuracy
    assert accuracy.images == 12 and accuracy.top1_correct is not None
    assert accuracy.reference_reason == "no manifest, so the source model is not known"
    [path] = tmp_path.glob("out/results/cpu/good-onnx-unknown-????????.json")
    assert read_record(Result, path) == good
    assert np.load(path.parent / good.evaluations[0].outputs).shape == (12, 4)


def test_models_of_other_input_sizes_see_the_same_pictures(folder, photos, tmp_path):
    results = {r.artifact.model: r for r in profile(request(folder, photos, tmp_path / "out"), LocalDevice(), ignore)}
    good, other = (results[name].evaluations[0].data for name in ("good", "other"))
    assert good.sha256 == other.sha256 and good.pixels_sha256 != other.pixels_sha256


def test_an_interrupted_profile_goes_on_where_it_stopped(folder, photos, tmp_path):
    out = tmp_path / "out"
    stopped = Counting(interrupt_after=5)
    with pytest.raises(KeyboardInterrupt):
        profile(request(folder, photos, out), stopped, ignore)
    events = []
    resumed = Counting()
    results = profile(request(folder, photos, out), resumed, events.append)
    whole = Counting()
    profile(request(folder, photos, out), whole, ignore)
    assert len(resumed.jobs) + 5 == len(whole.jobs)
    assert events[0] == Resumed("cpu", 5)
    assert len(results) == 4 and not (out / "results/cpu/runs").exists()


def test_a_journal_line_cut_short_is_not_a_finished_run(folder, photos, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        profile(request(folder, photos, out), Counting(interrupt_after=3), ignore)
    journal = out / "results/cpu/runs/journal.jsonl"
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([*lines[:2], lines[2][:15]]))
    resumed = Counting()
    profile(request(folder, photos, out), resumed, ignore)
    with_two_kept = len(resumed.jobs)
    whole = Counting()
    profile(request(folder, photos, out, fresh=True), whole, ignore)
    assert with_two_kept + 2 == len(whole.jobs)


def test_latency_rounds_take_all_artifacts_in_turn(folder, photos, tmp_path):
    device = Counting()
    profile(request(folder, photos, tmp_path / "out"), device, ignore)
    rounds = [job.repetition for job in device.jobs if job.kind == "latency"]
    assert rounds == sorted(rounds) and rounds.count(0) == rounds.count(1) == 2


def test_without_data_speed_and_memory_are_measured(folder, tmp_path):
    results = profile(request(folder / "good.onnx", None, tmp_path / "out"), LocalDevice(), ignore)
    assert [run.kind for run in results[0].runs] == ["memory", "latency", "latency"]
    assert results[0].evaluations == ()
    assert len(list(tmp_path.glob("out/results/cpu/good-onnx-unknown-nodata-????????.json"))) == 1


def test_a_limit_on_images_is_stratified(folder, photos, tmp_path):
    device = Counting()
    results = profile(request(folder / "good.onnx", photos, tmp_path / "out", images=4), device, ignore)
    assert results[0].evaluations[0].accuracy.images == 4
    images = np.load(next(job.images for job in device.jobs if job.kind == "accuracy"))
    assert sorted(images[:, 0, 0, 0].tolist()) == [0, 60, 120, 180]


def test_more_classes_than_outputs_is_said_before_anything_is_measured(folder, photos, tmp_path):
    (photos / "test/class4").mkdir()
    Image.new("RGB", (4, 4)).save(photos / "test/class4/0.png")
    with pytest.raises(UsageError, match=r"photos has 5 classes .* good has 4 outputs"):
        profile(request(folder / "good.onnx", photos, tmp_path / "out"), LocalDevice(), ignore)


def test_two_profiles_at_once_do_not_disturb_each_other(folder, tmp_path):
    out = tmp_path / "out"

    class Nested(LocalDevice):
        def run(self, job, progress):
            with pytest.raises(UsageError, match="another edgebench is measuring on cpu"):
                profile(request(folder / "good.onnx", None, out), LocalDevice(), ignore)
            return super().run(job, progress)

    assert profile(request(folder / "good.onnx", None, out), Nested(), ignore)[0].status == OK


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.tflite", None, "no artifact at"),
        ("empty.onnx", b"", "is empty"),
        ("notes.txt", b"x", "is no artifact"),
        ("m.tflite.json", b"{}", "is not a valid Artifact record"),
        ("m.onnx.json", b'{"version": 99}', "newer than this edgebench reads"),
    ],
)
def test_bad_artifacts_are_one_clear_line(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message) as error:
        find_artifacts([tmp_path / name], None)
    assert "\n" not in str(error.value)


def test_the_journal_is_json_lines(folder, photos, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        profile(request(folder, photos, tmp_path / "out"), Counting(interrupt_after=2), ignore)
    lines = (tmp_path / "out/results/cpu/runs/journal.jsonl").read_text().splitlines()
    assert [sorted(json.loads(line)) for line in lines] == [["job", "kind", "status"]] * 2


def test_a_baseline_of_the_same_bytes_is_measured_for_itself_and_in_turn(folder, old, tmp_path):
    """An A/A pair: every process of either side is a measurement of its own, kept apart on disk, taken in turn."""
    both = [*find_artifacts([folder / "good.onnx"], None), *find_artifacts([old], None, BASELINE)]
    out, device = tmp_path / "out", Counting()
    candidate, baseline = profile(Request(both, None, QUICK, out), device, ignore)
    assert len(device.jobs) == 6
    assert candidate.artifact.sha256 == baseline.artifact.sha256
    assert {run.started for run in candidate.runs}.isdisjoint(run.started for run in baseline.runs)
    (found,) = load_results([out])
    (old,) = load_results([out / BASELINE])
    assert (found.runs, old.runs) == (candidate.runs, baseline.runs)
    assert difference_interval(old.runs, found.runs).paired


def test_two_artifacts_of_one_name_are_refused(folder, old):
    with pytest.raises(UsageError, match=r"are both good onnx:unknown.*--baseline"):
        find_artifacts([folder / "good.onnx", old], None)


def test_a_pair_goes_on_together(folder, old, tmp_path):
    """One side whose processes disagree keeps the other going, so that both took part in the same rounds."""

    class Unsteady(Counting):
        def run(self, job, progress):
            outcome = super().run(job, progress)
            if job.kind != "latency" or not job.cell.startswith(BASELINE):
                steady = (1_000_000,) * 30
            else:
                steady = (1_000_000 + 100_000 * (job.repetition % 2),) * 30
            samples = steady if job.kind == "latency" else ()
            run = dataclasses.replace(outcome.run, latency_ns=samples, seconds=0.1)  # a slow machine spends the budget
            return dataclasses.replace(outcome, run=run)

    both = find_artifacts([folder / "good.onnx", folder / "other.onnx"], None)
    both += find_artifacts([old], None, BASELINE)
    settings = dataclasses.replace(QUICK, processes=5, max_processes=7)
    results = profile(Request(both, None, settings, tmp_path / "out"), Unsteady(), ignore)
    assert [sum(run.kind == "latency" for run in result.runs) for result in results] == [7, 5, 7]


class Emulated(LocalDevice):
    """This machine, saying that it is an emulator."""

    def info(self):
        return dataclasses.replace(super().info(), emulated=True)


@pytest.mark.parametrize(("device", "processes"), [(Emulated, 1), (LocalDevice, 3)])
def test_an_emulated_device_gets_one_latency_process(tmp_path, device, processes):
    """Its times are not shown: it only proves that the artifact runs; and none is added for their spread."""
    found = find_artifacts([onnx_models.classifier(tmp_path / "model.onnx")], None)
    settings = dataclasses.replace(QUICK, processes=3, max_processes=6, precision_between=1e-9 if processes == 1 else 1)
    (result,) = profile(Request(found, None, settings, tmp_path / "out"), device(), ignore)
    kinds = [run.kind for run in result.runs]
    assert (result.status, result.emulated) == (OK, processes == 1)
    assert kinds == ["memory"] + ["latency"] * processes
