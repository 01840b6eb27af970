"""From pixels to inputs and from outputs to real numbers, in worked examples: every sign, order and rounding."""

import numpy as np
import pytest

from edgebench.records import Preprocessing, TensorSpec
from edgebench.runner.preprocess import guess_layout, normalise, to_input, to_real

ROWS = [[[0, 100, 200], [10, 110, 210]], [[20, 120, 220], [30, 130, 230]], [[1, 2, 3], [4, 5, 6]]]
PIXELS = np.array([ROWS], np.uint8)


def test_nothing_is_done_where_nothing_is_asked_for():
    values = normalise(PIXELS, Preprocessing("none"))
    assert values.dtype == np.float32 and values.flags.c_contiguous
    np.testing.assert_array_equal(values, PIXELS)


def test_scale_then_mean_then_deviation():
    rule = Preprocessing("test", scale=0.5, mean=(1.0, 2.0, 3.0), std=(2.0, 4.0, 8.0))
    assert normalise(PIXELS, rule)[0, 0, 0].tolist() == [(0 - 1) / 2, (50 - 2) / 4, (100 - 3) / 8]
    for changes, expected in (
        ({"scale": 0.5}, [0.0, 50.0, 100.0]),
        ({"mean": (0.0, 0.0, 4.0)}, [0.0, 100.0, 196.0]),
        ({"mean": (-1.0,)}, [1.0, 101.0, 201.0]),
        ({"std": (1.0, 1.0, 4.0)}, [0.0, 100.0, 50.0]),
        ({"std": (2.0,)}, [0.0, 50.0, 100.0]),
        ({"scale": 1.0, "mean": (0.0,), "std": (1.0,)}, [0.0, 100.0, 200.0]),
    ):
        values = normalise(PIXELS, Preprocessing("test", **changes))
        assert values[0, 0, 0].tolist() == expected and values.dtype == np.float32


def test_bgr_turns_the_colours_and_keeps_the_means_in_the_models_order():
    assert normalise(PIXELS, Preprocessing("x", channels="BGR"))[0, 0, 0].tolist() == [200.0, 100.0, 0.0]
    rule = Preprocessing("caffe", channels="BGR", mean=(103.0, 116.0, 123.0))
    assert normalise(PIXELS, rule)[0, 0, 0].tolist() == [97.0, -16.0, -123.0]
    assert normalise(PIXELS, Preprocessing("x", channels="RGB"))[0, 0, 0].tolist() == [0.0, 100.0, 200.0]


def test_layouts():
    values = normalise(PIXELS, Preprocessing("none"), "NCHW")
    assert values.shape == (1, 3, 3, 2) and values.flags.c_contiguous
    assert values[0, :, 2, 1].tolist() == [4.0, 5.0, 6.0]
    assert normalise(PIXELS, Preprocessing("none"), "NHWC").shape == PIXELS.shape
    cases = {(1, 3, 8, 8): "NCHW", (1, 1, 8, 8): "NCHW", (1, 8, 8, 3): "NHWC", (1, 8, 8, 1): "NHWC"}
    cases |= {(1, 3, 8, 3): "NHWC", (1, 1, 8, 1): "NHWC", (1, 3, 8): "NHWC", (1, 2, 8, 8): "NHWC", (1, 4, 8, 8): "NHWC"}
    assert {shape: guess_layout(shape) for shape in cases} == cases


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "expected"),
    [
        ("uint8", 0.5, 10, [0, 8, 10, 12, 14, 255]),  # -5 / 0.5 + 10 = 0, clipped from -190 too
        ("int8", 0.5, -3, [-128, -5, -3, -1, 1, 127]),
        ("int16", 0.5, 0, [-200, -2, 0, 2, 4, 2000]),
    ],
)
def test_integers_are_scaled_shifted_and_clipped(dtype, scale, zero_point, expected):
    values = np.array([-100.0, -1.0, 0.0, 1.0, 2.0, 1000.0], np.float32)
    made = to_input(values, TensorSpec("x", (1, 6), dtype, scale, zero_point))
    assert made.dtype == np.dtype(dtype) and made.tolist() == expected


def test_halves_round_to_even_and_without_a_scale_nothing_is_shifted():
    values = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 0.49, 0.51], np.float32)
    assert to_input(values, TensorSpec("x", (1, 7), "int8")).tolist() == [0, 2, 2, 0, -2, 0, 1]
    assert to_input(values, TensorSpec("x", (1, 7), "int8", 0.0, 9)).tolist() == [0, 2, 2, 0, -2, 0, 1]
    assert to_input(values * 3, TensorSpec("x", (1, 7), "int8", 3.0, 1)).tolist() == [2, 2, 4, 0, 0, 1, 2]


def test_floats_stay_what_they_are():
    values = np.array([[0.1, -7.5]], np.float32)
    assert to_input(values, TensorSpec("x", (1, 2), "float32", 0.5, 9)) is values
    half = to_input(values, TensorSpec("x", (1, 2), "float16"))
    assert half.dtype == np.float16 and half.tolist() == values.astype(np.float16).tolist()


def test_outputs_become_real_numbers():
    raw = np.array([[[-128, 0], [3, 127]]], np.int8)
    real = to_real(raw, TensorSpec("y", (1, 2, 2), "int8", 0.25, 3))
    assert real.dtype == np.float32 and real.tolist() == [[-32.75, -0.75, 0.0, 31.0]]
    assert to_real(raw, TensorSpec("y", (1, 2, 2), "int8")).dtype == np.float32
    assert to_real(raw, TensorSpec("y", (1, 2, 2), "int8", 0.0, 3)).tolist() == [[-128.0, 0.0, 3.0, 127.0]]


def test_there_and_back():
    spec = TensorSpec("x", (1, 5), "int8", 0.1, -20)
    values = np.array([[-9.9, -1.0, 0.0, 2.5, 14.7]], np.float32)
    np.testing.assert_allclose(to_real(to_input(values, spec), spec), values, atol=1e-5)
