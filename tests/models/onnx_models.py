"""Real .onnx classifiers of a few hundred bytes, for tests that need a file and no framework that trains."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def classifier(path: Path, size: int = 8, classes: int = 4, bias: float = 0.0, batch: int | str = 1) -> Path:
    """Mean colour -> linear -> softmax; `bias` NaN gives NaN outputs."""
    weights = np.random.default_rng(0).normal(size=(3, classes)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["pixels", "axes"], ["mean"], keepdims=0),
            helper.make_node("MatMul", ["mean", "weights"], ["product"]),
            helper.make_node("Add", ["product", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        "classifier",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, size, size, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [batch, classes])],
        [
            numpy_helper.from_array(weights / 64, "weights"),
            numpy_helper.from_array(np.full(classes, bias, np.float32), "bias"),
            numpy_helper.from_array(np.array([1, 2], np.int64), "axes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def two_inputs(path: Path) -> Path:
    """Adds two images: not a classifier of one."""
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8, 8, 3]) for name in ("a", "b", "sum")]
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["sum"])], "two", info[:2], info[2:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def convolutional(path: Path, width: int = 16, classes: int = 10, group_norm: bool = False, seed: int = 0) -> Path:
    """Three convolutions with ReLU between, pooled into a Gemm with a bias: NCHW pixels 0-255 of 16x16 -> logits."""
    generator = np.random.default_rng(seed)
    nodes, constants, source, before = [], [], "pixels", 3
    for index in range(3):
        scale = np.sqrt(2 / (9 * before)) / (128 if index == 0 else 1)
        weights = (generator.normal(size=(width, before, 3, 3)) * scale).astype(np.float32)
        bias = (generator.normal(size=width) / 4).astype(np.float32)
        constants += [numpy_helper.from_array(weights, f"w{index}"), numpy_helper.from_array(bias, f"b{index}")]
        name, parts = f"conv{index}", [source, f"w{index}", f"b{index}"]
        convolution = helper.make_node("Conv", parts, [f"c{index}"], pads=[1] * 4, name=name)
        nodes.append(convolution)
        normalised = f"c{index}"
        if group_norm:
            ones, zeros = np.ones(4, np.float32), np.zeros(4, np.float32)
            for name, value in (("grouped", [1, 4, -1]), ("whole", [1, width, 16, 16])):
                constants.append(numpy_helper.from_array(np.array(value, np.int64), f"{name}{index}"))
            constants += [numpy_helper.from_array(ones, f"g{index}"), numpy_helper.from_array(zeros, f"z{index}")]
            nodes += [
                helper.make_node("Reshape", [normalised, f"grouped{index}"], [f"rg{index}"]),
                helper.make_node("InstanceNormalization", [f"rg{index}", f"g{index}", f"z{index}"], [f"n{index}"]),
                helper.make_node("Reshape", [f"n{index}", f"whole{index}"], [f"rw{index}"]),
            ]
            normalised = f"rw{index}"
        nodes.append(helper.make_node("Relu", [normalised], [f"r{index}"], name=f"relu{index}"))
        source, before = f"r{index}", width
    constants += [
        numpy_helper.from_array(generator.normal(size=(width, classes)).astype(np.float32), "wd"),
        numpy_helper.from_array(generator.normal(size=classes).astype(np.float32), "bd"),
    ]
    nodes += [
        helper.make_node("GlobalAveragePool", [source], ["pool"], name="pool"),
        helper.make_node("Flatten", ["pool"], ["flat"], name="flat"),
        helper.make_node("Gemm", ["flat", "wd", "bd"], ["logits"], name="dense"),
    ]
    graph = helper.make_graph(
        nodes,
        "convolutional",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, classes])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def centred(path: Path, inputs: np.ndarray) -> Path:
    """Take the mean logits over `inputs` off the last bias of a `convolutional`, so that its classes differ."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    mean = np.mean([session.run(None, {"pixels": row[None]})[0][0] for row in inputs], axis=0)
    model = onnx.load(path)
    bias = next(value for value in model.graph.initializer if value.name == "bd")
    bias.CopyFrom(numpy_helper.from_array((numpy_helper.to_array(bias) - mean).astype(np.float32), "bd"))
    onnx.save(model, path)
    return path
