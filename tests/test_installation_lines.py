"""The README's installation lines and the pinned versions; `make install-check` tries them with pip itself."""

from __future__ import annotations

import configparser
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from edgebench import __version__
from edgebench.errors import MissingExtraError
from tests.installation import DOCS, ROOT, arguments_of, every_line, installs_edgebench, lines


def test_every_line_names_an_extra_that_there_is() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert set(lines()) - {""} <= set(config["options.extras_require"])
    assert all(arguments[:2] == ["-c", "constraints.txt"] for arguments in lines().values())


APPS = {"numpy", "pillow", "ai-edge-litert"}
"""What a folder of `edgebench ship` needs."""


def test_no_document_promises_an_installation_that_install_check_does_not_try() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    wheel = f"edgebench-{__version__}-py3-none-any.whl"
    for line, place in every_line().items():
        target = arguments_of(line)[-1]
        if not installs_edgebench(line):
            assert set(arguments_of(line)) <= APPS, f"{place}: pip install {line}"
            continue
        extra = target.partition("[")[2].rstrip("]")
        assert not extra or extra in config["options.extras_require"], f"{place}: pip install {line}"
        assert target.partition("[")[0].rpartition("/")[2] in (".", wheel), f"{place}: pip install {line}"
        assert arguments_of(line, "/x/y.whl")[-1] in (f".[{extra}]", ".", f"/x/y.whl[{extra}]", "/x/y.whl")


def test_no_document_names_a_place_that_there_is_not() -> None:
    for pattern in DOCS:
        for place in ROOT.glob(pattern):
            text = place.read_text(encoding="utf-8")
            assert "REPOSITORY" not in text and "git clone" not in text, place


def test_the_shell_completes_commands_and_options() -> None:
    script = Path(sys.executable).with_name("edgebench")
    for words, number, wanted in (
        ("edgebench re", 1, {"report", "recommend"}),
        ("edgebench report --re", 2, {"--require"}),
    ):
        environment = {"_EDGEBENCH_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(number)}
        done = subprocess.run([script], env={**os.environ, **environment}, capture_output=True, text=True, check=True)
        assert {line.partition(",")[2] for line in done.stdout.splitlines()} == wanted


@pytest.mark.parametrize("python", ["3.11.0", "3.12.0"])
def test_no_pinned_version_refuses_this_python(python: str) -> None:
    """As uv overlooks an upper bound of Requires-Python, and pip does not."""
    refusing = []
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, _, version = line.partition("==")
        if line.startswith("#") or not version:
            continue
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        wanted = found.metadata.get("Requires-Python")
        if found.version == version.split()[0] and wanted and python not in SpecifierSet(wanted):
            refusing.append(f"{line}: {wanted}")
    assert refusing == []


def test_a_missing_extra_is_named_with_both_commands() -> None:
    text = str(MissingExtraError("tf2onnx", "keras", "converting model.keras"))
    assert "needs tf2onnx, which is not installed: pip install -c constraints.txt '.[keras]' in a clone" in text
    assert "-py3-none-any.whl[keras]' with its wheel" in text
