"""torch -> SavedModel without a second port of the model: its graph as StableHLO in one XlaCallModule operation.

This is what jax2tf does for JAX. The weights are ordinary variables of the SavedModel; batch and shapes are static.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import torch

os.environ.setdefault("LITERT_TORCH_SHOW_PROGRESS", "n")

from litert_converter.mlir import passmanager
from litert_torch import fx_infra
from litert_torch.backend import export
from tensorflow.compiler.tf2xla.python import xla

_BOOLEANS = re.compile(r'dense<"0x([0-9A-Fa-f]+)"> : tensor<((?:\d+x)+)i1>')


def write_savedmodel(module: torch.nn.Module, shape: tuple[int, ...], path: Path) -> None:
    """Write `module`, traced on one input of `shape`, as a SavedModel with one signature, pixel_values -> logits."""
    program = torch.export.export(module, (torch.zeros(shape),))
    program = fx_infra.safe_run_decompositions(program, fx_infra.decomp.pre_convert_decomp(), can_skip=False)
    lowered = export.exported_program_to_mlir(program, inline_constants=False)
    function = _Function(lowered, shape)
    tf.saved_model.save(function, str(path), signatures={"serving_default": function.call})


class _Function(tf.Module):  # type: ignore[misc]
    """The lowered graph as a tf.function over tf.Variables."""

    def __init__(self, lowered: Any, shape: tuple[int, ...]) -> None:
        super().__init__()
        self._weights = {
            name: tf.Variable(tensor.detach().numpy(), trainable=False, name=re.sub(r"[^\w/]", "_", f"w/{name}"))
            for name, tensor in lowered.state_dict.items()
        }
        text = _stablehlo(lowered)
        order = [signature.input_spec for signature in lowered.input_signature]
        output = list(lowered.output_signature[0].shape)

        def call(pixel_values: Any) -> dict[str, object]:
            arguments = [self._weights[spec.name] if spec.is_parameter else pixel_values for spec in order]
            results = xla.call_module(
                arguments,
                version=xla.call_module_maximum_supported_version(),
                Tout=[tf.float32],
                Sout=[output],
                function_list=[],
                module=text,
                has_token_input_output=False,
                platforms=["CPU"],
                disabled_checks=["platform"],  # nothing in it is the CPU's own: a GPU may run it too
            )
            return {"logits": results[0]}

        self.call = tf.function(call, input_signature=[tf.TensorSpec(shape, tf.float32, name="pixel_values")])


def _stablehlo(lowered: Any) -> str:
    """The module as text that TensorFlow's own, older MLIR reads."""
    with lowered.ctx:
        passes = "builtin.module(inline, cse, canonicalize, cse)"
        passmanager.PassManager.parse(passes).run(lowered.module.operation)
    text = lowered.module.operation.get_asm().replace("arith.constant", "stablehlo.constant")
    return _BOOLEANS.sub(_spelled_out, text)


def _spelled_out(match: re.Match[str]) -> str:
    """Boolean constants as true and false: newer MLIR packs one in a byte, older ones eight."""
    shape = [int(size) for size in match[2].rstrip("x").split("x")]
    values = np.frombuffer(bytes.fromhex(match[1]), np.uint8).astype(bool)
    return f"dense<{json.dumps(values.reshape(shape).tolist())}> : tensor<{match[2]}i1>"
