"""How often the words about drift are right: simulated reports, judged by the code that judges real ones.

    python benchmarks/drift.py [--reports 2000] [--cells 20] [--seed 0]

A report has 20 cells on the same number of images. `differing` is the share of images on which artifact and reference
are right and wrong in turn. Prints every figure beside its limit and exits 1 where one is missed.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from edgebench.measures import significance as sig
from edgebench.measures.per_class import class_losses
from edgebench.records import ClassCounts

IMAGES = (200, 500, 2000, 10_000, 50_000)
DIFFERING = (0.002, 0.01, 0.03, 0.1)
DROPS = (0.0, 0.002, 0.005, 0.01, 0.02)
GRID = [(n, differing) for n in IMAGES for differing in DIFFERING]


def draw(generator, n, differing, drop, size):
    """Draw (lost, won) of `size` cells with that share of differing images, the drop on top of it."""
    p_lost, p_won = differing / 2 + drop, differing / 2
    counts = generator.multinomial(n, [p_lost, p_won, 1 - p_lost - p_won], size=size)
    return counts[..., 0], counts[..., 1]


def false_drops(generator, reports, cells):
    """Share of reports without any true drop that call one real, the worst over the grid; and unadjusted."""
    adjusted, plain = [], []
    for n, differing in GRID:
        lost, won = draw(generator, n, differing, 0.0, (reports, cells))
        adjusted.append((sig.words(lost, won, n) == sig.REAL_DROP).any(axis=1).mean())
        plain.append(((sig.p_change(lost, won, n) <= sig.LEVEL) & (lost > won)).any(axis=1).mean())
    return max(adjusted), max(plain)


def found_drops(generator, reports, cells):
    """Share of reports that find one true drop of the size that the report before it said it could show; the worst."""
    shares = []
    for n, differing in GRID:
        lost, won = draw(generator, n, differing, 0.0, (reports, cells))
        size = sig.smallest_drop(lost[:, 0] + won[:, 0], n, cells)
        drop = np.minimum(size, 1 - differing)
        lost, won = draw(generator, n, differing, 0.0, (reports, cells))
        p = np.stack([differing / 2 + drop, np.full(reports, differing / 2)], 1)
        planted = generator.multinomial(n, np.column_stack([p, 1 - p.sum(1)]))
        lost[:, 0], won[:, 0] = planted[:, 0], planted[:, 1]
        shares.append((sig.words(lost, won, n)[:, 0] == sig.REAL_DROP).mean())
    return min(shares)


def coverage(generator, reports, cells):
    """Share of intervals that hold the true drop, the worst over the grid and the drops."""
    shares = []
    for n, differing in GRID:
        for drop in DROPS:
            lost, won = draw(generator, n, differing, drop, reports * cells)
            low, high = sig.paired_bounds(lost, won, n)
            shares.append(((low <= drop) & (drop <= high)).mean())
    return min(shares)


def needed_images(generator, reports):
    """Return "about N more images" over the number that does decide it, for undecided cells.

    The truth: the number of further images after which half of 32 continuations, each looked at once, are decided.
    """
    ratios = []
    for n, differing in GRID:
        for drop in DROPS:
            lost, won = draw(generator, n, differing, drop, reports // 20)
            undecided = sig.words(lost[:, None], won[:, None], n)[:, 0] == sig.UNDECIDED
            lost, won = lost[undecided], won[undecided]
            ratios.append(sig.more_images(lost, won, n) / _decided(generator, lost, won, n, differing, drop))
    return np.concatenate(ratios)


def _decided(generator, lost, won, n, differing, drop):
    needed, more = np.full(len(lost), np.inf), max(2.0, 0.01 * n)
    while np.isinf(needed).any():
        new_lost, new_won = draw(generator, int(more), differing, drop, (len(lost), 32))
        every = (lost[:, None] + new_lost, won[:, None] + new_won, n + int(more))
        decided = np.minimum(sig.p_change(*every), sig.p_margin(*every)) <= sig.LEVEL
        needed = np.where(np.isinf(needed) & (decided.mean(axis=1) >= 0.5), int(more), needed)
        more *= 1.1
    return needed


def false_classes(generator, reports):
    """Mean share of false ones among the classes called lost: no class has lost, then a tenth of them has."""
    rates = []
    for classes, images, losing in ((10, 100, 0), (100, 50, 0), (10, 500, 1), (100, 50, 10)):
        shares = []
        for _ in range(reports // 10):
            extra = np.where(np.arange(classes) < losing, 0.3, 0.0)
            lost, won = generator.binomial(images, 0.04 + extra), generator.binomial(images, 0.04, classes)
            counts = ClassCounts((images,) * classes, (images,) * classes, (0,) * classes, (), _ints(lost), _ints(won))
            called = [loss for loss in class_losses(counts) if loss.real and loss.drop > 0]
            shares.append(sum(loss.index >= losing for loss in called) / max(1, len(called)))
        rates.append(np.mean(shares))
    return max(rates)


def _ints(values):
    return tuple(int(value) for value in values)


def main() -> int:
    """Print every figure; return 1 where a limit is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--reports", type=int, default=2000)
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = np.random.default_rng(options.seed)
    size = (options.reports, options.cells)
    adjusted, plain = false_drops(generator, *size)
    found, covered = found_drops(generator, *size), coverage(generator, *size)
    ratios = needed_images(generator, options.reports)
    ratio, (least, most) = np.median(ratios), np.quantile(ratios, (0.1, 0.9))
    discovery = false_classes(generator, options.reports)
    lines = (
        ("reports with a false `real drop`, at most", adjusted, 0.05, adjusted <= 0.05),
        ("  the same without Holm's adjustment", plain, None, True),
        ("true drops of the size said to be shown that are found, at least", found, 0.8, found >= 0.8),
        ("intervals that hold the true drop, at least", covered, 0.94, covered >= 0.94),
        (f"`about N more images` over what decides, median of {len(ratios)}", ratio, 1.5, 1 / 1.5 <= ratio <= 1.5),
        ("  its first decile", least, None, True),
        ("  its last decile", most, None, True),
        ("false ones among the classes called lost, at most", discovery, 0.05, discovery <= 0.05),
    )
    for text, figure, limit, fine in lines:
        judged = "" if limit is None else f"  limit {limit:g}  {'ok' if fine else 'MISSED'}"
        print(f"{text:<75} {figure:7.3f}{judged}")
    return 0 if all(fine for *_, fine in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
