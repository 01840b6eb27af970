"""Which runtimes which board can have, and the plain words for those that can have none."""

import zipfile
from pathlib import Path

import pytest

from edgebench.devices.provision.advice import advise, describe, throttling, what_runs
from edgebench.devices.provision.facts import Facts
from edgebench.devices.provision.plan import make_plan
from edgebench.devices.provision.wheels import pack_wheel, platforms
from edgebench.files import sha256_file


def board(**changes) -> Facts:
    """A 64-bit Raspberry Pi OS Bookworm on a Pi 5, with changes."""
    values = {
        "name": "pi",
        "system": "Linux",
        "kernel": "6.6",
        "machine": "aarch64",
        "userland_bits": 64,
        "glibc": "2.36",
        "python": "3.11.2",
        "python_implementation": "cpython",
        "python_abi": "cp311",
        "python_path": "/usr/bin/python3",
        "os": "Debian GNU/Linux 12 (bookworm)",
        "features": ["fp", "asimd", "asimddp"],
        "disk_free_bytes": 10**10,
    }
    return Facts.model_validate({**values, **changes})


def names(facts: Facts) -> dict:
    return {family: [c.runtime for c in candidates] for family, candidates in make_plan(facts).candidates.items()}


BULLSEYE_32 = {"userland_bits": 32, "python": "3.9.2", "python_abi": "cp39"}
BOOKWORM_32 = {"userland_bits": 32, "packages": {"numpy": "1.24.2"}}
TRIXIE = {"python": "3.13.5", "python_abi": "cp313", "glibc": "2.41", "os": "Debian GNU/Linux 13 (trixie)"}


def test_64_bits_get_litert_and_onnxruntime():
    assert names(board()) == {"tflite": ["litert", "tflite-runtime"], "onnx": ["onnxruntime"]}
    assert names(board(**TRIXIE)) == {"tflite": ["litert"], "onnx": ["onnxruntime"]}
    assert make_plan(board()).candidates["tflite"][1].requirements == ("tflite-runtime", "numpy<2")


@pytest.mark.parametrize("machine", ["armv7l", "aarch64", "armv8l"])
def test_32_bits_get_tflite_runtime_whatever_the_kernel_says(machine):
    facts = board(machine=machine, **BOOKWORM_32)
    assert facts.architecture == "armv7l"
    assert names(facts) == {"tflite": ["tflite-runtime"]}
    assert make_plan(facts).candidates["tflite"][0].requirements == ("tflite-runtime",)  # Debian's own numpy
    assert "no wheels for 32-bit ARM" in make_plan(facts).reasons["onnx"]
    assert (machine == "aarch64") == any("kernel has 64 bits" in line for line in advise(facts))


def test_32_bits_without_numpy_are_told_to_install_it():
    assert any("sudo apt install python3-numpy" in line for line in advise(board(**BULLSEYE_32)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({**TRIXIE, "userland_bits": 32}, "a dead end"),
        ({"glibc": None}, "not glibc"),
        ({"machine": "armv6l", "userland_bits": 32}, "Raspberry Pi 1 and Zero"),
        ({"machine": "riscv64"}, "no runtime has wheels for riscv64"),
        ({"system": "Darwin"}, "Linux devices only"),
        ({"python_implementation": "pypy"}, "CPython only"),
    ],
)
def test_dead_ends_are_said_plainly(changes, words):
    facts = board(**changes)
    assert names(facts) == {}
    assert words in what_runs(facts)["tflite"] and what_runs(facts)["tflite"].startswith("nothing: ")


def test_what_is_there_already_is_used():
    facts = board(packages={"numpy": "1.26.4", "tflite-runtime": "2.14.0"})
    assert what_runs(facts)["tflite"].startswith("tflite-runtime 2.14.0: float32, float16, dynamic, int8, int16x8")
    assert what_runs(facts)["onnx"].startswith("onnxruntime, carried over by the first profile")
    assert what_runs(board(packages={"onnxruntime": "1.20"}))["onnx"].startswith("onnxruntime, carried over")


def test_wheels_for_a_device_are_those_of_its_glibc_and_older():
    tags = platforms(board(glibc="2.31"))
    assert tags[0] == "manylinux_2_31_aarch64" and "manylinux2014_aarch64" in tags
    assert not [tag for tag in tags if "2_36" in tag]
    assert all(tag.endswith("_armv7l") for tag in platforms(board(machine="armv7l", **BOOKWORM_32)))


def test_throttle_bits_in_words():
    assert throttling(0) == ""
    assert throttling(0x50005) == "under-voltage now, throttled now, under-voltage earlier, throttled earlier"
    assert any("power supply" in line for line in advise(board(throttled=0x50000)))
    assert describe(board(throttled=0))["throttling"] == "none since it started"
    assert "asimddp" in describe(board())["int8"] and describe(board())["int8"].startswith("fast")
    assert describe(board(features=[]))["int8"].startswith("no dot product")


def test_a_packed_wheel_holds_what_inference_needs_and_the_same_bytes_every_time(tmp_path: Path):
    wheel = tmp_path / "thing-1.0-py3-none-any.whl"
    files = ("thing/__init__.py", "thing/tests/test.py", "thing/core.pyi", "thing-1.0.data/platlib/thing/lib.so")
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in (*files, "../outside.py", "/absolute.py"):
            archive.writestr(name, name)
    for target in ("a.zip", "b.zip"):
        pack_wheel(wheel, tmp_path / target)
    assert sha256_file(tmp_path / "a.zip") == sha256_file(tmp_path / "b.zip")
    assert sorted(zipfile.ZipFile(tmp_path / "a.zip").namelist()) == ["thing/__init__.py", "thing/lib.so"]
