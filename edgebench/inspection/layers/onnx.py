"""Every tensor of an .onnx while it runs, and one of its operators alone, in onnxruntime without its optimiser.

Without the optimiser a QDQ graph computes what it says, each quantisation on its own; the fused kernels of a
processor round in other places, which is the processor's matter and not the layer's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from edgebench.errors import UsageError
from edgebench.inspection.audit import WORDS
from edgebench.inspection.graph import Graph, Node
from edgebench.inspection.layers.figures import Floats

CHANNELS = 1  # axis


class Taps:
    """One loaded file whose layers' outputs can be read after a run."""

    def __init__(self, content: bytes, graph: Graph) -> None:
        self._graph = graph
        model = onnx.load_from_string(content)
        wanted = dict.fromkeys(name for node in graph.nodes for name in node.outputs)
        stored = {value.name for value in model.graph.initializer}
        there = {value.name for value in model.graph.output}
        outputs = [name for name in wanted if name not in stored | there]
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
        self._session = _open(model.SerializeToString())
        self._names = [value.name for value in self._session.get_outputs()]
        self._values: dict[str, object] = {}

    def run(self, batch: Floats) -> None:
        """Run it on preprocessed float32 (1, ..) values."""
        node = self._session.get_inputs()[0]
        dtype = np.float16 if node.type == "tensor(float16)" else np.float32
        outputs = self._session.run(self._names, {node.name: batch.astype(dtype)})
        self._values = {node.name: batch, **dict(zip(self._names, outputs, strict=True))}

    def value(self, node: Node) -> Floats:
        """Return the real values of a node's first output, after its quantisation where it is quantised."""
        return self.tensor(_settled(self._graph, node.outputs[0]))

    def tensor(self, name: str) -> Floats:
        """Return the values of a tensor as the last run left them."""
        return np.asarray(self._values[name], np.float32)

    def holds(self, node: Node) -> tuple[float, float]:
        """Return the real values between which a node's output can lie; infinite where it is not quantised."""
        settled = _settled(self._graph, node.outputs[0])
        if settled == node.outputs[0]:
            return -np.inf, np.inf
        return self._graph.tensors[self._graph.producers[settled].inputs[0]].holds


def parse(content: bytes) -> Any:
    """Return what `Alone` cuts operators out of."""
    return onnx.load_from_string(content)


class Alone:
    """One operator with the quantisation around it as a model of its own: exact inputs in, its output out."""

    def __init__(self, parsed: Any, graph: Graph, node: Node) -> None:
        self._target = _settled(graph, node.outputs[0])
        self.inputs, kept = _behind(graph, node, self._target)
        wanted = set(kept)
        nodes = [item for place, item in enumerate(parsed.graph.node) if graph.nodes[place].name in wanted]
        used = {name for item in nodes for name in item.input}
        weights = [value for value in parsed.graph.initializer if value.name in used]
        half = any(value.data_type == onnx.TensorProto.FLOAT16 for value in weights)
        self._dtype = np.float16 if half else np.float32
        kind = onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT
        model = onnx.helper.make_model(
            onnx.helper.make_graph(
                nodes,
                "alone",
                [onnx.helper.make_tensor_value_info(name, kind, None) for name in self.inputs],
                [onnx.ValueInfoProto(name=self._target)],
                weights,
            ),
            opset_imports=parsed.opset_import,
            ir_version=parsed.ir_version,
        )
        self._session = _open(model.SerializeToString())

    def run(self, inputs: tuple[Floats, ...]) -> Floats:
        """Return its real output for the exact values of `self.inputs`."""
        feed = {name: values.astype(self._dtype) for name, values in zip(self.inputs, inputs, strict=True)}
        return np.asarray(self._session.run([self._target], feed)[0], np.float32)


def _behind(graph: Graph, node: Node, target: str) -> tuple[tuple[str, ...], list[str]]:
    """Return the varying tensors before the quantisation of a node's inputs, and the nodes from these to `target`."""
    words = WORDS["onnx"]
    kept = [node.name]
    name = target
    while name not in node.outputs:  # the quantisation of its output
        kept.append(graph.producers[name].name)
        name = graph.producers[name].inputs[0]
    starts: dict[str, None] = {}
    waiting = list(node.inputs)
    while waiting:
        name = waiting.pop(0)
        maker = graph.producers.get(name)
        if maker is None:
            if name in graph.inputs:
                starts[name] = None
        elif maker.kind in words.conversions or graph.stored(name, words.unpacking) is not None:
            kept.append(maker.name)
            waiting += [item for item in maker.inputs if item]
        else:
            starts[name] = None
    return tuple(starts), kept


def _settled(graph: Graph, name: str) -> str:
    """Return the tensor that a layer's readers see: behind QuantizeLinear and DequantizeLinear where they stand."""
    for reader in graph.consumers.get(name, ()):
        if reader.kind == "QuantizeLinear":
            for last in graph.consumers.get(reader.outputs[0], ()):
                if last.kind == "DequantizeLinear":
                    return last.outputs[0]
    return name


def _open(content: bytes) -> Any:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions have no common base but this
        raise UsageError(f"onnxruntime does not take it: {str(error).splitlines()[0][:300]}") from error
