"""The options that say on which images: sets by name, perturbations, common corruptions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from edgebench.errors import UsageError
from edgebench.images.datasets import Dataset
from edgebench.images.evaluation import open_dataset
from edgebench.images.perturbations import GROUPS, common, parse_perturbation
from edgebench.measures.significance import MARGIN
from edgebench.records import Perturbation


def margin_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--margin`."""
    return click.option(
        "--margin",
        type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
        default=MARGIN,
        show_default=True,
        help="What counts as a drop of top-1, as a share: `no drop above 1%` is said of 0.01.",
    )(command)


def perturbing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--perturb` and `--corruptions`."""
    for option in (
        click.option(
            "--corruptions",
            multiple=True,
            type=click.Choice(["common", *GROUPS]),
            help="The fifteen common corruptions of ImageNet-C at five severities, or one group of them.",
        ),
        click.option(
            "--perturb",
            multiple=True,
            metavar="WHAT=SEVERITIES",
            help="Also evaluate on perturbed images of the first set: noise=0:100:10, patch=20:160:28, fog=1,3.",
        ),
    ):
        command = option(command)
    return command


def open_datasets(values: Sequence[str], labels: Sequence[str] | None) -> list[Dataset]:
    """Open each `PATH` or `NAME=PATH`. Raises UsageError where two have one name."""
    found: dict[str, Dataset] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not equals or Path(value).exists():
            name, path = "", value
        dataset = open_dataset(Path(path), labels)
        dataset = dataclasses.replace(dataset, name=name.strip() or dataset.name)
        if dataset.name in found:
            raise UsageError(f"--data is given twice with the name {dataset.name!r}: name them, --data NAME=PATH")
        found[dataset.name] = dataset
    return list(found.values())


def read_perturbations(
    texts: Sequence[str], groups: Sequence[str], seed: int, datasets: Sequence[Dataset]
) -> tuple[Perturbation, ...]:
    """Return every perturbation asked for, once. Raises UsageError where there is nothing to perturb."""
    asked = [one for text in texts for one in parse_perturbation(text, seed)]
    asked += [one for group in groups for one in common(group, seed)]
    if asked and not datasets:
        raise UsageError("--perturb and --corruptions change images: give them with --data")
    return tuple(dict.fromkeys(asked))
