"""`edgebench ship`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgebench.cli.labels import read_labels
from edgebench.cli.progress import working
from edgebench.errors import UsageError
from edgebench.pipeline.artifacts import find_artifacts
from edgebench.pipeline.shipping.app import PROGRAM, ship


@click.command(name="ship")
@click.argument("artifact", metavar="ARTIFACT", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The app's folder.")
@click.option("--labels", help="Class names in the model's order, if it does not know them: a,b,c or a file.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(artifact: Path, out: Path, labels: str | None, as_json: bool) -> int:
    """Write a folder that answers as measured, without edgebench: the file, its labels and a predict.py.

    predict.py needs NumPy, Pillow and one runtime. Before the folder counts, its answers to 50 photos of odd sizes
    are held against what edgebench measures for the same photos, bit for bit.

    \b
    Example:
      edgebench ship edgebench-out/artifacts/digits-cnn/digits-cnn-int8.tflite --out app
      python app/predict.py photo.jpg
    """
    found = find_artifacts([artifact], None)
    if len(found) != 1:
        raise UsageError(f"{artifact} holds {len(found)} artifacts: name the one to ship")
    names = read_labels(labels)
    classes = found[0].artifact.output.shape[-1] if found[0].artifact.output else len(names)
    if names and len(names) != classes:
        raise UsageError(f"--labels names {len(names)} classes, {found[0].artifact.label} has {classes} outputs")
    with working("holding the folder's answers against the measured ones"):
        folder = ship(found[0], out, names)
    if as_json:
        click.echo(json.dumps({"folder": str(folder), "files": sorted(item.name for item in folder.iterdir())}))
    else:
        click.echo(f"{found[0].artifact.label} -> {folder}; try: python {folder / PROGRAM} PHOTO")
    return 0
