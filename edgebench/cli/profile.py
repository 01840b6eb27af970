"""`edgebench profile`."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import click

from edgebench import leftovers
from edgebench.cli.display import Display
from edgebench.cli.evaluating import margin_option, open_datasets, perturbing_options, read_perturbations
from edgebench.cli.labels import read_labels
from edgebench.cli.measuring import make_settings, measuring_options
from edgebench.cli.trusting import make_trust, trust_options
from edgebench.devices.base import Device, Rest
from edgebench.devices.config import expand_names
from edgebench.devices.registry import open_device
from edgebench.images.preprocessing import parse
from edgebench.pipeline.artifacts import BASELINE, find_artifacts
from edgebench.pipeline.batches import batch_notes
from edgebench.pipeline.completion import forget, session_of
from edgebench.pipeline.evaluations import Exams, prepare
from edgebench.pipeline.parallel import Stoppable, on_every
from edgebench.pipeline.profile import profile
from edgebench.pipeline.request import PLAIN, Measuring
from edgebench.records import OK, Result

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
    margin: float,
    baselines: tuple[Path, ...],
    out: Path,
    fresh: bool,
    only_failed: bool,
    as_json: bool,
    **options: Any,
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
    how = read_measuring(**options)
    found = [*find_artifacts(artifacts, how.rule), *find_artifacts(baselines, how.rule, BASELINE)]
    for line in batch_notes(found, [settings.batch for settings in how.scenarios]):
        click.echo(f"edgebench: {line}", err=True)
    request = how.request(found, out, fresh, only_failed)
    with Display(as_json, len(how.scenarios)) as display, Stoppable(display.tell) as tell:
        names = expand_names(devices, Path.cwd())
        session = session_of(out, fresh)  # whose unfinished jobs are picked up
        leftovers.drop(out / "cache", deep=True)
        targets = [open_device(name, Path.cwd(), session, tell) for name in names]
        if how.datasets:
            exams = Exams(how.datasets, out / "cache", tell, how.perturbations, how.trust)
            prepare(exams, [item.artifact for item in found], how.rule or PLAIN)
            request = dataclasses.replace(request, exams=exams)

        def measure(device: Device) -> list[Result]:
            return [r for one in how.on(device, request) for r in profile(one, device, tell)]

        results, lost = on_every(measure, targets, tell)
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


def read_measuring(
    data: tuple[str, ...],
    perturb: tuple[str, ...],
    corruptions: tuple[str, ...],
    labels: str | None,
    images: str | None,
    budget: float,
    trust_lambda: bool,
    imports: tuple[Path, ...],
    preprocess: str | None,
    runtime: str | None,
    cool_down: float | None,
    max_temperature: float | None,
    **settings: Any,
) -> Measuring:
    """Return what the options mean. Raises UsageError for images and rules that cannot be used."""
    scenarios = make_settings(**settings)
    datasets = open_datasets(data, read_labels(labels))
    return Measuring(
        scenarios,
        tuple(datasets),
        read_perturbations(perturb, corruptions, scenarios[0].seed, datasets),
        parse(preprocess) if preprocess else None,
        runtime,
        image_count(images),
        budget,
        None if cool_down is None and max_temperature is None else Rest(cool_down or 0.0, max_temperature),
        make_trust(trust_lambda, imports),
    )


def image_count(text: str | None) -> int | None:
    """Return the number of images that `--images` means; sys.maxsize is all of them."""
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
