"""A/A and A/B: how often equal artifacts are called different, and 5 % more work is called slower.

Each round measures three results as one `edgebench profile` would, with its default settings: fresh processes in
turns of random order, more of them where they disagree. The extra work is spun in a wrapper runtime. `compare`'s own
rule judges, twice: results of the same round, which took turns, as with `profile --baseline`; and each round against
the one before it, as a baseline from an earlier profile. At most 5 % of the equal pairs may be called different, of
either kind. Of those with more work at least 95 % must be called slower where they took turns; where they did not, a
noisy machine leaves them undecided.

    python benchmarks/aa.py --pairs 100
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from instrument import arguments, artifact, profile

from edgebench.compare.pairs import pair
from edgebench.compare.values import difference_of
from edgebench.devices.local import LocalDevice
from edgebench.measures.difference import Difference
from edgebench.measures.stability import stability
from edgebench.pipeline.artifacts import find_artifacts
from edgebench.records import OK, Result, Run, Settings

ARMS = {"one": "spin=0", "other": "spin=0", "more": "spin=0.05"}
MOST_DIFFERENT, LEAST_SLOWER = 0.05, 0.95


class Tally:
    """Counts of one kind of pair: equal ones called different, and more work called slower."""

    def __init__(self, name: str) -> None:
        self.name, self.pairs, self.different, self.slower = name, 0, 0, 0

    def add(self, equal: Difference | None, added: Difference | None) -> str:
        """Count one pair of each and return both in words."""
        assert equal is not None and added is not None
        self.pairs += 1
        self.different += equal.word != "same"
        self.slower += added.word == "slower"
        return f"{self.name}: equal {shown(equal)}, more {shown(added)}"

    def verdict(self, least_slower: float) -> tuple[str, bool]:
        """Return the two rates in words, and whether both reach their aims."""
        words = (
            f"{self.name}: equal pairs called different {self.different} of {self.pairs} (at most {MOST_DIFFERENT:.0%})"
            f", more work called slower {self.slower} of {self.pairs} (at least {least_slower:.0%})"
        )
        return words, self.different <= MOST_DIFFERENT * self.pairs and self.slower >= least_slower * self.pairs


def shown(difference: Difference) -> str:
    """Return ratio, interval and word."""
    ratio = difference.ratio
    assert ratio is not None
    return f"{ratio.value:.3f} ({ratio.low:.3f}-{ratio.high:.3f}) {difference.word}"


def judged(baseline: Result, candidate: Result) -> Difference | None:
    """Return what `compare` says of the two."""
    (cell,) = pair([baseline], [candidate])
    return difference_of(cell)


def main() -> int:
    """Print the rates. Returns 1 where one misses its aim."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--added", type=float, default=0.05, help="share of work added")
    options = parser.parse_args()
    path, order = artifact(options.artifact), random.Random(0)
    measured = find_artifacts([path], None)[0].artifact
    arms = {**ARMS, "more": f"spin={options.added}"}
    settings = Settings()

    def result(runs: Sequence[Run]) -> Result:
        return Result(measured, "cpu", "litert", OK, "", settings, tuple(runs))

    turns, days = Tally("in turn"), Tally("one profile after the other")
    before: dict[str, Result] = {}
    stable = processes = 0
    began = time.monotonic()
    with LocalDevice() as device:
        for done in range(1, options.pairs + 1):
            now = {name: result(runs) for name, runs in profile(device, path, arms, settings, order).items()}
            lines = [turns.add(judged(now["one"], now["other"]), judged(now["one"], now["more"]))]
            if before:
                lines.append(days.add(judged(before["one"], now["other"]), judged(before["one"], now["more"])))
            before = now
            stable += stability(now["one"].runs).word == "stable"
            processes += sum(len(arm.runs) for arm in now.values())
            print(f"{done:3}: {'; '.join(lines)}", flush=True)
    seconds = (time.monotonic() - began) / options.pairs
    verdicts = [turns.verdict(LEAST_SLOWER), days.verdict(0.0)]
    for words, _ in verdicts:
        print(words)
    print(f"stable: {stable}; {processes / options.pairs / 3:.1f} processes a result, {seconds:.1f} s a round of three")
    return 0 if all(good for _, good in verdicts) else 1


if __name__ == "__main__":
    raise SystemExit(main())
