"""One key for a cell: another file wherever anything that was asked for is another."""

import dataclasses

import pytest

from edgebench.cells import key_of
from edgebench.compare.pairs import pair
from edgebench.errors import UsageError
from edgebench.records import Perturbation, Settings
from tests.make import make_result, make_set

CHANGES = {bool: lambda value: not value, int: lambda value: value + 3, float: lambda value: value + 0.5}


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Settings)])
def test_no_two_settings_share_a_file(name):
    default = getattr(Settings(), name)
    changed = "gpu" if isinstance(default, str) else CHANGES[type(default)](default)
    one, other = (
        key_of(make_result(settings=dataclasses.replace(Settings(), **change))) for change in ({}, {name: changed})
    )
    assert one.file_name != other.file_name and one.file_name.startswith("digits-tflite-float32-")


def test_other_images_labels_and_perturbations_are_other_files():
    base = make_result()
    [evaluation] = base.evaluations
    noisy = dataclasses.replace(evaluation, perturbation=Perturbation("noise", 40.0))
    seeded = dataclasses.replace(evaluation, perturbation=Perturbation("noise", 40.0, 1))
    results = [
        base,
        make_result(evaluation=dataclasses.replace(make_set(), sha256="cd" * 32)),
        dataclasses.replace(base, evaluations=()),
        *(dataclasses.replace(base, evaluations=(evaluation, one)) for one in (noisy, seeded)),
        make_result(runtime="tflite-runtime"),
    ]
    assert len({key_of(result).file_name for result in results}) == len(results)


def test_names_are_readable():
    settings = Settings(threads=4, batch=8, rate_hz=30.0)
    plain = dataclasses.replace(make_result(settings=Settings()), evaluations=())
    assert key_of(plain).file_name == "digits-tflite-float32-nodata"
    key = key_of(make_result(settings=settings, runtime="tflite-runtime"))
    assert key.file_name.startswith("digits-tflite-float32-tflite-runtime-4threads-batch8-30hz-")
    assert key.name == "digits tflite:float32 on cpu (tflite-runtime, 4 threads, batch 8, 30 images a second)"


def test_a_cell_measured_in_two_ways_is_paired_with_its_own():
    ways = [Settings(processes=3, min_seconds=1.0), Settings(processes=4)]
    old, new = ([make_result(settings=way) for way in ways] for _ in range(2))
    pairs = pair(old, new[::-1])
    assert [(one.baseline.result.settings, one.candidate.result.settings) for one in pairs] == [(w, w) for w in ways]
    with pytest.raises(UsageError, match="the baseline holds two results of digits tflite:float32 on cpu"):
        pair([old[0], old[0]], new)
