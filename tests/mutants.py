"""`make mutants`: one-line faults put into the judging code by mutmut; how many do the unit tests notice?

    python -m tests.mutants [--sample 25] [--seed 0] [--least 0.85] [MODULE...]

mutmut wants the tree as it is installed, so it gets a copy of it under build/mutants. A seeded sample of every module's
mutants is tried (`--sample 0`: all of them); survivors are listed with their change. What was looked at and is
equivalent, or changes nothing but the wording of a message, is said in tests/mutants.md.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "build" / "mutants"
MODULES = (
    *("edgebench/measures/*", "edgebench/results/*", "edgebench/compare/*", "edgebench/orderstats.py"),
    *(f"edgebench/pipeline/{name}.py" for name in ("acceptance", "scoring", "journal", "conversion_cache")),
    *("edgebench/devices/returns.py", "edgebench/runner/preprocess.py"),
)
UNIT_TESTS = (
    *(
        "tests/measures",
        "tests/results",
        "tests/compare",
        "tests/report/test_drift.py",
    ),
    *("tests/pipeline/test_acceptance.py", "tests/pipeline/test_scoring.py", "tests/pipeline/test_journal.py"),
    *("tests/pipeline/test_conversion_key.py", "tests/devices/test_outcomes.py", "tests/runner/test_preprocess.py"),
)
"""What mutmut runs: under a minute together on an idle machine."""
SLOW = (
    "tests/report/test_drift.py::test_every_output_has_the_sections",  # the page: it covers all and judges little
    "tests/results/test_recommend.py::test_the_command",  # processes of their own, in which no mutant lives
)
CAUGHT = ("killed", "timeout", "suspicious", "segfault", "caught by type check")


def lay_out(modules: list[str]) -> None:
    """Copy the tree as it is installed, with mutmut's own settings; mutants of an earlier run go."""
    shutil.rmtree(PLACE, ignore_errors=True)
    without = shutil.ignore_patterns("__pycache__", "virtual_pi")
    shutil.copytree(ROOT / "edgebench", PLACE / "edgebench", ignore=without)
    for name in ("converters", "devices"):
        shutil.copytree(ROOT / name, PLACE / "edgebench" / name, ignore=without)
    shutil.copytree(ROOT / "tests", PLACE / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    settings = {
        "source_paths": ["edgebench"],
        "only_mutate": modules,
        "pytest_add_cli_args_test_selection": list(UNIT_TESTS),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", *(word for test in SLOW for word in ("--deselect", test))],
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    markers = 'markers = ["huggingface: torch", "device: sshd"]'
    (PLACE / "pyproject.toml").write_text(
        "\n".join(["[tool.mutmut]", *lines, "[tool.pytest.ini_options]", markers, "timeout = 600", ""])
    )


def mutmut(*arguments: str, quiet: bool = False) -> str:
    """Run mutmut in the copy and return what it said."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL if quiet else None}
    done = subprocess.run(command, cwd=PLACE, text=True, check=False, **streams)
    if done.returncode and not quiet:
        sys.exit(f"{done.stdout[-6000:]}\nmutmut {' '.join(arguments[:3])} .. ended with {done.returncode}")
    return done.stdout


def outcomes() -> dict[str, int | None]:
    """Return every mutant and how its tests ended, None where it was not tried."""
    found: dict[str, int | None] = {}
    for meta in sorted((PLACE / "mutants").rglob("*.py.meta")):
        found |= json.loads(meta.read_text())["exit_code_by_key"]
    return found


def sampled(names: list[str], each: int, seed: int) -> list[str]:
    """Return at most `each` mutants of every module, all of them where it is 0."""
    modules: dict[str, list[str]] = {}
    for name in sorted(names):
        modules.setdefault(module_of(name), []).append(name)
    generator = random.Random(seed)
    return [
        name
        for mutants in modules.values()
        for name in (mutants if not each or len(mutants) <= each else sorted(generator.sample(mutants, each)))
    ]


def module_of(mutant: str) -> str:
    """Return `edgebench.measures.latency` for `edgebench.measures.latency.x_student__mutmut_3`."""
    return mutant.rpartition("__mutmut_")[0].rpartition(".")[0]


def main() -> None:
    """Lay out, sample, run, and say what was noticed by module; exit 1 below `--least`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=25, help="mutants a module, 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--least", type=float, default=0.85, help="share that must be killed")
    parser.add_argument("--show", type=int, default=40, help="survivors whose change is printed")
    parser.add_argument("modules", nargs="*", default=list(MODULES))
    options = parser.parse_args()
    lay_out(options.modules)
    mutmut("run", "--max-children", "2", "no.such.mutant*", quiet=True)  # makes the mutants, and learns who tests what
    names = list(outcomes())
    chosen = sampled(names, options.sample, options.seed)
    print(f"{len(names)} mutants, {len(chosen)} of them tried (seed {options.seed})", flush=True)
    mutmut("run", "--max-children", "2", *chosen)
    status = dict(
        line.strip().rsplit(": ", 1) for line in mutmut("results", "--all", "true").splitlines() if "__mutmut_" in line
    )
    tried, killed = Counter(map(module_of, chosen)), Counter[str]()
    survivors = []
    for name in chosen:
        if status[name] in CAUGHT:
            killed[module_of(name)] += 1
        else:
            survivors.append(name)
    for module, count in sorted(tried.items()):
        print(f"{module:44} {killed[module]:4} of {count:4} killed")
    for name in survivors[: options.show]:
        print(f"\n# {status[name]}: {name}")
        change = mutmut("show", name, quiet=True).splitlines()
        print("\n".join(line for line in change if line[:1] in "+-" and line[:3] not in ("+++", "---")))
    total = sum(killed.values())
    print(f"\n{total} of {len(chosen)} killed, {total / len(chosen):.1%}")
    sys.exit(total < options.least * len(chosen))


if __name__ == "__main__":
    main()
