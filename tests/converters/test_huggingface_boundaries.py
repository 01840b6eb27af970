"""Whoever does not use Hugging Face neither needs nor loads torch or transformers; a missing extra is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "litert_torch", "huggingface_hub", "safetensors")
WITHOUT = f"""
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name.split(".")[0])

sys.meta_path.insert(0, Missing())
"""
INSTALL = "-py3-none-any.whl[huggingface]' with its wheel"


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code, *arguments], capture_output=True, text=True, timeout=300
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Enough of a checkpoint to be looked at without torch: one empty tensor."""
    header = b'{"classifier.bias":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    (tmp_path / "config.json").write_text('{"model_type": "vit", "architectures": ["ViTForImageClassification"]}')
    return tmp_path


def test_everything_else_works_where_they_are_not_installed(folder: Path) -> None:
    done = python(
        "import edgebench.converters.sources, edgebench.pipeline.convert, edgebench.pipeline.profile\n"
        "import edgebench.report, edgebench.demo.huggingface\n"
        "print(edgebench.converters.sources.resolve(sys.argv[1]).converter)",
        str(folder),
    )
    assert done.stdout.strip() == "huggingface", done.stderr


def test_the_keras_converter_works_where_they_are_not_installed() -> None:
    pytest.importorskip("tensorflow")
    done = python(
        "import edgebench.converters.keras.converter, edgebench.converters.quantize.tflite as q\n"
        "print(q.quantise.__name__)"
    )
    assert done.stdout.strip() == "quantise", done.stderr


@pytest.mark.parametrize("model", ["folder", "hf:google/vit-base-patch16-224"])
def test_a_missing_extra_is_named_with_the_command_that_installs_it(model: str, folder: Path) -> None:
    code = (
        "from edgebench.errors import MissingExtraError\n"
        "from edgebench.converters import sources\n"
        "from edgebench import registry\n"
        "try:\n"
        "    source = sources.resolve(sys.argv[1])\n"
        "    registry.converter_module(source.converter, 'converter').load(source, None)\n"
        "except MissingExtraError as error:\n"
        "    print(error)"
    )
    done = python(code, str(folder) if model == "folder" else model)
    assert done.stdout.strip().endswith(INSTALL), done.stderr
    assert "which is not installed" in done.stdout
