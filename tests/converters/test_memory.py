"""Weights are copied a few times on their way to an artifact, not once a pass of somebody's optimiser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgebench.runner.memory import MemoryProbe

MEGABYTE = 2**20


def test_tf2onnx_does_not_copy_the_weights_in_every_pass() -> None:
    tf = pytest.importorskip("tensorflow")
    from edgebench.converters.keras import frozen_graph

    values = np.random.default_rng(0).normal(size=(2, 192, 40_000)).astype(np.float32)
    wide, narrow = (tf.Variable(value) for value in (values[0], values[1].T))
    spec = tf.TensorSpec((1, 8, 8, 3), tf.float32, name="image")
    memory = MemoryProbe()
    memory.end_phase("before")
    model = frozen_graph.to_onnx(
        frozen_graph.freeze(lambda x: tf.nn.relu(tf.reshape(x, (1, 192)) @ wide) @ narrow, spec)
    )
    memory.end_phase("conversion")
    before, after = memory.phases
    assert sum(len(value.raw_data) for value in model.graph.initializer) >= values.nbytes
    assert after.peak_rss_bytes - before.rss_bytes < 25 * values.nbytes  # 50 with a copy in each pass


def test_buffers_of_a_quantised_file_are_arrays(converted: Path) -> None:
    from edgebench.converters.quantize.tflite_rules import read_graph

    model = read_graph((converted / "artifacts" / "small" / "small-int8.tflite").read_bytes())
    kinds = {type(buffer.data) for buffer in model.buffers if buffer.data is not None}
    assert kinds == {np.ndarray}  # anything else the library writes byte by byte
