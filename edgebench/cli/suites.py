"""What the keys of a suite are: the options of the commands, and the functions that the commands read them with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from edgebench.cli import convert, profile, report, train
from edgebench.cli.evaluating import open_datasets
from edgebench.cli.labels import read_labels
from edgebench.converters.sources import parse_size
from edgebench.devices.config import FILE, expand_names
from edgebench.devices.registry import open_device
from edgebench.images.evaluation import open_dataset
from edgebench.images.perturbations import parse_perturbation
from edgebench.images.preprocessing import parse
from edgebench.suite.options import Check, Options
from edgebench.suite.plan import Meanings
from edgebench.suite.workers import is_worker

RULES_TRAVEL = "artifacts bring their own rule: write it in [convert] or [[models]]"


def commands() -> dict[str, click.Command]:
    """Return the commands whose options are keys of a suite."""
    return {
        "convert": convert.command,
        "profile": profile.command,
        "train": train.command,
        "report": report.command,
    }


def tables(project: Path) -> dict[str, Options]:
    """Return the keys of each command's tables. `project` is the folder whose devices.toml counts first."""

    def devices(names: Sequence[str]) -> None:
        for name in expand_names(tuple(names), project):
            if not is_worker(name):
                open_device(name, project)  # nothing is connected yet

    shared: dict[str, Check] = {"labels": read_labels, "preprocess": parse}
    checks: dict[str, dict[str, Check]] = {
        "convert": {**shared, "to": convert.expand, "input-size": parse_size, "data": open_dataset},
        "profile": {
            **shared,
            "data": lambda values: open_datasets(values, None),
            "perturb": lambda values: [parse_perturbation(value, 0) for value in values],
            "images": profile.image_count,
            "device": devices,
        },
        "train": {**shared, "data": open_dataset},
        "report": {},
    }
    refused = {"profile": {"preprocess": RULES_TRAVEL}}
    return {name: Options(one, checks[name], refused.get(name, {})) for name, one in commands().items()}


def meanings() -> Meanings:
    """Return what the words of a suite mean."""
    return Meanings(commands(), convert.read_orders, convert.expand, profile.read_measuring, train.read_training)


def project_of(suite: Path) -> Path:
    """Return the folder whose devices.toml counts first: the suite's where it has one, else this one."""
    beside = suite.absolute().parent
    return beside if (beside / FILE).exists() else Path.cwd()
