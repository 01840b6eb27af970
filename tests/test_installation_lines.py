"""The README's installation lines and the pinned versions; `make install-check` tries them with pip itself."""

from __future__ import annotations

import configparser
import importlib.metadata

import pytest
from packaging.specifiers import SpecifierSet

from edgebench.errors import MissingExtraError
from tests.installation import ROOT, lines


def test_every_line_names_an_extra_that_there_is() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert set(lines()) - {""} <= set(config["options.extras_require"])
    assert all(arguments[:2] == ["-c", "constraints.txt"] for arguments in lines().values())


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
