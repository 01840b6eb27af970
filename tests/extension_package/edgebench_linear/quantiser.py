"""Precisions of `.lin` other than float32."""

import numpy as np

from edgebench.converters.base import Quantised


def input_shape(source):
    return (1, *np.load(source)["shape"].tolist())


def quantise(source, precision, path, inputs=None):
    assert precision == "float16"
    parts = np.load(source)
    with path.open("wb") as stream:
        np.savez(stream, shape=parts["shape"], weights=parts["weights"].astype(np.float16), bias=parts["bias"])
    return Quantised("weights float16, computed in float32")
