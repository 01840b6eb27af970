"""Curves by severity and corruption errors, from answers worked out by hand."""

import dataclasses

import numpy as np
import pytest

from edgebench.measures.outputs import pack
from edgebench.measures.significance import holm, p_change
from edgebench.records import Evaluation, Perturbation
from edgebench.results.corruption import corruption_errors, curves
from edgebench.results.derived import derive
from edgebench.results.rows import to_row
from tests.make import make_accuracy, make_result, make_set

N = 100


def evaluation(lost, kind="", severity=0.0):
    """The source model has all but the last ten right; the artifact loses the first `lost` of them."""
    reference = np.arange(N) < N - 10
    own = reference & (np.arange(N) >= lost)
    counts = make_accuracy(N, lost=lost, won=0, both=N - 10 - lost, loss=lost / 10)
    counts = dataclasses.replace(counts, right=pack(own), reference_right=pack(reference))
    return Evaluation(make_set(images=N), counts, Perturbation(kind, severity) if kind else None)


def rows(*evaluations, **changes):
    made = dataclasses.replace(make_result(**changes), evaluations=evaluations)
    return [to_row(one) for one in derive(made)]


FOG = evaluation(20, "fog", 2.0), evaluation(10, "fog", 1.0), evaluation(0, "fog", 0.0)


def test_a_curve_is_in_the_order_of_severity():
    (fog, snow) = curves(rows(evaluation(0), *FOG, evaluation(2, "snow", 1.0)))
    assert (fog.kind, fog.severities, fog.row.perturbation) == ("fog", (0.0, 1.0, 2.0), "")
    assert fog.top1 == (0.9, 0.8, 0.7) and fog.reference == (0.9,) * 3 and fog.loss == (0.0, 1.0, 2.0)
    assert fog.extra_drop.value == pytest.approx(0.15)  # the mean of 10 and 20, without the severity of nothing
    scores = np.where(np.arange(N) < 10, 1.0, np.where(np.arange(N) < 20, 0.5, 0.0))
    centre = scores.sum() / (N + 2)
    error = np.sqrt((((scores**2).sum() + 2) / (N + 2) - centre**2) / (N + 2))
    ends = centre - 1.959963985 * error, centre + 1.959963985 * error
    assert (fog.extra_drop.low, fog.extra_drop.high) == pytest.approx(ends, abs=1e-9)
    alone = curves(rows(evaluation(0), evaluation(2, "snow", 1.0)))[0]
    assert alone.p == pytest.approx(float(p_change(2, 0, N)), rel=1e-9)
    assert snow.p == pytest.approx(max(alone.p, fog.p)) and fog.extra_is_real and not snow.extra_is_real
    single = curves(rows(evaluation(0), *FOG))[0]
    assert [fog.p, snow.p] == pytest.approx(list(holm([single.p, alone.p])))


def test_a_gain_under_corruption_is_no_loss():
    (curve,) = curves(rows(evaluation(40), evaluation(0, "fog", 1.0)))
    assert curve.extra_drop.value == pytest.approx(-0.4) and curve.p < 0.05 and not curve.extra_is_real


def test_without_answers_nothing_is_said_of_the_extra_drop():
    bare = dataclasses.replace(FOG[0], accuracy=dataclasses.replace(FOG[0].accuracy, right="", reference_right=""))
    for evaluations in ((evaluation(0), bare), (evaluation(0), FOG[1], bare)):
        (curve,) = curves(rows(*evaluations))
        assert curve.extra_drop is None and curve.p == 1.0 and not curve.extra_is_real
    assert curves(rows(*FOG)) == [] == curves([])  # nothing to hold them against


def test_corruption_errors_of_every_artifact():
    first = rows(evaluation(0), *FOG, evaluation(30, "snow", 1.0))  # severity 0 is no corruption
    (found,) = corruption_errors(curves(first))
    assert (found.kinds, found.row.perturbation) == (2, "")
    assert found.mean == pytest.approx(((0.2 + 0.3) / 2 + 0.4) / 2)
    assert found.relative == pytest.approx((0.5 / 0.2 + 0.4 / 0.1) / 2)
    other = rows(evaluation(0), *FOG[:1], variant="onnx:int8")
    assert [errors.row.variant for errors in corruption_errors(curves(first + other))] == [
        "tflite:float32",
        "onnx:int8",
    ]
