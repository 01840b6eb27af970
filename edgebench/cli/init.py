"""`edgebench init`."""

from __future__ import annotations

from pathlib import Path

import click

from edgebench.devices.config import read_devices
from edgebench.errors import UsageError
from edgebench.suite.finding import look
from edgebench.suite.first import text_of
from edgebench.units import count

NAME = "suite.toml"


@click.command(name="init")
@click.argument("folder", metavar="[DIR]", required=False, default=".", type=click.Path(path_type=Path))
def command(folder: Path) -> int:
    """Write DIR/suite.toml, a commented study of the models and images below DIR.

    It finds .keras and .h5 files, SavedModels, Hugging Face checkpoints, folders of class folders, CSV and NPZ; with
    images and no model it trains one. A suite.toml that is there is left as it is.

    \b
    Example:
      edgebench init my-project
    """
    file = folder / NAME
    if file.exists():
        raise UsageError(f"{file} is there already, and is left as it is: rename it, or edit it")
    findings = look(folder)
    for line in findings.refused:
        click.echo(f"edgebench: left out: {line}", err=True)
    if not findings.models and not findings.images:
        raise UsageError(f"no model and no images below {folder.absolute()}: name the folder that holds some")
    text = text_of(findings, folder, file, list(read_devices(folder)))
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise UsageError(f"{file} is there already, and is left as it is: rename it, or edit it") from error
    images = sum(one.count for one in findings.images)
    found = f"{count(len(findings.models), 'model')} and {count(images, 'image')}"
    click.echo(f"{file}: a study of {found}\nNext: edgebench run {file} --dry-run")
    return 0
