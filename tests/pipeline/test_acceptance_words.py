"""What acceptance says of artifacts that came out, and should not be taken for good."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgebench.converters.protocol import Converted
from edgebench.errors import UsageError
from edgebench.files import sha256_file, write_json
from edgebench.images.preprocessing import parse
from edgebench.pipeline.acceptance import Verdict, judge
from edgebench.pipeline.artifacts import find_artifacts
from edgebench.pipeline.underway import Underway
from edgebench.records import FAILED, OK
from tests.make import make_artifact, make_run


def test_outputs_further_away_than_zeros_are_said_so() -> None:
    reference = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    verdict = judge(make_run((2_000_000,)), -reference, reference, "int8")
    assert (verdict.status, round(verdict.parity_db or 0, 1)) == (OK, -6.0)
    assert verdict.notes == ("parity is -6.0 dB: its outputs are further from the source model's than zeros would be",)
    assert judge(make_run((2_000_000,)), reference * 0.5, reference, "int8").notes == ()


def test_what_is_made_from_a_graph_that_failed_has_failed(tmp_path: Path) -> None:
    written: list[tuple[str, Verdict, Any]] = []

    class Recorded(Underway):
        def _record(self, said: Any, verdict: Verdict, place: Path | None, sha256: str = "") -> None:
            written.append((said.variant, verdict, place))

    parent = make_artifact(variant="onnx:float32", status=FAILED, reason="parity is 21.0 dB", path="")
    order: Any = SimpleNamespace(folder=tmp_path, name="digits")
    nothing: Any = None
    job = Recorded(order, tmp_path, nothing, nothing, nothing, nothing, {"onnx:float32": parent}, {}, {})
    (tmp_path / "made").write_bytes(b"x")
    job._write(Converted("onnx:int8", tmp_path / "made", "", (), 0.1), "ab", Verdict(OK, ""))
    ((variant, verdict, place),) = written
    assert (variant, verdict.status, place) == ("onnx:int8", FAILED, None)
    assert verdict.reason == "made from onnx:float32, which failed: parity is 21.0 dB"


def test_a_rule_that_a_manifest_would_overrule_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"x")
    manifest = make_artifact(path="m.tflite", sha256=sha256_file(tmp_path / "m.tflite"))
    write_json(tmp_path / "m.tflite.json", manifest)
    assert find_artifacts([tmp_path], parse("none"))
    with pytest.raises(
        UsageError, match="--preprocess keras:vgg16 is for files without a manifest, and that of digits"
    ):
        find_artifacts([tmp_path], parse("keras:vgg16"))
