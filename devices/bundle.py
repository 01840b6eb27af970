"""The runner bundle: one file with the runner's own source that any Python 3.9 with numpy and a runtime executes."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from functools import cache
from importlib import resources
from pathlib import Path

from edgebench import registry
from edgebench.errors import UsageError
from edgebench.files import write_bytes

SHARED = ("__init__.py", "errors.py", "lifeline.py", "orderstats.py", "variants.py")
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
    for runtime in registry.runtimes().values():
        if not runtime.module.startswith("edgebench."):
            sources.update(_foreign(runtime.module))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [("__main__.py", MAIN.encode()), *sorted(sources.items())]:
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _foreign(module: str) -> dict[str, bytes]:
    """Return the source of another package's runtime: the module, or all of it where it is a folder, and what is above.

    Nothing of it is imported here but the packages above it, whose `__init__.py` runs on devices too.
    """
    found: dict[str, bytes] = {}
    above = module.split(".")[:-1]
    for depth in range(1, len(above) + 1):
        package = resources.files(".".join(above[:depth]))
        found["/".join([*above[:depth], "__init__.py"])] = package.joinpath("__init__.py").read_bytes()
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise UsageError(f"the runtime module {module} is not installed")
    origin = Path(spec.origin)
    files = origin.parent.rglob("*.py") if spec.submodule_search_locations else [origin]
    root = origin.parents[len(above) + (1 if spec.submodule_search_locations else 0)]
    return found | {file.relative_to(root).as_posix(): file.read_bytes() for file in files}


def write_bundle(folder: Path) -> Path:
    """Write the bundle into `folder` and return its path."""
    path = folder / "runner.pyz"
    write_bytes(path, bundle_bytes())
    return path
