"""`edgebench run`."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import psutil

from edgebench.cli.study_display import StudyDisplay
from edgebench.cli.suites import commands, meanings, project_of, tables
from edgebench.cli.trusting import trust_options
from edgebench.files import sha256_json
from edgebench.hashes import Memory, remembered
from edgebench.records import FAILED, OK
from edgebench.suite.converting import convert_all
from edgebench.suite.journal import MEASURED, Journal, Line, exclusive
from edgebench.suite.measuring import measure_all
from edgebench.suite.options import Words, parse_words
from edgebench.suite.outcome import Left, Made, Outcome, outcome_of, what_is_left
from edgebench.suite.plan import Plan, make_plan
from edgebench.suite.schema import Suite, check_address, read_suite
from edgebench.suite.steps import MISSING
from edgebench.suite.study import Study, Wishes, restricted
from edgebench.suite.training import train_all
from edgebench.units import count, duration

if TYPE_CHECKING:
    from edgebench.suite.cluster import Cluster

GIGABYTES_OF_A_CONVERSION = 4
REPORTED = "reported"
TITLES = {"trained": "training", "converted": "artifact", "measured": "cell"}
SHOWN = 20


@click.command(name="run")
@click.argument("suite", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print what would be done, and about how long it takes; start nothing.")
@click.option(
    "--only",
    multiple=True,
    metavar="GLOB",
    help="Only cells whose name MODEL/VARIANT/DEVICE it matches, as in 'mobilenet*' or '*/tflite:int8/*'.",
)
@click.option("--retry-failed", is_flag=True, help="Do again what has failed, too.")
@click.option("--jobs", type=click.IntRange(min=1), help="Conversions side by side. Default: what this machine bears.")
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Trainings, conversions and references go to this Dask cluster: tcp://HOST:8786. Its members must be yours.",
)
@trust_options
@click.option("--json", "as_json", is_flag=True, help="Print what became of every cell as JSON.")
def command(
    suite: Path,
    dry_run: bool,
    only: tuple[str, ...],
    retry_failed: bool,
    jobs: int | None,
    scheduler: str | None,
    trust_lambda: bool,
    imports: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Run a whole study: SUITE is a TOML file that names models, variants, devices and images.

    Every key of its tables is an option of `convert`, `profile` or `train` and means the same. What is finished is
    found again, whatever ended the last run; what has changed is done again, and what depends on it. Ends with 1 where
    a cell failed or is missing.

    \b
    Examples:
      edgebench init
      edgebench run suite.toml --dry-run
      edgebench run suite.toml
    """
    project = project_of(suite)
    read = read_suite(suite, tables(project))
    trust = (*(("--trust-lambda",) if trust_lambda else ()), *(f"--import={path.absolute()}" for path in imports))
    wishes = Wishes(only, retry_failed, jobs or read.jobs or _bearable_jobs())
    address = scheduler or read.scheduler
    if address:
        check_address(address)
    with contextlib.ExitStack() as stack:
        memory = stack.enter_context(remembered(read.out / "cache" / "hashes.json"))
        cluster = stack.enter_context(_cluster(address)) if address else None
        workers = [worker.name for worker in cluster.measuring()] if cluster else None
        whole = make_plan(read, meanings(), project, trust, workers)
        plan = restricted(whole, only)
        study = Study(plan, meanings(), Journal(_journal(read)), wishes, lambda _event: None, project, cluster)
        if dry_run:
            return _print_plan(study, as_json)
        return _run(study, whole, memory, as_json)


def _cluster(address: str) -> Cluster:
    from edgebench.suite.cluster import Cluster  # Dask is an extra

    return Cluster(address)


def _run(study: Study, whole: Plan, memory: Memory, as_json: bool) -> int:
    place = _journal(study.plan.suite)
    with exclusive(place.with_suffix(".lock")):
        study = dataclasses.replace(study, journal=Journal(place))  # another run may have ended just now
        with StudyDisplay(quiet=as_json) as display:
            study = dataclasses.replace(study, tell=display.show)
            for stage in _stages(study):
                stage()
                memory.save(study.out / "cache" / "hashes.json")
        outcome = outcome_of(study)
        everything = outcome if whole is study.plan else outcome_of(dataclasses.replace(study, plan=whole))
        report = _report(study, everything, as_json)
        memory.save(study.out / "cache" / "hashes.json")
    _print(study, outcome, report, as_json)
    return report.code if outcome.complete else 1


def _stages(study: Study) -> list[Callable[[], None]]:
    """Return the stages in their order: trainings and conversions on the cluster where there is one."""
    if study.cluster is None:
        return [lambda: train_all(study), lambda: convert_all(study), lambda: measure_all(study)]
    from edgebench.suite.sending import FarConverter, FarTrainer

    cluster, threads = study.cluster, study.cluster.threads
    return [
        lambda: train_all(study, FarTrainer(cluster), threads),
        lambda: convert_all(study, FarConverter(cluster), threads),
        lambda: measure_all(study),
    ]


def _journal(suite: Suite) -> Path:
    return suite.out / "suites" / f"{suite.name}.jsonl"


def _bearable_jobs() -> int:
    """Return how many conversions this machine bears at once: its cores, and its memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, int(psutil.virtual_memory().available // (GIGABYTES_OF_A_CONVERSION * 10**9))))


@dataclass(frozen=True)
class _Report:
    """The page of a report, None where there is none, the command's exit code, and whether it was written just now."""

    page: Path | None
    code: int = 0
    new: bool = False


def _report(study: Study, outcome: Outcome, quiet: bool) -> _Report:
    """Let `edgebench report` write the report of all cells there are, unless it has."""
    cells = [cell for cell in outcome.cells if cell.device and cell.place]
    page = Path("report", "report.html")
    if not cells:
        return _Report(None)
    words: Words = study.plan.suite.report
    measured = study.journal.count(MEASURED)  # a cell that was measured again has its old key
    key = sha256_json([words, measured, sorted((cell.key, cell.place, cell.status) for cell in cells)])[:32]
    line = study.journal.find(key)
    new = line is None or not (study.out / page).exists()
    if line is None or not (study.out / page).exists():
        report = commands()["report"]
        params = parse_words(report, [*words, f"--out={study.out}", "--", *(str(study.out / c.place) for c in cells)])
        with contextlib.redirect_stdout(io.StringIO()) if quiet else contextlib.nullcontext():
            assert report.callback is not None
            code = report.callback(**params)
        line = Line(REPORTED, str(page), key, FAILED if code else OK)
        study.journal.add(line)
    return _Report(study.out / page, 0 if line.status == OK else 1, new)


def _print(study: Study, outcome: Outcome, report: _Report, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_plain(study, outcome, report.page), indent=1))
        return
    missing, done = outcome.count(MISSING), outcome.count(OK)
    failed = len(outcome.cells) - missing - done
    what = count(len(outcome.cells), "cell" if study.plan.measurements else "artifact")
    click.echo(f"{study.plan.suite.name}: {what}: {done} ok, {failed} failed, {missing} missing")
    for name, reason in outcome.untrained:
        click.echo(f"  {name}: not trained: {reason or 'it was not reached'}")
    bad = [cell for cell in outcome.cells if cell.status != OK]
    for cell in bad[:SHOWN]:
        click.echo(f"  {cell.name}: {cell.status}: {cell.reason or 'it was not reached'}")
    if len(bad) > SHOWN:
        click.echo(f"  .. and {len(bad) - SHOWN} more: --json names them all")
    if failed or missing:
        click.echo("What is finished is kept: the same command does what is missing; --retry-failed what failed, too.")
    if report.page and not report.new:  # the report said where it is
        click.echo(f"Report: {report.page}")


def _plain(study: Study, outcome: Outcome, report: Path | None) -> dict[str, object]:
    counts = {status: outcome.count(status) for status in sorted({cell.status for cell in outcome.cells})}
    return {
        "suite": study.plan.suite.name,
        "out": str(study.out),
        "complete": outcome.complete,
        "counts": counts,
        "cells": [_cell(cell) for cell in outcome.cells],
        "untrained": [{"model": name, "reason": reason} for name, reason in outcome.untrained],
        "report": str(report) if report else None,
    }


def _cell(cell: Made) -> dict[str, object]:
    return {name: value for name, value in dataclasses.asdict(cell).items() if name != "key"}


def _print_plan(study: Study, as_json: bool) -> int:
    left = what_is_left(study)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in left], indent=1))
        return 0
    plan = study.plan
    devices = dict.fromkeys(step.device for step in plan.measurements)
    variants = {variant for step in plan.conversions for variant in step.variants}
    parts = [count(len(plan.conversions), "model"), f"up to {count(len(variants), 'variant')}"]
    parts += [f"{count(len(devices), 'device')} ({', '.join(devices)})"] if devices else []
    click.echo(f"{plan.suite.name}: {', '.join(parts)}; everything goes to {study.out}")
    for one in left:
        if one.total:
            click.echo(f"  {_line_of(one, study)}")
    return 0


def _line_of(left: Left, study: Study) -> str:
    todo = left.total - left.finished
    text = f"{count(left.total, TITLES[left.kind])}: {left.finished} finished, {todo} to do"
    if not todo:
        return text
    seconds = left.seconds / (study.wishes.jobs if left.kind == "converted" else 1)
    known = todo - left.unknown
    if not known:
        return f"{text}; how long is not known, as none like them was done before"
    return f"{text}; about {duration(seconds)}" + (f" for {known} of them, the others are new" if left.unknown else "")
