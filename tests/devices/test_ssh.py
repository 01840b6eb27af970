"""Jobs, uploads and returns over a real sshd on this machine."""

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest

from edgebench.devices.base import Busy, Event, Phase, Upload
from edgebench.devices.local import LocalDevice
from edgebench.devices.ssh.device import SshDevice
from edgebench.files import sha256_file
from edgebench.pipeline.artifacts import find_artifacts
from edgebench.pipeline.profile import profile
from edgebench.pipeline.request import Request
from edgebench.records import OK, TIMEOUT, Job, Settings
from tests.devices.jobs import install_odd, odd_job
from tests.devices.sshd import LocalSshd
from tests.make import QUICK, make_job
from tests.models import onnx_models
from tests.waiting import wait_for

pytestmark = pytest.mark.device


def real_job(device, folder, kind: str) -> Job:
    model = onnx_models.classifier(folder / "model.onnx")
    images = folder / "images.npy"
    np.save(images, np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8))
    settings = Settings(min_runs=10, min_seconds=0, max_seconds=60, precision=0, timeout_seconds=300)
    return make_job(kind, device, artifact=model, images=images, runtime="onnxruntime", settings=settings)


def test_a_device_measures_what_this_machine_measures(board: LocalSshd, tmp_path):
    with SshDevice(board.config()) as far, LocalDevice() as near:
        info = far.info()
        assert info.runtimes["onnxruntime"] == near.info().runtimes["onnxruntime"]
        assert not info.emulated
        job = real_job(far, tmp_path, "accuracy")
        there, here = far.run(job, lambda e: None), near.run(real_job(near, tmp_path, "accuracy"), lambda e: None)
        assert there.run.status == OK and there.run.images == 3
        np.testing.assert_array_equal(there.outputs, here.outputs)
        memory = far.run(dataclasses.replace(job, kind="memory"), lambda e: None)
        latency = far.run(dataclasses.replace(job, kind="latency"), lambda e: None)
        assert memory.run.memory[-1].rss_bytes > 10_000_000
        assert len(latency.run.latency_ns) >= 10 and latency.outputs is None
    assert not [name for name in board.files() if name.startswith(("jobs", "incoming"))]


def test_one_profile_after_another_over_one_device(board: LocalSshd, tmp_path):
    """As `--throughput 1,3` does: the device is left and entered again."""
    found = find_artifacts([onnx_models.classifier(tmp_path / "model.onnx", batch="n")], None)
    device = SshDevice(board.config())
    for batch in (1, 3):
        settings = Settings(batch=batch, processes=1, max_processes=1, min_runs=10, min_seconds=0.05, max_seconds=1)
        (result,) = profile(Request(found, None, settings, tmp_path / "out"), device, lambda event: None)
        assert (result.status, result.reason) == (OK, "")
        assert result.runs[0].input.shape[0] == batch
    assert len(list((tmp_path / "out/results").rglob("model-onnx-*.json"))) == 2


def test_what_is_there_is_not_sent_again(board: LocalSshd, tmp_path):
    file = tmp_path / "a model; rm -rf $HOME.tflite"
    file.write_bytes(np.random.default_rng(0).bytes(3_000_000))
    folder = tmp_path / "saved model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "data").write_bytes(b"")
    with SshDevice(board.config(), tell=lambda e: None) as device:
        path = device.put(file, sha256_file(file))
        place = device.put(folder, sha256_file(folder))
        first = device.bytes_sent
        assert device.put(file, sha256_file(file)) == path
        assert device.put(folder, sha256_file(folder)) == place
        twin = file.with_name("twin.tflite")
        twin.write_bytes(file.read_bytes())
        assert Path(device.put(twin, sha256_file(twin))).read_bytes() == file.read_bytes()
        assert device.bytes_sent - first < 0.01 * first
    objects = board.store / "objects"
    assert (objects / sha256_file(file) / "a_model__rm_-rf__HOME.tflite").read_bytes() == file.read_bytes()
    assert (objects / sha256_file(folder) / "saved_model/saved_model.pb").read_bytes() == b"graph"


def test_an_upload_tells_its_rate(device, events, tmp_path):
    file = tmp_path / "big"
    file.write_bytes(bytes(2_000_000))
    device.put(file, sha256_file(file))
    last = [told.event for told in events if isinstance(told.event, Upload)][-1]
    assert last.done == last.total == 2_000_000 and last.bytes_per_second > 0


def test_progress_comes_while_the_job_runs(device, tmp_path):
    """Each image is waited for on the device until the host has heard of the one before."""
    heard: list[int] = []

    def hear(event: Event) -> None:
        if isinstance(event, Phase) and event.phase == "images":
            heard.append(event.done)
            (tmp_path / f"gate{event.done + 1}").touch()

    settings = dataclasses.replace(QUICK, timeout_seconds=500)
    (tmp_path / "gate1").touch()
    job = odd_job(device, tmp_path, {"gates": str(tmp_path / "gate")}, settings=settings)
    assert device.run(job, hear).run.status == OK
    assert heard == [1, 2, 3, 4, 5]


def test_a_job_that_takes_too_long_is_a_timeout_and_leaves_no_process(device, board, tmp_path):
    settings = dataclasses.replace(QUICK, timeout_seconds=1.5)
    job = odd_job(device, tmp_path, {"sleep": 60}, settings=settings)
    outcome = device.run(job, lambda event: None)
    assert outcome.run.status == TIMEOUT
    assert outcome.run.reason.startswith("no result within 1.5 s, last seen in phase '")


def test_a_device_is_one_profiles_from_its_first_job_to_its_last(device, board, tmp_path):
    """A second host waits for all of it, says for whom, and then measures."""
    jobs = [odd_job(device, tmp_path, {"sleep": 0.1}, repetition=number) for number in range(3)]
    spans: list[str] = []
    told: list[Event] = []
    with SshDevice(board.config(), "another", install=False) as other:
        other.facts()
        assert device.run(jobs[0], lambda event: None).run.status == OK

        def wait_and_measure():
            assert other.run(jobs[2], told.append).run.status == OK
            spans.append("second")

        thread = threading.Thread(target=wait_and_measure)
        thread.start()
        wait_for(lambda: [event for event in told if isinstance(event, Busy)])  # nothing runs, and yet it is not free
        device.run(jobs[1], lambda event: None)
        spans.append("first")
        device.__exit__(None, None, None)
        thread.join()
    assert spans == ["first", "second"]
    assert "@" in next(event.owner for event in told if isinstance(event, Busy))


def test_two_hosts_with_the_same_folder_are_two_sessions(board):
    one, other = (SshDevice(board.config(), install=False) for _ in range(2))
    assert one._session != other._session


def test_four_devices_measure_at_the_same_time(openssh, tmp_path):
    """Each of the four jobs goes on only once all four have begun."""
    boards = [LocalSshd(tmp_path / f"board{n}", f"board{n}") for n in range(4)]
    devices = [SshDevice(board.config(), install=False) for board in boards]
    statuses: list[str] = []
    settings = dataclasses.replace(QUICK, timeout_seconds=500)
    try:
        for device in devices:
            install_odd(device, tmp_path)
        jobs = [
            odd_job(device, tmp_path, {"meet": str(tmp_path / "here"), "of": 4}, 1, settings=settings)
            for device in devices
        ]

        def measure(device, job):
            statuses.append(device.run(job, lambda event: None).run.status)

        threads = [threading.Thread(target=measure, args=pair) for pair in zip(devices, jobs, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for device in devices:
            device.__exit__(None, None, None)
        for board in boards:
            board.stop()
    assert statuses == [OK] * 4
