"""A/A and A/B: how often equal artifacts are called different, and 5 % more work is called slower.

Each pair is measured as `edgebench profile` would, with its default settings: fresh processes in rounds of random
order, more of them where they disagree. At most 5 % of the equal pairs may be called different; at least 95 % of
the pairs with 5 % of added work (spun in a wrapper runtime) must be called slower.

    python benchmarks/aa.py --pairs 100
"""

from __future__ import annotations

import random
import time

from instrument import arguments, artifact, profile

from edgebench.devices.local import LocalDevice
from edgebench.difference import difference_interval
from edgebench.records import Settings
from edgebench.stability import stability

ARMS = {"one": "spin=0", "other": "spin=0", "more": "spin=0.05"}


def main() -> int:
    """Print the two rates. Returns 1 where one misses its aim."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--added", type=float, default=0.05, help="share of work added")
    options = parser.parse_args()
    path, order = artifact(options.artifact), random.Random(0)
    arms = {**ARMS, "more": f"spin={options.added}"}
    different = slower = quiet = processes = 0
    began = time.monotonic()
    with LocalDevice() as device:
        for done in range(1, options.pairs + 1):
            runs = profile(device, path, arms, Settings(), order)
            equal = difference_interval(runs["one"], runs["other"])
            added = difference_interval(runs["one"], runs["more"])
            different += equal.word != "same"
            slower += added.word == "slower"
            quiet += stability(runs["one"]).word == "stable"
            processes += sum(len(arm) for arm in runs.values())
            assert equal.ratio is not None and added.ratio is not None
            print(
                f"{done:3}: equal {equal.ratio.value:.3f} ({equal.ratio.low:.3f}-{equal.ratio.high:.3f}) {equal.word},"
                f" more {added.ratio.value:.3f} ({added.ratio.low:.3f}-{added.ratio.high:.3f}) {added.word}",
                flush=True,
            )
    seconds = (time.monotonic() - began) / options.pairs
    print(f"equal pairs called different: {different} of {options.pairs} (at most 5 %)")
    print(f"{options.added:.0%} more work called slower: {slower} of {options.pairs} (at least 95 %)")
    print(f"stable: {quiet}; {processes / options.pairs / 3:.1f} processes a result, {seconds:.1f} s a triple")
    return 0 if different <= 0.05 * options.pairs and slower >= 0.95 * options.pairs else 1


if __name__ == "__main__":
    raise SystemExit(main())
