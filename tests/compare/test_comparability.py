"""What may be compared with what: every figure of the table, and every way in which two results are not alike."""

import dataclasses

import pytest

from edgebench.compare.pairs import pair
from edgebench.compare.values import NAMES, values_of
from edgebench.expression import Unmeasured
from edgebench.records import Calibration, Perturbation
from edgebench.results.figure import Basis
from edgebench.results.figures import FIGURES
from tests.make import MACHINE, PROTOCOL, make_accuracy, make_result, make_set


def on(cpu):
    result = make_result()
    runs = (dataclasses.replace(run, environment={**MACHINE, "cpu": cpu}) for run in result.runs)
    return dataclasses.replace(result, runs=tuple(runs))


def perturbed():
    result = make_result()
    [evaluation] = result.evaluations
    return dataclasses.replace(
        result, evaluations=(dataclasses.replace(evaluation, perturbation=Perturbation("noise", 40.0)),)
    )


OTHERS = {
    "machine": (on("Other"), {Basis.MACHINE}, "different machines: Example Xeon @ 2.50GHz, 2 cores; Other, 2 cores"),
    "emulated": (make_result(emulated=True), {Basis.MACHINE}, "an emulated processor's times and memory mean nothing"),
    "threads": (
        make_result(settings=dataclasses.replace(PROTOCOL, threads=4)),
        {Basis.MACHINE},
        "measured with different threads: 1; 4",
    ),
    "care": (make_result(settings=dataclasses.replace(PROTOCOL, min_seconds=0.5)), set(), ""),
    "images": (
        make_result(evaluation=dataclasses.replace(make_set(), sha256="cd" * 32)),
        {Basis.IMAGES},
        "evaluated on different images",
    ),
    "part of the images": (
        make_result(evaluation=make_set(), accuracy=make_accuracy(images=490)),
        {Basis.IMAGES},
        "evaluated on 500 and 490 of the images",
    ),
    "perturbation": (perturbed(), {Basis.IMAGES}, "different perturbations: [test]; [test, noise 40]"),
    "gate": (
        make_result(artifact={"calibration": Calibration("data", 5, "ab" * 32, 0)}),
        {Basis.GATE},
        "the conversion's gate on different inputs",
    ),
    "nothing": (make_result(), set(), ""),
}


@pytest.mark.parametrize("name", OTHERS)
def test_every_figure_is_compared_where_its_basis_allows_it(name):
    other, apart, reason = OTHERS[name]
    [cell] = pair([make_result()], [other])
    values = values_of(cell)
    assert set(values) == NAMES
    [same] = pair([make_result()], [make_result()])
    alike = values_of(same)
    for figure in FIGURES.values():
        both = [f"{figure.name}_baseline"]
        both += [f"{figure.name}_ratio", f"{figure.name}_change"] if figure.number else []
        for word in both:
            told = isinstance(values[word], Unmeasured) and reason in str(values[word])
            if figure.basis in apart:
                assert told or isinstance(alike[word], Unmeasured), word  # not measured on either side says so itself
            elif not isinstance(alike[word], Unmeasured):
                assert not isinstance(values[word], Unmeasured), word
    for word in ("slower", "faster"):
        assert isinstance(values[word], Unmeasured) == (Basis.MACHINE in apart)


def test_an_emulators_times_are_not_even_the_candidates_own():
    [cell] = pair([make_result(emulated=True)], [make_result(emulated=True)])
    values = values_of(cell)
    for figure in FIGURES.values():
        if figure.basis is Basis.MACHINE:
            assert isinstance(values[figure.name], Unmeasured)
    assert not isinstance(values["size_bytes_ratio"], Unmeasured)
    assert not isinstance(values["top1_change"], Unmeasured)


def test_the_bases_of_what_is_most_often_asked():
    bases = {name: FIGURES[name].basis for name in ("images_per_second", "sqnr_db", "size_bytes", "peak_rss_bytes")}
    assert list(bases.values()) == [Basis.MACHINE, Basis.IMAGES, Basis.ARTIFACT, Basis.MACHINE]
    assert {FIGURES[name].basis for name in ("loss", "agreement", "agreement_with_host", "exact")} == {Basis.IMAGES}
    assert FIGURES["joules_per_image"].basis is FIGURES["load_ms"].basis is Basis.MACHINE


def test_speed_is_the_inverse_of_latency_with_its_interval():
    [cell] = pair([make_result()], [make_result(latency_ms=2.2)])
    values = values_of(cell)
    ratio, speed = values["latency_ms_median_ratio"], values["images_per_second_ratio"]
    assert speed.value == 1 / ratio.value and (speed.low, speed.high) == (1 / ratio.high, 1 / ratio.low)
    assert ratio.value == pytest.approx(1.1, rel=1e-3)


def test_shares_carry_the_interval_of_wilson_as_scipy_has_it():
    from scipy.stats import binomtest

    accuracy = make_accuracy(images=500, both=470, lost=9, won=3)
    [cell] = pair([make_result()], [make_result(accuracy=accuracy)])
    values = values_of(cell)
    expected = binomtest(473, 500).proportion_ci(0.95, method="wilson")
    assert (values["top1"].low, values["top1"].high) == pytest.approx((expected.low, expected.high), abs=1e-14)
    old = binomtest(480, 500).proportion_ci(0.95, method="wilson")  # Newcombe 1998, method 10
    change, d = values["top1_change"], 473 / 500 - 480 / 500
    below = ((473 / 500 - expected.low) ** 2 + (old.high - 480 / 500) ** 2) ** 0.5
    above = ((expected.high - 473 / 500) ** 2 + (480 / 500 - old.low) ** 2) ** 0.5
    assert (change.value, change.low, change.high) == pytest.approx((d, d - below, d + above), abs=1e-14)
