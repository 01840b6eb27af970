"""What may import what, what each command pays for, and what the wheel and the bundle hold."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from io import BytesIO
from pathlib import Path

import pytest

from edgebench.cli import COMMANDS
from edgebench.devices.bundle import bundle_bytes

ROOT = Path(__file__).parent.parent
FRAMEWORKS = {
    "tensorflow",
    "keras",
    "torch",
    "transformers",
    "onnx",
    "onnxruntime",
    "ai_edge_litert",
    "pandas",
    "jinja2",
    "resvg_py",
}
RUNNER_MAY = {"numpy", "psutil", "pynvml", "edgebench"} | set(sys.stdlib_module_names)
RUNTIME_MAY = RUNNER_MAY | {"onnxruntime", "tensorflow", "ai_edge_litert", "tflite_runtime"}
SOURCES = [p for folder in ("edgebench", "converters", "devices") for p in (ROOT / folder).rglob("*.py")]

GROUND = {
    "errors", "records", "files", "hashes", "lifeline", "leftovers", "registry", "orderstats", "variants", "units",
    "cells", "messages",
}  # fmt: skip
RUNNER_PARTS = {"runner.preprocess"}  # pure functions over arrays: what the host and the runner must do alike

# place -> what it may import of edgebench, besides itself; every folder and file of the program stands here
MAY: dict[str, set[str]] = {
    "edgebench/__init__.py": set(),
    "edgebench/__main__.py": {"cli"},
    "edgebench/errors.py": set(),
    "edgebench/orderstats.py": set(),
    "edgebench/variants.py": set(),
    "edgebench/units.py": set(),
    "edgebench/records": set(),
    "edgebench/lifeline.py": set(),
    "edgebench/leftovers.py": set(),
    "edgebench/hashes.py": set(),
    "edgebench/files.py": {"errors", "hashes", "leftovers", "records"},
    "edgebench/messages.py": {"errors", "records", "files"},
    "edgebench/registry.py": {"errors", "variants"},
    "edgebench/cells.py": {"records", "files", "registry"},
    "edgebench/expression.py": {"errors"},
    "edgebench/images": GROUND,
    "edgebench/measures": GROUND,
    "edgebench/results": GROUND | {"measures", "expression"},
    "edgebench/compare": GROUND | {"measures", "results", "expression"},
    "edgebench/report": GROUND | {"measures", "results", "inspection"},
    "edgebench/runner": {"errors", "lifeline", "records", "orderstats", "variants"},
    # `--preprocess keras:NAME` and a Keras Application's own rule are the same table; perturbations are pure, and so is
    # the interval that the promise of `mixed` is proved with.
    "converters": GROUND | RUNNER_PARTS | {"images.preprocessing", "images.perturbations", "measures.significance"},
    "devices": GROUND | RUNNER_PARTS | {"runner.sensors"},
    "edgebench/inspection": GROUND | RUNNER_PARTS,
    "edgebench/pipeline": GROUND | RUNNER_PARTS | {"images", "measures", "converters", "devices", "inspection"},
    "edgebench/training": GROUND | RUNNER_PARTS | {"runner.memory", "images", "converters", "pipeline.workers"},
    "edgebench/demo": GROUND | RUNNER_PARTS | {"images", "training", "converters.huggingface.torchvision_operators"},
    "edgebench/suite": GROUND | {"images", "converters", "devices", "pipeline", "training"},
    "edgebench/cli": {""},
}


def imported(path: Path, package: str = "") -> set[str]:
    """Every module a file imports, at its top or inside its functions; names beside it begin with `package`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:  # the agent runs on a device, outside any package called edgebench
                assert "agent" in path.parts, f"{path}: relative import"
                found |= {f"{package}.{node.module or alias.name}" for alias in node.names}
            else:
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("where", MAY)
def test_imports_point_one_way(where):
    own = "edgebench." + where.removeprefix("edgebench/").removesuffix(".py").replace("/", ".")
    allowed = tuple(f"edgebench.{name}".removesuffix(".") for name in MAY[where])
    target = ROOT / where
    for file in [target] if target.is_file() else target.rglob("*.py"):
        for name in imported(file):
            if name.startswith("edgebench.") and name != "edgebench.__version__":
                fits = any(name == a or name.startswith(f"{a}.") for a in (own, *allowed))
                assert fits, f"{file.relative_to(ROOT)} imports {name}"


def module_of(file: Path) -> str:
    """The name by which a file of the program is imported."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts if parts[0] == "edgebench" else ("edgebench", *parts))
    return name.removesuffix(".__init__")


MODULES = {module_of(file): file for file in SOURCES}


def arrows() -> Iterator[tuple[str, str]]:
    """Yield (module, module that it imports), at its top or inside its functions; the agent's files name one another
    without their folder, as they do on a device."""
    for module, file in MODULES.items():
        for name in imported(file, module.rpartition(".")[0]):
            target = name if name in MODULES else name.rpartition(".")[0]
            if target in MODULES and target != module:
                yield module, target


def room(module: str, other: str) -> str:
    """The part of `module` that tells it from `other`: the first folder, or the file, that both do not share."""
    mine, theirs = module.split("."), other.split(".")
    shared = next((i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), None)
    return module if shared is None else ".".join(mine[: shared + 1])


def circles(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """What is left of a graph when everything that imports nothing else is taken away, again and again."""
    waits: dict[str, set[str]] = {}
    for name, other in pairs:
        waits.setdefault(other, set())
        waits.setdefault(name, set()).add(other)
    try:
        list(TopologicalSorter(waits).static_order())
    except CycleError as error:
        return [error.args[1]]
    return []


def test_no_module_imports_itself_through_others():
    assert not circles(arrows())


def test_no_folder_imports_itself_through_its_neighbours():
    """At every level: a folder is one thing to the files and folders beside it."""
    pairs = {(room(a, b), room(b, a)) for a, b in arrows() if not (a.startswith(f"{b}.") or b.startswith(f"{a}."))}
    assert not circles(pairs)


def test_a_circle_would_be_seen():
    (found,) = circles([("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")])
    assert set(found) == {"a", "b", "c"}
    assert not circles([("a", "b"), ("a", "c"), ("b", "c")])
    assert room("edgebench.cli.run", "edgebench.report.page") == "edgebench.cli"


LONGEST_FILE, LONGEST_FUNCTION = 300, 50  # lines


def test_files_and_functions_are_short():
    long = []
    for file in SOURCES:
        text = file.read_text()
        found = {"": len(text.splitlines()) - LONGEST_FILE + LONGEST_FUNCTION}
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found[node.name] = (node.end_lineno or 0) - node.body[0].lineno + 1  # a signature may be one a line
        long += [f"{file.relative_to(ROOT)} {name}" for name, lines in found.items() if lines > LONGEST_FUNCTION]
    assert not long


def test_every_public_name_has_a_docstring():
    """Ruff's D1 holds it; nothing in the program is let off but special methods."""
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "D1" in ruff["select"]
    assert {rule for rule in ruff["ignore"] if rule.startswith("D")} == {"D105", "D107"}
    assert [place for place, rules in ruff["per-file-ignores"].items() if "D1" in rules] == ["tests/**"]
    for file in SOURCES:
        assert not re.search(r"noqa.*\bD1|ruff: noqa(?!:)", file.read_text()), file


def test_every_file_stands_in_the_table():
    for file in SOURCES:
        inside = file.relative_to(ROOT)
        assert str(inside) in MAY or any(inside.is_relative_to(place) for place in MAY), inside


def test_no_bare_import_of_converters_or_devices():
    for file in [*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]:
        for name in imported(file):
            assert name.split(".")[0] not in ("converters", "devices"), f"{file} imports {name}"


def test_the_runner_imports_only_what_a_device_has():
    for file in (ROOT / "edgebench/runner").rglob("*.py"):
        allowed = RUNTIME_MAY if file.parent.name == "runtimes" else RUNNER_MAY
        foreign = {name.split(".")[0] for name in imported(file)} - allowed
        assert not foreign, f"{file.relative_to(ROOT)} imports {foreign}"


def test_only_the_report_imports_pandas_and_plotting():
    for file in SOURCES:
        if "report" not in file.parts:
            assert not {"pandas", "jinja2", "resvg_py"} & {name.split(".")[0] for name in imported(file)}, file


@pytest.mark.parametrize("arguments", [["--help"], ["convert", "--help"], ["profile", "--help"], ["report", "--help"]])
def test_help_loads_no_framework(arguments):
    code = (
        "import sys\nfrom edgebench.cli import cli\n"
        f"try: cli.main({arguments!r})\nexcept SystemExit as e: assert not e.code\n"
        f"print('LOADED', sorted({FRAMEWORKS!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "LOADED []" in done.stdout


def test_the_bundle_is_small_and_the_same_every_time():
    first = bundle_bytes()
    bundle_bytes.cache_clear()
    assert bundle_bytes() == first
    assert len(first) < 200_000
    names = zipfile.ZipFile(BytesIO(first)).namelist()
    assert "edgebench/runner/measure.py" in names
    assert not [name for name in names if not name.startswith(("edgebench/", "__main__.py"))]


def test_bundled_files_keep_to_python_39():
    """`ast` checks the grammar; what is evaluated at import time is guarded by the annotations import."""
    for name, content in {n: zipfile.ZipFile(BytesIO(bundle_bytes())).read(n) for n in _bundled()}.items():
        ast.parse(content, name, feature_version=(3, 9))
        if b"def " in content or b"class " in content:
            assert b"from __future__ import annotations" in content, name


def _bundled():
    return [n for n in zipfile.ZipFile(BytesIO(bundle_bytes())).namelist() if n.endswith(".py")]


def test_the_wheel_holds_the_package_and_nothing_generic(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"edgebench"}
    for file in SOURCES:
        inside = file.relative_to(ROOT).as_posix()
        inside = inside if inside.startswith("edgebench/") else f"edgebench/{inside}"
        assert inside in names
    assert any(name.startswith("edgebench/report/templates/") for name in names)
    assert "edgebench/py.typed" in names


def test_the_readme_names_every_command():
    readme = (ROOT / "README.md").read_text()
    for command in COMMANDS:
        assert f"edgebench {command}" in readme


MAY_WAIT = {
    *("waiting.py", "odd_runtime.py", "misbehaving.py", "machine.py", "__main__.py"),
    *("test_protocol_fuzz.py", "test_store.py"),  # which pass the time in
}


def test_no_test_looks_at_a_clock():
    """A busy machine fails no test: what must happen is waited for (`tests.waiting`), time that counts is passed in."""
    looks = re.compile(r"(?<![\w.])(time|datetime)\.(sleep|time|monotonic|perf_counter|now|process_time)\w*\(")
    for file in sorted((ROOT / "tests").rglob("*.py")):
        found = looks.search(file.read_text())
        assert found is None or file.name in MAY_WAIT, f"{file.relative_to(ROOT)}: {found[0]}"
