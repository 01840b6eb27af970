"""The runner bundle: one file with the runner's own source that any Python 3.9 with numpy and a runtime executes."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from importlib import resources
from pathlib import Path

from edgebench.files import write_bytes

SHARED = ("__init__.py", "errors.py", "orderstats.py", "variants.py")
FOLDERS = ("records", "runner", "runner/runtimes")
MAIN = "import sys\nfrom edgebench.runner.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"
EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's first date: the same source gives the same bytes on any day


@cache
def bundle_bytes() -> bytes:
    """Return the zipapp; byte-identical for the same source."""
    package = resources.files("edgebench")
    sources = {f"edgebench/{name}": package.joinpath(name).read_bytes() for name in SHARED}
    for folder in FOLDERS:
        for file in package.joinpath(folder).iterdir():
            if file.name.endswith(".py"):
                sources[f"edgebench/{folder}/{file.name}"] = file.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [("__main__.py", MAIN.encode()), *sorted(sources.items())]:
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def write_bundle(folder: Path) -> Path:
    """Write the bundle into `folder` and return its path."""
    path = folder / "runner.pyz"
    write_bytes(path, bundle_bytes())
    return path
