"""From pixels to inputs and from outputs to real numbers, in worked examples: every sign, order and rounding."""

import numpy as np
import pytest

from edgebench.records import Preprocessing, TensorSpec
from edgebench.runner.preprocess import guess_layout, halves, input_table, model_input, normalise, to_input, to_real

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


HALF = Preprocessing("half", scale=1 / 255, mean=(0.5,), std=(0.5,))
STEP = float(np.float32(2 / 255))  # what converters store: not quite two 255ths
EVERY = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)


@pytest.mark.parametrize("zero_point", [-1, 0])
def test_pixels_halfway_between_two_steps_go_up_whatever_the_last_bit_says(zero_point):
    spec = TensorSpec("x", (1, 16, 16, 1), "int8", STEP, zero_point)
    expected = np.minimum(np.arange(256) - 127 + zero_point, 127)  # (p - 127.5) + zero point, and halves up
    assert model_input(EVERY, HALF, spec).reshape(-1).tolist() == np.maximum(expected, -128).tolist()
    assert halves(HALF, spec, 1) == 255 and halves(HALF, spec, 3) == 3 * 255  # the last one is clipped
    floats = to_input(normalise(EVERY, HALF), spec).reshape(-1)
    assert (floats != model_input(EVERY, HALF, spec).reshape(-1)).sum() > 10  # arithmetic in float32 says otherwise


def test_where_no_pixel_lies_halfway_the_table_is_what_arithmetic_says():
    rule = Preprocessing("x", scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), channels="BGR")
    images = np.random.default_rng(0).integers(0, 256, (4, 9, 5, 3), np.uint8)
    for dtype, scale, zero_point in (("int8", 0.0187, -14), ("uint8", 0.0187, 114)):
        spec = TensorSpec("x", (1, 9, 5, 3), dtype, scale, zero_point)
        assert halves(rule, spec, 3) == 0
        for layout in ("NHWC", "NCHW"):
            ours = model_input(images, rule, spec, layout)
            assert ours.dtype == np.dtype(dtype) and ours.flags.c_contiguous
            assert np.array_equal(ours, to_input(normalise(images, rule, layout), spec))


def test_bytes_and_floats_are_handed_on():
    bytes_ = TensorSpec("x", (1, 16, 16, 1), "uint8")
    assert np.array_equal(model_input(EVERY, Preprocessing("none"), bytes_), EVERY)
    assert np.array_equal(model_input(EVERY, HALF, TensorSpec("x", EVERY.shape, "float32")), normalise(EVERY, HALF))
    assert input_table(Preprocessing("none", mean=(1.0, 2.0, 3.0)), bytes_, 3)[[0, 255]].tolist() == [
        [0, 0, 0],
        [254, 253, 252],
    ]
