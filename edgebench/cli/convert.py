"""`edgebench convert`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgebench import registry
from edgebench.cli.converting import ConversionDisplay
from edgebench.cli.labels import read_labels
from edgebench.cli.trusting import make_trust, trust_options
from edgebench.converters import sources
from edgebench.converters.base import ANY, TARGETS
from edgebench.errors import UsageError
from edgebench.files import is_safe_name
from edgebench.images.preprocessing import parse
from edgebench.pipeline.calibration import plan_images
from edgebench.pipeline.convert import convert
from edgebench.pipeline.manifests import Order
from edgebench.records import OK, Artifact, Source, to_dict
from edgebench.variants import MIXED, is_calibrated, parts

ALL = "all"


class _ListsVariants(click.Command):
    """Ends its help with the variants there are, those of other packages too: only this installation knows them."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of formats and precisions."""
        del ctx
        with formatter.section("Variants"):
            formatter.write_dl([(name, ", ".join(one.precisions)) for name, one in registry.formats().items()])


@click.command(name="convert", cls=_ListsVariants)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--to",
    "targets",
    multiple=True,
    default=(ALL,),
    show_default=True,
    metavar="FORMAT:PRECISION",
    help="A variant such as tflite:int8, a format alone (tflite), or all; may be repeated. --help ends with the list.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Images to calibrate int8 on and to compare outputs with: a folder of class folders, a CSV or an NPZ.",
)
@click.option("--preprocess", help="How images become input: keras:NAME, none, or scale=1/255,mean=..,std=..")
@click.option("--input-size", default="", help="For models that take any size: 224 or 224x320 (height x width).")
@click.option("--labels", help="Class names in the model's order: separated by commas, or a file with one a line.")
@click.option("--name", help="Name of the artifacts, for a single MODEL. Default: the file's.")
@click.option(
    "--calibration",
    type=click.Choice(["data", "random"]),
    default="data",
    show_default=True,
    help="random: calibrate on noise, for speed studies only; the manifest and the report say so.",
)
@click.option("--calibration-images", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Chooses the calibration images.")
@click.option(
    "--target",
    type=click.Choice(list(TARGETS)),
    default=ANY,
    show_default=True,
    help="What onnx:int8 is made for. any: no processor saturates; the others use all 8 bits of each weight.",
)
@click.option(
    "--max-drop",
    callback=lambda _context, _option, text: _share(text),
    metavar="PERCENT",
    help="The drop of top-1 that tflite:mixed or onnx:mixed must prove: 0.5%.",
)
@click.option("--output", metavar="NAME", help="Which output has the classes, for Keras models with several.")
@click.option("--signature", metavar="NAME", help="Which signature of a SavedModel to convert.")
@trust_options
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("edgebench-out"), show_default=True
)
@click.option("--force", is_flag=True, help="Convert again even where nothing changed.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifests as JSON.")
def command(as_json: bool, **options: Any) -> int:
    """Convert trained MODELs to SavedModel, TFLite and ONNX.

    A MODEL is a .keras or .h5 file, a SavedModel folder, a Hugging Face checkpoint folder, keras:NAME (a Keras
    Application, as in 'keras:MobileNetV2?weights=none&input_size=96&classes=10') or hf:owner/name. Each artifact is
    compared with the source model and run once before it counts; an unchanged conversion is found, not repeated.

    \b
    Examples:
      edgebench convert model.keras --to all --data photos
      edgebench convert keras:MobileNetV2 --to tflite:int8 --to onnx:float32 --data photos
    """
    orders = read_orders(**options)
    with ConversionDisplay(sum(len(order.variants) for order in orders), quiet=as_json) as display:
        artifacts, unusable = [], []
        for order in orders:
            try:
                artifacts += convert(order, display.tell)
            except UsageError as error:
                if len(orders) == 1:
                    raise
                unusable.append(f"{order.name}: {error}")
                display.line(f"{order.name}: {error}")
    return _finish(artifacts, unusable, orders, as_json)


def read_orders(
    models: tuple[str, ...],
    targets: tuple[str, ...],
    data: Path | None,
    preprocess: str | None,
    labels: str | None,
    name: str | None,
    calibration: str,
    **options: Any,
) -> list[Order]:
    """Return what the options mean, an order a model. Raises UsageError for models and images that cannot be used."""
    variants = expand(targets)
    if name and not is_safe_name(name):
        raise UsageError(f"--name {name[:80]!r} is no file name: use letters, digits, '.', '_' and '-'")
    if name and len(models) > 1:
        raise UsageError(f"--name {name} does not go with {len(models)} models: leave it out")
    random, everything = calibration == "random", ALL in targets
    return _orders(models, name, variants, read_labels(labels), data, preprocess, random, everything, options)


def read_source(text: str, **options: Any) -> Source:
    """Return the source model of one MODEL. Raises UsageError where there is none."""
    trust = make_trust(options["trust_lambda"], options["imports"])
    return sources.resolve(text, options["input_size"], trust, options["output"] or "", options["signature"] or "")


def expand(targets: tuple[str, ...]) -> tuple[str, ...]:
    """Return the variants meant by `--to` values, in the usual order; a format alone means all its precisions."""
    known, chosen = registry.all_variants(), set[str]()
    asked = registry.variants_on_request()
    for target in targets:
        matches = [variant for variant in known if target in (ALL, variant, parts(variant)[0])]
        matches += [variant for variant in asked if target == variant]
        if not matches:
            formats = ", ".join(registry.formats())
            raise UsageError(f"unknown target --to {target}: known are {', '.join(known + asked)}, {formats} and all")
        chosen.update(matches)
    return tuple(variant for variant in known + asked if variant in chosen)


def _needs_proof(variants: tuple[str, ...], data: bool, max_drop: float) -> bool:
    """Tell whether a promise must be proved; UsageError where there is one without the other."""
    needed = any(parts(variant)[1] == MIXED for variant in variants)
    if needed and not (data and max_drop):
        raise UsageError("mixed needs a promise to keep, and images to prove it: give --max-drop 0.5% and --data")
    if max_drop and not needed:
        raise UsageError("--max-drop belongs to tflite:mixed and onnx:mixed: add one with --to, or leave it out")
    return needed


def _share(text: str | None) -> float:
    """Return a percentage as a share in 0..1; 0 where none was given."""
    if text is None:
        return 0.0
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not text.endswith("%") or not 0 < share < 1:
        raise UsageError(f"--max-drop {text} is no share: give a percentage such as 0.5%")
    return share


def _orders(
    models: tuple[str, ...],
    name: str | None,
    variants: tuple[str, ...],
    labels: tuple[str, ...],
    data: Path | None,
    preprocess: str | None,
    random: bool,
    everything: bool,
    options: dict[str, Any],
) -> list[Order]:
    """Resolve every model before the first is converted, so that a wrong name costs no waiting."""
    proof = _needs_proof(variants, data is not None and not random, options["max_drop"])
    trust = make_trust(options["trust_lambda"], options["imports"])
    found = [read_source(text, **options) for text in models]
    _check_images(variants, data, random)
    images = plan_images(data, random, options["calibration_images"], options["seed"], labels, proof)
    rule = parse(preprocess) if preprocess else None
    orders: list[Order] = []
    for text, source in zip(models, found, strict=True):
        own = rule or sources.own_preprocessing(source, text)
        chosen = name or sources.default_name(source)
        if any(chosen == order.name for order in orders):
            raise UsageError(f"two models would be called {chosen}: convert them one by one, with --name")
        made = _made_from(source, text, variants, everything)
        out, force, target = options["out"], options["force"], options["target"]
        drop, imports = options["max_drop"], trust.imports_for(source)
        orders.append(Order(source, chosen, own, made, labels, images, out, force, target, drop, imports))
    return orders


def _made_from(source: Source, text: str, variants: tuple[str, ...], everything: bool) -> tuple[str, ...]:
    """Return the variants that the model's converter makes; UsageError where one was asked for that it does not."""
    formats = sources.formats_of(source)
    made = tuple(variant for variant in variants if parts(variant)[0] in formats)
    left = [variant for variant in variants if variant not in made]
    if left and not everything:
        raise UsageError(f"{text} becomes {', '.join(formats)}, not {', '.join(left)}: choose another --to")
    return made


def _check_images(variants: tuple[str, ...], data: Path | None, random: bool) -> None:
    wanted = [variant for variant in variants if is_calibrated(parts(variant)[1])]
    if wanted and data is None and not random:
        raise UsageError(
            f"{', '.join(wanted)} {'need' if len(wanted) > 1 else 'needs'} images to calibrate on: give --data with "
            "some of the training images, or leave them out with --to (--calibration random makes artifacts whose "
            "accuracy means nothing)"
        )


def _finish(artifacts: list[Artifact], unusable: list[str], orders: list[Order], as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps([to_dict(artifact) for artifact in artifacts], indent=1))
    else:
        made = sum(artifact.status == OK for artifact in artifacts)
        folders = ", ".join(str(order.folder) for order in orders)
        click.echo(f"{made} of {len(artifacts)} artifacts are in {folders}")
    if unusable:
        return 2
    return 0 if all(artifact.status == OK for artifact in artifacts) else 1
