"""`edgebench explain`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgebench.cli.labels import read_labels
from edgebench.cli.progress import working
from edgebench.errors import UsageError
from edgebench.files import write_bytes, write_json
from edgebench.images.evaluation import open_dataset
from edgebench.images.preprocessing import parse
from edgebench.pipeline.artifacts import find_artifacts
from edgebench.pipeline.explain import explain

IMAGES = 32


@click.command(name="explain")
@click.argument("artifact", metavar="ARTIFACT", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Images to run through it, as in profile.")
@click.option("--images", type=click.IntRange(min=1), default=IMAGES, show_default=True, help="How many of them.")
@click.option("--labels", help="Class names in the model's order, separated by commas or one a line in a file.")
@click.option(
    "--against", type=click.Path(path_type=Path), help="The float file it was made from. Default: found beside it."
)
@click.option("--preprocess", help="For files without a manifest: keras:NAME, none or mean=..,std=..,scale=..")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("edgebench-out"), show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(
    artifact: Path,
    data: Path | None,
    images: int,
    labels: str | None,
    against: Path | None,
    preprocess: str | None,
    out: Path,
    as_json: bool,
) -> int:
    """Say what is inside a .tflite or .onnx, whether its label is true, and which layers lose what.

    Any file will do, also one that edgebench did not make. With --data it runs beside the float file of its format
    on the same images, layer by layer: what each layer loses by itself, with exact inputs, and what it stands with in
    the network. OUT/explain/ then holds a page with the curve and node data for Model Explorer. Ends with 1 where the
    label is not true.

    \b
    Example:
      edgebench explain edgebench-out/artifacts/digits-cnn/digits-cnn-int8.tflite --data photos
    """
    from edgebench.report.explanation import explanation_json, model_explorer_json, print_explanation
    from edgebench.report.explanation_page import page_text
    from edgebench.report.terminal import make_console

    rule = parse(preprocess) if preprocess else None
    found = find_artifacts([artifact], rule, audited=False)
    if len(found) != 1:
        raise UsageError(f"{artifact} holds {len(found)} artifacts: name one of its files")
    dataset = open_dataset(data, read_labels(labels)) if data else None
    with working("running it layer by layer" if data else "reading the file"):
        seen = explain(found[0], dataset, images, against, rule)
    if seen.layers:
        folder = out / "explain" / f"{seen.artifact.model}-{seen.artifact.format}-{seen.artifact.precision}"
        write_bytes(folder / "layers.html", page_text(seen).encode("utf-8", "replace"))
        write_json(folder / "layers.json", explanation_json(seen))
        write_json(folder / "model-explorer.json", model_explorer_json(seen))
    if as_json:
        click.echo(json.dumps(explanation_json(seen), indent=1, allow_nan=False))
    else:
        print_explanation(seen, make_console())
        if seen.layers:
            click.echo(f"\nPage: {folder / 'layers.html'} (and layers.json, model-explorer.json beside it)")
    return 1 if seen.lies else 0
