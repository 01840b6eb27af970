"""`edgebench profile`."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import click

from edgebench.cli.display import Display
from edgebench.cli.evaluating import open_datasets, perturbing_options, read_perturbations
from edgebench.cli.labels import read_labels
from edgebench.cli.measuring import make_settings, measuring_options
from edgebench.cli.parallel import Stoppable, on_all
from edgebench.devices.base import Device
from edgebench.devices.registry import open_device
from edgebench.errors import DeviceError
from edgebench.images.preprocessing import parse
from edgebench.pipeline.artifacts import BASELINE, find_artifacts
from edgebench.pipeline.evaluations import Exams, prepare
from edgebench.pipeline.profile import PLAIN, Request, profile
from edgebench.records import OK, Result, Settings

LOCAL_DEVICES = ("cpu", "gpu")
REMOTE_BUDGET_SECONDS = 120.0


@click.command(name="profile")
@click.argument("artifacts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--device",
    "devices",
    multiple=True,
    default=("cpu",),
    show_default=True,
    help="cpu, gpu, a name from devices.toml or ssh://user@host:port; may be repeated.",
)
@click.option(
    "--data",
    multiple=True,
    metavar="[NAME=]PATH",
    help="Images: a folder of class folders, a CSV of path,label or an NPZ; repeated: the first is the main set.",
)
@perturbing_options
@click.option("--labels", help="Class names in the model's order, separated by commas or one a line in a file.")
@click.option(
    "--images",
    help="Images for the accuracy run: a number, or all. Default: all here, what fits --budget on a remote device.",
)
@click.option(
    "--budget",
    type=click.FloatRange(min=1),
    default=REMOTE_BUDGET_SECONDS,
    show_default=True,
    help="Seconds a remote device may spend on the accuracy of one artifact.",
)
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Artifacts to measure in turn with ARTIFACTS, for `compare`; their results go to OUT/baseline.",
)
@click.option("--preprocess", help="For files without a manifest: keras:NAME, none or mean=..,std=..,scale=..")
@click.option("--runtime", help="Run with this runtime only: litert, tflite-runtime, onnxruntime or tensorflow.")
@measuring_options
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("edgebench-out"), show_default=True
)
@click.option("--fresh", is_flag=True, help="Do not go on with an interrupted profile; measure everything again.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def command(
    artifacts: tuple[Path, ...],
    devices: tuple[str, ...],
    data: tuple[str, ...],
    perturb: tuple[str, ...],
    corruptions: tuple[str, ...],
    labels: str | None,
    images: str | None,
    budget: float,
    baselines: tuple[Path, ...],
    preprocess: str | None,
    runtime: str | None,
    out: Path,
    fresh: bool,
    as_json: bool,
    **settings: Any,
) -> int:
    """Measure ARTIFACTS on devices: accuracy drift, latency, memory and size.

    ARTIFACTS are files or folders that `convert` made, or bare .tflite, .onnx and SavedModel. Each is loaded in
    fresh processes: one for memory, one for accuracy, several for latency. An interrupted profile goes on where it
    stopped.

    \b
    Example:
      edgebench profile edgebench-out/artifacts --device cpu --data photos/test
      edgebench profile new/model.tflite --baseline old/model.tflite
      edgebench profile edgebench-out/artifacts --data clean=photos --data shifted=others --perturb noise=0:100:10
    """
    rule = parse(preprocess) if preprocess else None
    found = [*find_artifacts(artifacts, rule), *find_artifacts(baselines, rule, BASELINE)]
    scenarios = make_settings(**settings)
    datasets = open_datasets(data, read_labels(labels))
    perturbations = read_perturbations(perturb, corruptions, scenarios[0].seed, datasets)
    request = Request(found, None, scenarios[0], out, runtime, _image_count(images), None, rule, fresh)
    with Display(quiet=as_json) as display, Stoppable(display.tell) as tell:
        session = f"{out.resolve()} {time.time_ns() if fresh else ''}"  # whose unfinished jobs are picked up
        targets = [open_device(name, Path.cwd(), session, tell) for name in dict.fromkeys(devices)]
        if datasets:
            exams = Exams(datasets, out / "cache", tell, perturbations)
            prepare(exams, [item.artifact for item in found], rule or PLAIN)
            request = dataclasses.replace(request, exams=exams)
        results, lost = _measure(request, scenarios, targets, budget, tell)
    sides: dict[str, list[Result]] = {item.group: [] for item in found}
    for item, result in zip(cycle(found), results, strict=False):  # in this order for every device and scenario
        sides[item.group].append(result)
    if results or as_json:
        _show(sides, out, as_json)
    for error in lost:
        click.echo(f"edgebench: {error}", err=True)
    return 0 if not lost and all(result.status == OK for result in results) else 1


def _measure(
    request: Request, scenarios: Sequence[Settings], devices: Sequence[Device], budget: float, tell: Stoppable
) -> tuple[list[Result], list[DeviceError]]:
    """Measure every scenario on every device; a device that is lost costs its own results, and the others go on."""
    lost: list[DeviceError] = []

    def measure(device: Device) -> list[Result]:
        try:
            return [r for one in _for_device(request, scenarios, device, budget) for r in profile(one, device, tell)]
        except DeviceError as error:
            lost.append(error)
            return []

    return on_all(measure, devices, tell), lost


def _for_device(request: Request, scenarios: Sequence[Settings], device: Device, budget: float) -> list[Request]:
    """One request a scenario; a remote device gets a time budget where the user did not say how many images."""
    limit = budget if device.name not in LOCAL_DEVICES and request.images is None else None
    accelerator = "gpu" if device.name == "gpu" else "cpu"
    return [
        dataclasses.replace(
            request, budget_seconds=limit, settings=dataclasses.replace(settings, accelerator=accelerator)
        )
        for settings in scenarios
    ]


def _image_count(text: str | None) -> int | None:
    if text is None:
        return None
    if text == "all":
        return sys.maxsize
    if not text.isdigit() or int(text) == 0:
        raise click.BadParameter(f"{text!r} is neither a number nor `all`", param_hint="--images")
    return int(text)


def _show(sides: Mapping[str, list[Result]], out: Path, as_json: bool) -> None:
    from edgebench.report import make_console, print_table
    from edgebench.results.rows import to_rows, values

    if as_json:
        tables = {
            group or "results": [values(row) for result in results for row in to_rows(result)]
            for group, results in sides.items()
        }
        click.echo(json.dumps(tables if len(tables) > 1 else tables["results"], indent=1))
        return
    for group, results in sides.items():
        click.echo(f"\n{group.capitalize()}:\n" if group else "", nl=False)
        print_table(results, make_console())
    found = out / "results"
    step = f"compare {out / BASELINE} {found}" if BASELINE in sides else f"report {found}"
    click.echo(f"\nResults: {found}    Next: edgebench {step}")
