"""`edgebench demo`."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from edgebench.errors import EdgebenchError, MissingExtraError

KERAS_MODELS = ("models/digits-cnn/digits-cnn.keras", "models/digits-mobilenetv2/digits-mobilenetv2.keras")
HUGGINGFACE_MODEL = "digits-vit"


@click.command(name="demo")
@click.option("--huggingface", is_flag=True, help="Take a small vision transformer the same way, too.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("edgebench-out"), show_default=True
)
def command(huggingface: bool, out: Path) -> int:
    """See the whole job on real handwritten digits, from training to the report, in a few minutes.

    Trains a small CNN and a MobileNetV2, converts both to every variant, measures each file on this machine and
    writes the comparison. Every step is printed as the command that you would type.

    \b
    Example:
      edgebench demo
    """
    _require("tensorflow", "keras")
    if huggingface:
        _require("torch", "huggingface")
    folder = out / "demo"
    models = [folder / name for name in (*KERAS_MODELS, *([HUGGINGFACE_MODEL] if huggingface else []))]
    click.secho("1. Train on 1,797 real handwritten digits", bold=True)
    if all(model.exists() for model in models):
        click.echo(f"   trained before: {', '.join(str(model) for model in models)}")
    else:
        _train(folder, huggingface)
    digits = str(folder / "digits")
    codes = []
    for title, arguments in (
        ("2. Convert to every variant", ["convert", *map(str, models), "--to", "all", "--data", digits]),
        ("3. Measure every file on this machine", ["profile", str(out / "artifacts"), "--data", digits, *QUICK]),
        ("4. Compare", ["report", str(out / "results")]),
    ):
        codes.append(_step(title, [*arguments, "--out", str(out)]))
    click.secho("\nNext", bold=True)
    click.echo(f"   open {out / 'report' / 'report.html'}")
    click.echo("   edgebench convert YOUR-MODEL.keras --to all --data YOUR-IMAGES/")
    click.echo(f"   edgebench profile {out / 'artifacts'} --data {digits} --device ssh://pi@raspberrypi.local")
    return max(codes)


QUICK = ["--processes", "3", "--max-seconds", "3"]


def _require(module: str, extra: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise MissingExtraError(module, extra, "the demo")


def _train(folder: Path, huggingface: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "edgebench.demo.training",
        str(folder),
        *(["--huggingface"] if huggingface else []),
    ]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            click.echo(f"   {line.rstrip()}")
        if process.wait() != 0:
            log.seek(0)
            lines = log.read().strip().splitlines()
            raise EdgebenchError(f"training the demo's models failed: {lines[-1] if lines else 'no message'}")


def _step(title: str, arguments: list[str]) -> int:
    """Run one edgebench command here, shown as a user would type it."""
    from edgebench.cli import cli

    click.secho(f"\n{title}", bold=True)
    click.secho(f"   $ edgebench {' '.join(arguments)}\n", dim=True)
    with contextlib.ExitStack() as stack:
        if arguments[0] == "profile":  # its table is the report's, which comes next
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        code = cli.main(arguments, prog_name="edgebench", standalone_mode=False)
    return code if isinstance(code, int) else 0
