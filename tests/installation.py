"""Every installation line of the README, with pip itself in a fresh environment: `make install-check`.

Each environment then does its job: a .tflite is profiled and reported, and a Keras model is converted where the keras
extra is installed and refused in one line, with the command that installs it, where it is not.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
LINE = re.compile(r"^pip install (-c constraints\.txt '?\.(?:\[(?P<extra>[a-z]+)\])?'?)", re.MULTILINE)
DRY = ("--dry-run", "--quiet", "--disable-pip-version-check")


def lines() -> dict[str, list[str]]:
    """Return extra -> the arguments of its line in the README; the base installation is the extra ``."""
    found = {match["extra"] or "": match[1].replace("'", "").split() for match in LINE.finditer(readme())}
    assert set(found) >= {"", "keras", "huggingface", "all"}, found
    return found


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
    good = done.returncode == 2 and wanted in done.stderr and len(done.stderr.strip().splitlines()) == 1
    return "" if good else f"exit code {done.returncode}: {done.stderr}"


def main() -> int:
    """Try the lines one after the other; `--dry-run` lets pip resolve and install nothing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("extras", nargs="*")
    wanted = parser.parse_args()
    failed = 0
    for extra, arguments in lines().items():
        if wanted.extras and (extra or "base") not in wanted.extras:
            continue
        with tempfile.TemporaryDirectory(prefix="edgebench-install-") as name:
            python = fresh(Path(name, "env"))
            done = pip(python, *(DRY if wanted.dry_run else ("--quiet",)), *arguments)
            wrong = done.stderr if done.returncode else "" if wanted.dry_run else job(python, extra, Path(name))
        failed += bool(wrong)
        print(f"pip install {' '.join(arguments)}: {'FAILED ' + wrong[-1000:] if wrong else 'ok'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
