"""Every reader of what a user gives, fed with thousands of damaged inputs from a seed: `python -m tests.fuzzing`.

An input may be read or be refused with an EdgebenchError of one line. Everything else is a finding: another exception,
a reader that does not come back, a file written outside the folder it was given.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebench.errors import EdgebenchError

SEED = 20_261_121
HANG_SECONDS = 60
ODD_TEXTS = (
    "", "..", "../../../evil", "/etc/passwd", "a" * 300, "a" * 5000, "\0", "caf\xe9", "\udce9", "~nobody/x", "-", "nan",
    "1e999999999", "9" * 5000, "inf", "null", "%s", "\n", "../" * 200, "²", "a,b,a", "keras:",
    "\u202e", "${HOME}", "x=1=2",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 1e308, 1e-320, [], {}, [[]], [None], {"a": {}}, [0] * 50, -1.5, *ODD_TEXTS,
)  # fmt: skip


@dataclass
class Finding:
    """One input that was neither read nor refused."""

    reader: str
    number: int
    what: str


@dataclass
class Count:
    """What became of a reader's inputs."""

    read: int = 0
    refused: int = 0


Read = Callable[[random.Random, Path], None]
"""Makes one damaged input inside the folder and reads it."""


def fuzz(name: str, read: Read, inputs: int, seed: int = SEED) -> tuple[Count, list[Finding]]:
    """Feed one reader; each input has a seed of its own, so that a finding can be repeated alone."""
    count, findings = Count(), []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as root:
        for number in range(inputs):
            folder = Path(root, "deep", "in", str(number), "given")
            folder.mkdir(parents=True)
            try:
                with _alarm():
                    read(random.Random(f"{seed}-{name}-{number}"), folder)
                count.read += 1
            except EdgebenchError as error:
                count.refused += 1
                if len(str(error).splitlines()) != 1:
                    findings.append(Finding(name, number, f"a message of several lines: {str(error)!r}"))
            except Exception as error:  # noqa: BLE001 (whatever escapes a reader is the finding)
                where = traceback.extract_tb(error.__traceback__)[-1]
                findings.append(
                    Finding(name, number, f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})")
                )
            outside = [path for path in Path(root).rglob("*") if not (path.is_dir() or folder in path.parents)]
            if outside:
                findings.append(Finding(name, number, f"wrote {outside[0]}"))
            _remove(folder)
    return count, findings


@contextmanager
def _alarm() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"no answer in {HANG_SECONDS} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(HANG_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)


def damaged(chance: random.Random, content: bytes) -> bytes:
    """Cut short, flip, insert, repeat, replace, re-encode: what disks, editors and strangers do to a file."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8))):
        place = chance.randrange(len(data) + 1)
        kind = chance.randrange(8)
        if kind == 0:
            del data[place:]
        elif kind == 1 and data:
            data[place % len(data)] ^= 1 << chance.randrange(8)
        elif kind == 2:
            data[place:place] = chance.randbytes(chance.choice((1, 4, 64)))
        elif kind == 3:
            data[place:place] = data[place : place + 200]
        elif kind == 4:
            data[place : place + chance.choice((1, 30, 1000))] = b""
        elif kind == 5:
            odd = chance.choice(ODD_TEXTS).encode("utf-8", "surrogateescape")
            data[place:place] = odd
        elif kind == 6:
            data[:] = bytes(data).decode("latin-1").encode(chance.choice(("utf-16", "utf-32", "utf-8-sig", "utf-8")))
        elif data:
            data[place % len(data)] = chance.choice(b'\x00\xff\xe9,\n"{}[]:=/')
    return bytes(data)


def damaged_json(chance: random.Random, value: Any) -> Any:
    """Put an odd value in the place of one that stands somewhere in a JSON value, or take it away."""
    value = json.loads(json.dumps(value))
    for _ in range(chance.choice((1, 1, 2))):
        places = list(_places(value))
        if not places:
            return chance.choice(ODD_VALUES)
        holder, key = chance.choice(places)
        if chance.random() < 0.15:
            del holder[key]
        elif chance.random() < 0.1 and isinstance(holder, dict):
            holder["unknown"] = chance.choice(ODD_VALUES)
        else:
            holder[key] = chance.choice(ODD_VALUES)
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def main() -> int:
    """Run every reader and print what became of its inputs."""
    from tests.fuzz_readers import INPUTS, readers

    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--times", type=int, default=1, help="so many times the inputs of the tests")
    parser.add_argument("--reader", action="append")
    wanted = parser.parse_args()
    findings, total = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for name, read in readers(Path(folder)).items():
            if wanted.reader and name not in wanted.reader:
                continue
            count, found = fuzz(name, read, INPUTS[name] * wanted.times, wanted.seed)
            findings += found
            total += INPUTS[name] * wanted.times
            print(f"{name:20} {count.read:5} read {count.refused:5} refused {len(found):5} findings", flush=True)
    for finding in findings[:40]:
        print(f"{finding.reader} {finding.number}: {finding.what[:200]}")
    print(f"{total} inputs, seed {wanted.seed}: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
