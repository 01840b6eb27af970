from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from edgebench.cli.measuring import make_settings, measuring_options
from edgebench.records import Settings


def settings_of(*arguments: str) -> tuple[Settings, ...]:
    made: list[tuple[Settings, ...]] = []

    @click.command()
    @measuring_options
    def command(**values: Any) -> None:
        made.append(make_settings(**values))

    outcome = CliRunner().invoke(command, arguments)
    if outcome.exit_code:
        raise click.UsageError(outcome.output)
    return made[0]


def test_no_options_are_the_defaults() -> None:
    assert settings_of() == (Settings(),)


def test_sustained_takes_one_long_process() -> None:
    (settings,) = settings_of("--sustained", "20m")
    assert (settings.sustained_seconds, settings.processes, settings.max_processes) == (1200.0, 1, 1)
    assert settings.timeout_seconds == 1500.0


def test_throughput_is_one_measurement_a_batch_size() -> None:
    assert [settings.batch for settings in settings_of("--throughput", "1,8,8,32")] == [1, 8, 32]


def test_more_processes_than_the_most_raise_it() -> None:
    assert settings_of("--processes", "30")[0].max_processes == 30


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rate", "30", "--sustained", "1m"], "choose one"),
        (["--sustained", "soon"], "is not a duration"),
        (["--throughput", "1,0"], "is not a list of batch sizes"),
        (["--rate", "-1"], "--rate"),
    ],
)
def test_bad_values_are_named(arguments: list[str], words: str) -> None:
    with pytest.raises(click.UsageError, match=words):
        settings_of(*arguments)
