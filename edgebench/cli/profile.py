"""`edgebench profile`."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import click

from edgebench import leftovers
from edgebench.cli.display import Display
from edgebench.cli.evaluating import margin_option, open_datasets, perturbing_options, read_perturbations
from edgebench.cli.labels import read_labels
from edgebench.cli.measuring import make_settings, measuring_options
from edgebench.cli.parallel import Stoppable, on_all
from edgebench.cli.trusting import make_trust, trust_options
from edgebench.devices.base import Device, Rest
from edgebench.devices.config import expand_names
from edgebench.devices.registry import open_device
from edgebench.devices.text import SHORT, clean_text
from edgebench.errors import DeviceError, EdgebenchError
from edgebench.images.preprocessing import parse
from edgebench.pipeline.artifacts import BASELINE, find_artifacts
from edgebench.pipeline.completion import data_key, forget, session_of
from edgebench.pipeline.evaluations import Exams, prepare
from edgebench.pipeline.profile import profile
from edgebench.pipeline.request import PLAIN, Request
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
    help="cpu, gpu, a name or group from devices.toml or ~/.ssh/config, ssh://user@host:port or all; may be repeated.",
)
@click.option(
    "--data",
    multiple=True,
    metavar="[NAME=]PATH",
    help="Images: a folder of class folders, a CSV of path,label or an NPZ; repeated: the first is the main set.",
)
@perturbing_options
@margin_option
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
@trust_options
@click.option("--preprocess", help="For files without a manifest: keras:NAME, none or mean=..,std=..,scale=..")
@click.option("--runtime", help="Run with this runtime only: litert, tflite-runtime, onnxruntime or tensorflow.")
@measuring_options
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("edgebench-out"), show_default=True
)
@click.option("--fresh", is_flag=True, help="Do not go on with an interrupted profile; measure everything again.")
@click.option("--only-failed", is_flag=True, help="Measure again only what has no result yet, or one that failed.")
@click.option("--cool-down", type=click.FloatRange(0, 3600), help="Seconds of rest before each round of latency.")
@click.option(
    "--max-temperature",
    type=click.FloatRange(1, 150),
    help="Degrees C: a round of latency waits until it is no hotter.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def command(
    artifacts: tuple[Path, ...],
    devices: tuple[str, ...],
    data: tuple[str, ...],
    perturb: tuple[str, ...],
    corruptions: tuple[str, ...],
    margin: float,
    labels: str | None,
    images: str | None,
    budget: float,
    baselines: tuple[Path, ...],
    trust_lambda: bool,
    imports: tuple[Path, ...],
    preprocess: str | None,
    runtime: str | None,
    out: Path,
    fresh: bool,
    only_failed: bool,
    cool_down: float | None,
    max_temperature: float | None,
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
    own_rest = None if cool_down is None and max_temperature is None else Rest(cool_down or 0.0, max_temperature)
    request = Request(
        found, None, scenarios[0], out, runtime, _image_count(images), None, rule, fresh, only_failed, own_rest,
        f"{data_key(datasets)} {perturbations}",
    )  # fmt: skip
    with Display(quiet=as_json) as display, Stoppable(display.tell) as tell:
        names = expand_names(devices, Path.cwd())
        session = session_of(out, fresh)  # whose unfinished jobs are picked up
        leftovers.drop(out / "cache", deep=True)
        targets = [open_device(name, Path.cwd(), session, tell) for name in names]
        if datasets:
            exams = Exams(datasets, out / "cache", tell, perturbations, make_trust(trust_lambda, imports))
            prepare(exams, [item.artifact for item in found], rule or PLAIN)
            request = dataclasses.replace(request, exams=exams)
        results, lost = _measure(request, scenarios, targets, budget, tell)
    if not lost:
        forget(out, [device.name for device in targets])
    sides: dict[str, list[Result]] = {item.group: [] for item in found}
    for item, result in zip(cycle(found), results, strict=False):  # in this order for every device and scenario
        sides[item.group].append(result)
    if results or as_json:
        _show(sides, out, margin, as_json)
    for error in lost:
        click.echo(f"edgebench: {error}", err=True)
    if results and lost:
        click.echo("edgebench: what is finished is kept: the same command measures only what is missing", err=True)
    if lost:
        return max(error.exit_code for error in lost)
    return 0 if all(result.status == OK for result in results) else 1


def _measure(
    request: Request, scenarios: Sequence[Settings], devices: Sequence[Device], budget: float, tell: Stoppable
) -> tuple[list[Result], list[EdgebenchError]]:
    """Measure every scenario on every device; a device that is lost costs its own results, and the others go on."""
    lost: list[EdgebenchError] = []

    def measure(device: Device) -> list[Result]:
        try:
            return [r for one in _for_device(request, scenarios, device, budget) for r in profile(one, device, tell)]
        except EdgebenchError as error:
            lost.append(error)
        except Exception as error:  # what is unexpected on one device ends that device alone
            if device.name in LOCAL_DEVICES:
                raise
            words = f"{device.name}: an error in edgebench: {type(error).__name__}: {clean_text(error, SHORT)}"
            lost.append(DeviceError(f"{words}; please report it. The other devices went on"))
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


def _show(sides: Mapping[str, list[Result]], out: Path, margin: float, as_json: bool) -> None:
    from edgebench.report import make_console, print_table
    from edgebench.results.derived import derive
    from edgebench.results.rows import values
    from edgebench.results.together import rows_together

    if as_json:
        tables = {
            group or "results": [values(r) for r in rows_together([d for one in results for d in derive(one)], margin)]
            for group, results in sides.items()
        }
        click.echo(json.dumps(tables if len(tables) > 1 else tables["results"], indent=1))
        return
    for group, results in sides.items():
        click.echo(f"\n{group.capitalize()}:\n" if group else "", nl=False)
        print_table(results, make_console(), margin)
    found = out / "results"
    step = f"compare {out / BASELINE} {found}" if BASELINE in sides else f"report {found}"
    click.echo(f"\nResults: {found}    Next: edgebench {step}")
