"""Every installation line of the README and the docs, with pip itself in a fresh environment: `make install-check`.

Each environment then does its job: a .tflite is profiled and reported, and a Keras model is converted where the keras
extra is installed and refused in one line, with the command that installs it, where it is not.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
LINE = re.compile(r"^pip install (-c constraints\.txt '?\.(?:\[(?P<extra>[a-z]+)\])?'?)", re.MULTILINE)
ANY = re.compile(r"pip install ([^`#\n]+)")
DOCS = ("README.md", "CONTRIBUTING.md", "docs/*.md")
DRY = ("--dry-run", "--quiet", "--disable-pip-version-check")


def lines() -> dict[str, list[str]]:
    """Return extra -> the arguments of its line in the README; the base installation is the extra ``."""
    found = {match["extra"] or "": match[1].replace("'", "").split() for match in LINE.finditer(readme())}
    assert set(found) >= {"", "keras", "huggingface", "all"}, found
    return found


def every_line() -> dict[str, str]:
    """Return what follows `pip install` in each line of the documents -> the document."""
    places = (place for pattern in DOCS for place in sorted(ROOT.glob(pattern)))
    return {
        match[1].strip(): str(place.relative_to(ROOT))
        for place in places
        for match in ANY.finditer(place.read_text(encoding="utf-8"))
    }


def arguments_of(line: str, wheel: str = "") -> list[str]:
    """Return the arguments of a line for pip; a wheel, wherever the line has it, is `wheel`."""
    return [re.sub(r"^.*edgebench-[^\[]*\.whl", lambda _: wheel, part) if wheel else part for part in shlex.split(line)]


def readme() -> str:
    """Return the README."""
    return (ROOT / "README.md").read_text(encoding="utf-8")


def fresh(folder: Path) -> Path:
    """Make an environment and return its Python."""
    venv.create(folder, with_pip=True)
    return folder / "bin" / "python"


def pip(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pip in the clone, as the README has it."""
    return subprocess.run(
        [str(python), "-m", "pip", "install", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def job(python: Path, extra: str, folder: Path) -> str:
    """Convert a Keras Application and return what is wrong with the outcome; empty: as it should be."""
    command = [str(python), "-m", "edgebench", "convert", "keras:MobileNetV2?weights=none&input_size=32&classes=3"]
    command += ["--to", "tflite:float32", "--out", str(folder / "out")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if extra in ("keras", "all"):
        return "" if done.returncode == 0 else done.stderr
    wanted = "pip install -c constraints.txt '.[keras]'"
    said = [line for line in done.stderr.strip().splitlines() if " made, " not in line]  # not how far it is
    good = done.returncode == 2 and len(said) == 1 and wanted in said[0]
    return "" if good else f"exit code {done.returncode}: {done.stderr}"


def main() -> int:
    """Try the lines one after the other; `--dry-run` lets pip resolve and install nothing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("extras", nargs="*")
    wanted = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="edgebench-wheel-") as name:
        wheel = built_wheel(Path(name))
        for line, place in every_line().items():
            found = re.search(r"\[([a-z]+)\]", line)
            extra = found[1] if found else ""
            if wanted.extras and (extra or "base") not in wanted.extras:
                continue
            wrong = tried(arguments_of(line, wheel), extra, wanted.dry_run or not installs_edgebench(line))
            failed += bool(wrong)
            print(f"{place}: pip install {line}: {'FAILED ' + wrong[-1000:] if wrong else 'ok'}", flush=True)
    return 1 if failed else 0


def installs_edgebench(line: str) -> bool:
    """Whether a line installs edgebench itself, so that it has a job to do then."""
    return any(part == "." or part.startswith(".[") or ".whl" in part for part in shlex.split(line))


def built_wheel(folder: Path) -> str:
    """Build the wheel as `make dist` does and return its path."""
    python = fresh(folder / "env")
    command = [str(python), "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return str(next(folder.glob("*.whl")))


def tried(arguments: list[str], extra: str, dry: bool) -> str:
    """Install in a fresh environment and return what is wrong; empty: nothing. What is dry does no job."""
    with tempfile.TemporaryDirectory(prefix="edgebench-install-") as name:
        python = fresh(Path(name, "env"))
        done = pip(python, *(DRY if dry else ("--quiet",)), *arguments)
        return done.stderr if done.returncode else "" if dry else job(python, extra, Path(name))


if __name__ == "__main__":
    sys.exit(main())
