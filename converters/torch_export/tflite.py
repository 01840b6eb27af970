"""torch -> TFLite through litert-torch, with biases the quantiser can use and short tensor names."""

from __future__ import annotations

import collections
import os
from typing import Any

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from torch.nn import functional
from torch.overrides import TorchFunctionMode

os.environ.setdefault("LITERT_TORCH_SHOW_PROGRESS", "n")

import litert_torch

BIASED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
RECTIFIED = (1, 3)
"""RELU and RELU6 among the schema's fused activations."""
LOWEST = -1e30
ENDS = "serving_default_"
"""What the names of a signature's inputs and outputs begin with; they stay."""


def tflite_bytes(module: torch.nn.Module, shape: tuple[int, ...], input_name: str) -> bytes:
    """Return `module`, traced on one input of `shape`, its argument `input_name`, as a float32 .tflite."""
    with Spelled():
        content = litert_torch.convert(module, sample_kwargs={input_name: torch.zeros(shape)}).model_content()
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for graph in model.subgraphs:
        _flatten_biases(model, graph)
        _pad_with_zeros(model, graph)
        _plain_pads(model, graph)
        _shorten(graph.tensors)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


class Spelled(TorchFunctionMode):  # type: ignore[misc]  # torch carries no types here
    """While it is entered, what litert-torch has no working form for is traced as plain operators (MobileViTV2).

    A product broadcasts without `expand_as`; patches that neither overlap nor leave a gap are taken apart and put
    together by a transposition, where torch gathers and scatters single values.
    """

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `function`, or what stands for it."""
        kwargs = kwargs or {}
        if function is torch.Tensor.expand_as:
            return args[0]  # as a factor or an addend it is the same
        if function is functional.unfold and (patch := _patch(args[1:], kwargs)):
            return _unfold(args[0], *patch)
        if function is functional.fold and (patch := _patch(args[2:], kwargs)):
            height, width = args[1] if len(args) > 1 else kwargs["output_size"]
            return _fold(args[0], height, width, *patch)
        return function(*args, **kwargs)


def _patch(positional: Any, kwargs: dict[str, Any]) -> tuple[int, int] | None:
    """Return the height and width of patches that lie beside one another, None where they do not."""
    given = {**dict(zip(("kernel_size", "dilation", "padding", "stride"), positional, strict=False)), **kwargs}
    pairs = {
        name: (value, value) if isinstance(value, int) else tuple(value)
        for name, value in {"dilation": 1, "padding": 0, "stride": 1, **given}.items()
        if name in ("kernel_size", "dilation", "padding", "stride")
    }
    plain = pairs["dilation"] == (1, 1) and pairs["padding"] == (0, 0) and pairs["stride"] == pairs["kernel_size"]
    return pairs["kernel_size"] if plain else None


def _unfold(image: torch.Tensor, high: int, wide: int) -> torch.Tensor:
    """(1, channels, height, width) -> (1, channels * patch, patches), as `functional.unfold`."""
    batch, channels, height, width = image.shape
    cut = image.reshape(batch * channels, height // high, high, width // wide, wide).permute(0, 2, 4, 1, 3)
    return cut.reshape(batch, channels * high * wide, -1)


def _fold(patches: torch.Tensor, height: int, width: int, high: int, wide: int) -> torch.Tensor:
    """The way back, as `functional.fold`."""
    batch, channels = patches.shape[0], patches.shape[1] // (high * wide)
    cut = patches.reshape(batch * channels, high, wide, height // high, width // wide).permute(0, 3, 1, 4, 2)
    return cut.reshape(batch, channels, height, width)


def _flatten_biases(model: Any, graph: Any) -> None:
    """ConvNeXt's folded layer scales leave biases of shape (1, 1, 1, n), which no runtime takes once quantised."""
    uses = collections.Counter(int(index) for operator in graph.operators for index in operator.inputs)
    for operator in graph.operators:
        name = flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex)
        if name not in BIASED or len(operator.inputs) < 3 or operator.inputs[2] < 0:
            continue
        bias = graph.tensors[operator.inputs[2]]
        if len(bias.shape) > 1 and bias.shape[-1] == np.prod(bias.shape) and uses[int(operator.inputs[2])] == 1:
            bias.shape = np.array([bias.shape[-1]], np.int32)


def _pad_with_zeros(model: Any, graph: Any) -> None:
    """Torch pads before a maximum with minus infinity, which has no int8 scale; after a ReLU a zero is the same."""
    producers = {int(output): operator for operator in graph.operators for output in operator.outputs}
    fillings: dict[int, list[bool]] = {}
    for operator in graph.operators:
        if flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex) == "PADV2":
            fed_by = producers.get(int(operator.inputs[0]))
            positive = fed_by is not None and (
                flatbuffer_utils.opcode_to_name(model, fed_by.opcodeIndex) in ("RELU", "RELU6")
                or getattr(fed_by.builtinOptions, "fusedActivationFunction", 0) in RECTIFIED
            )
            fillings.setdefault(int(graph.tensors[operator.inputs[2]].buffer), []).append(positive)
    for index, rectified in fillings.items():
        value = np.frombuffer(bytes(model.buffers[index].data), np.float32)
        if all(rectified) and value.size == 1 and value[0] < LOWEST:
            model.buffers[index].data = np.frombuffer(np.float32(0).tobytes(), np.uint8)


def _plain_pads(model: Any, graph: Any) -> None:
    """PADV2 with zeros is PAD, which XNNPACK takes."""
    for operator in graph.operators:
        if flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex) != "PADV2":
            continue
        filling = model.buffers[graph.tensors[operator.inputs[2]].buffer].data
        if filling is not None and len(filling) and not np.any(np.asarray(filling)):
            operator.opcodeIndex = _opcode(model, schema.BuiltinOperator.PAD)
            operator.inputs = operator.inputs[:2]
            operator.builtinOptionsType = schema.BuiltinOptions.PadOptions
            operator.builtinOptions = schema.PadOptionsT()


def _opcode(model: Any, builtin: int) -> int:
    """Return the index of an operator's code in the model, adding it where it has not been used."""
    codes = [code.builtinCode for code in model.operatorCodes]
    if builtin not in codes:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        code.version = 1
        model.operatorCodes.append(code)
        return len(codes)
    return codes.index(builtin)


def _shorten(tensors: list[Any]) -> None:
    """Each name is the whole chain of Python classes, several times: a sixth of a small file. Names stay unique."""
    used: set[str] = set()
    for tensor in tensors:
        name = tensor.name.decode(errors="replace")
        if not name.startswith(ENDS):
            name = short_name(name)
        unique, count = name, 1
        while unique in used:
            count += 1
            unique = f"{name}:{count}"
        used.add(unique)
        tensor.name = unique.encode()


def short_name(name: str) -> str:
    """`a.b.Logits/c.d.ViTModel_vit/e.f.Linear_fc1;..` -> `vit.fc1`: the module's own path, as torch names it."""
    parts = [segment.rpartition(".")[2].partition("_")[2] for segment in name.partition(";")[0].split("/")[1:]]
    return ".".join(part for part in parts if part) or name[:40]
