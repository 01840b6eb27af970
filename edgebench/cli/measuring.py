"""The options that say how to measure, and the settings they make."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import click

from edgebench.records import Settings

DEFAULTS = Settings()
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
START_UP_SECONDS = 300.0  # what a process of --sustained may take beside the measuring


def _duration(context: click.Context, parameter: click.Parameter, value: str) -> float:
    """Return 90, 90s, 10m or 1h in seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", value.strip())
    if match is None:
        raise click.BadParameter(f"{value!r} is not a duration such as 90s, 10m or 1h", context, parameter)
    return float(match[1]) * UNITS[match[2]]


def _sizes(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Return the batch sizes in the order given, each once."""
    parts = [part.strip() for part in value.split(",")] if value else []
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise click.BadParameter(f"{value!r} is not a list of batch sizes such as 1,8,32", context, parameter)
    return tuple(dict.fromkeys(int(part) for part in parts))


def _option(name: str, kind: Any, help_text: str) -> Callable[[Any], Any]:
    default = getattr(DEFAULTS, name)
    flag = f"--{name.removesuffix('_hz').removesuffix('_seconds') if name in SHORT else name}".replace("_", "-")
    return click.option(flag, name, type=kind, default=default, show_default=bool(default), help=help_text)


SHORT = ("timeout_seconds", "rate_hz")
COUNT, FROM_ZERO = click.IntRange(min=1), click.FloatRange(min=0)
SCENARIOS = (
    _option(
        "rate_hz", FROM_ZERO, "Send images at this fixed rate a second; latency counts from the scheduled arrival."
    ),
    click.option(
        "--sustained",
        "sustained_seconds",
        default="0",
        metavar="DURATION",
        callback=_duration,
        help="Keep going this long (10m) and compare the first minute with the last.",
    ),
    click.option(
        "--throughput", metavar="SIZES", callback=_sizes, help="Measure with each of these batch sizes: 1,8,32."
    ),
    click.option("--operators", is_flag=True, help="Also show the most expensive operators of each artifact."),
)
CARE = (
    _option("threads", COUNT, "Threads of the runtime."),
    _option("batch", COUNT, "Images in one invoke."),
    _option("processes", COUNT, "Fresh processes that measure latency, at least; artifacts take turns."),
    _option("max_processes", COUNT, "At most, where 5 or more processes disagree."),
    _option("warmup", click.IntRange(min=0), "Invocations before the clock counts, at least; on until it is steady."),
    _option("min_runs", COUNT, "Timed invocations of one process, at least."),
    _option("min_seconds", FROM_ZERO, "Time of one process, at least."),
    _option("max_seconds", click.FloatRange(min=0.01), "At most this long in one latency process."),
    _option("precision", FROM_ZERO, "Stop when the 95 % interval of the median is this close to it; 0: at --min-runs."),
    click.option("--pin/--no-pin", default=DEFAULTS.pin, help="Bind the process to as many cores as threads."),
    _option("timeout_seconds", click.FloatRange(min=1), "A process that takes longer is that cell's time-out."),
    _option("seed", int, "Of random images and orders."),
)


def measuring_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `Settings` to a command; it gets them as keyword arguments for `make_settings`."""
    for option in reversed((*CARE, *SCENARIOS)):
        command = option(command)
    return command


def make_settings(throughput: tuple[int, ...], **values: Any) -> tuple[Settings, ...]:
    """Return the settings to measure with: one, or with `--throughput` one for every batch size."""
    settings = Settings(**values)
    if settings.rate_hz and settings.sustained_seconds:
        raise click.UsageError("--rate and --sustained are two scenarios: choose one")
    if settings.processes > settings.max_processes:
        settings = dataclasses.replace(settings, max_processes=settings.processes)
    if settings.sustained_seconds:
        longest = max(settings.timeout_seconds, settings.sustained_seconds + START_UP_SECONDS)
        settings = dataclasses.replace(settings, processes=1, max_processes=1, timeout_seconds=longest)
    return tuple(dataclasses.replace(settings, batch=batch) for batch in throughput or (settings.batch,))
