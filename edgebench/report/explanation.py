"""What `edgebench explain` found, on a terminal, as JSON and for Model Explorer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edgebench.inspection.audit import Audit
from edgebench.inspection.explanation import Explanation
from edgebench.inspection.label import weighted_words
from edgebench.inspection.layers.figures import Error
from edgebench.inspection.layers.measure import Layer
from edgebench.report.layout import Cells, lay_out
from edgebench.units import count, one_line, size

WORST = 10
VERSION = 1
GRADIENT = [{"stop": 0, "bgColor": "#d1495b"}, {"stop": 0.5, "bgColor": "#e9a23b"}, {"stop": 1, "bgColor": "#2a9d8f"}]


def facts(found: Explanation) -> list[tuple[str, str]]:
    """Return what is inside as (name, words), in reading order."""
    audit, graph = found.audit, found.graph
    inputs = [(f"{what} {name}", _tensor_words(found, name)) for what, name in _ends(found)]
    label = found.artifact.precision
    return [
        ("label", label if label != "unknown" else "none: it has no manifest"),
        ("true precision", f"{audit.precision}: {weighted_words(audit)}"),
        *inputs,
        ("operators", _counted(audit.operators)),
        ("in integers", _counted(audit.integer)),
        ("in float", _counted(audit.floating)),
        ("stored", ", ".join(f"{size(value)} {dtype}" for dtype, value in audit.weight_bytes.items()) or "nothing"),
        ("conversions", f"{audit.conversions or 'none'} between integers and float at run time"),
        ("float islands", islands(audit)),
        ("not of the format", ", ".join(audit.custom) or "nothing"),
        ("needs", graph.needs or "the file does not say"),
    ]


def islands(audit: Audit) -> str:
    """Describe the float islands of an integer graph, the largest first."""
    if not audit.islands:
        return "none"
    words = [
        f"{' '.join(island.operators[:6])}{' ..' if len(island.operators) > 6 else ''} "
        f"({count(island.conversions, 'conversion')})"
        for island in audit.islands[:5]
    ]
    rest = len(audit.islands) - len(words)
    return f"{len(audit.islands)}: {'; '.join(words)}{f'; and {rest} more' if rest else ''}"


def print_explanation(found: Explanation, console: Console) -> None:
    """Print what is inside, what is not true of the label, and the worst layers."""
    console.print(Text(one_line(f"{found.artifact.label} ({found.file})"), style="bold"), soft_wrap=True)
    table = Table(box=None, show_header=False, pad_edge=True, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, words in facts(found):
        table.add_row(Text(one_line(name)), Text(one_line(words)))
    console.print(table)
    for line in found.lies:
        console.print(Text(one_line(f"The label is not true: {line}"), style="bold red"), soft_wrap=True)
    if not found.layers:
        return
    console.print()
    heading = f"The worst of {count(len(found.layers), 'layer')}, on {count(found.images, 'image')}, against"
    console.print(Text(one_line(f"{heading} {found.exact_file}"), style="bold"), soft_wrap=True)
    for text in _worst(found.worst[:WORST], console.width):
        console.print(text, soft_wrap=True)
    for layer in found.worst[:WORST]:
        text = Text(one_line(f"{layer.place} {layer.kind} {layer.name}: {layer.reason}"))
        console.print(Padding(text, (0, 0, 0, 2), expand=False))


def _worst(layers: Sequence[Layer], width: int) -> tuple[Text, ...]:
    """Return the table of layers, or a card each where there is no room: no figure is cut."""
    texts = [(f"{layer.place} {one_line(layer.kind)}", *_figures(layer)) for layer in layers]
    names, *columns = (
        Cells(title, tuple(row[at] for row in texts), ("",) * len(texts), right=at > 0, priority=0)
        for at, title in enumerate(("Layer", "By itself", "In the network", "Cosine", "Clipped"))
    )
    return lay_out(names, columns, width).lines


def decibels(value: float) -> str:
    """Return a ratio as text: `31.2 dB`, `exact` where nothing is lost, `lost` where nothing is left."""
    return f"{value:.1f} dB" if math.isfinite(value) else "exact" if value > 0 else "lost"


def explanation_json(found: Explanation) -> dict[str, object]:
    """Return everything as JSON values; ratios that are not finite are null beside `exact`."""
    audit = found.audit
    return {
        "version": VERSION,
        "artifact": found.artifact.label,
        "file": str(found.file),
        "against": str(found.exact_file) if found.exact_file else None,
        "images": found.images,
        "label": found.artifact.precision,
        "precision": audit.precision,
        "lies": list(found.lies),
        "operators": audit.operators,
        "integer": audit.integer,
        "floating": audit.floating,
        "weight_bytes": audit.weight_bytes,
        "conversions": audit.conversions,
        "islands": [{"operators": list(one.operators), "conversions": one.conversions} for one in audit.islands],
        "custom": list(audit.custom),
        "needs": found.graph.needs,
        "layers": [_layer_json(layer) for layer in found.layers],
    }


def model_explorer_json(found: Explanation) -> dict[str, object]:
    """Return Model Explorer's node data, keyed by output tensor name: the ratio that is each layer's own, in dB.

    Format: github.com/google-ai-edge/model-explorer/wiki/2.-User-Guide#custom-node-data.
    """
    results = {
        layer.name: {"value": round(min(layer.blame_db, 99.0), 2)}
        for layer in found.layers
        if math.isfinite(layer.blame_db) or layer.blame_db > 0
    }
    return {"results": results, "gradient": GRADIENT}


def _ends(found: Explanation) -> list[tuple[str, str]]:
    return [("input", name) for name in found.graph.inputs] + [("output", name) for name in found.graph.outputs]


def _tensor_words(found: Explanation, name: str) -> str:
    tensor = found.graph.tensors.get(name)
    if tensor is None:
        return "not described"
    shape = "x".join("?" if edge < 0 else str(edge) for edge in tensor.shape)
    if len(tensor.scales) != 1:
        return f"{tensor.dtype} {shape}"
    return f"{tensor.dtype} {shape}, real = (stored - {tensor.zero_points[0]}) * {tensor.scales[0]:.6g}"


def _counted(table: dict[str, int]) -> str:
    return (
        f"{sum(table.values())}: {', '.join(f'{number} {kind}' for kind, number in table.items())}" if table else "none"
    )


def _figures(layer: Layer) -> tuple[str, str, str, str]:
    own = decibels(layer.alone.worst_db) if layer.alone else ""
    seen = layer.accumulated
    return own, decibels(seen.worst_db), f"{seen.cosine:.4f}", f"{layer.range.clipped:.1%}" if layer.quantised else ""


def _layer_json(layer: Layer) -> dict[str, object]:
    spread = layer.range
    return {
        "place": layer.place,
        "name": layer.name,
        "kind": layer.kind,
        "quantised": layer.quantised,
        "accumulated": _error_json(layer.accumulated),
        "alone": _error_json(layer.alone) if layer.alone else None,
        "low": spread.low,
        "high": spread.high,
        "typical": spread.typical,
        "holds_low": spread.holds_low,
        "holds_high": spread.holds_high,
        "clipped": spread.clipped,
        "used": spread.used,
        "loudest_channel": spread.loudest_channel,
        "loudest_ratio": spread.loudest_ratio if math.isfinite(spread.loudest_ratio) else None,
        "reason": layer.reason,
    }


def _error_json(error: Error) -> dict[str, object]:
    return {
        "sqnr_db": error.sqnr_db if math.isfinite(error.sqnr_db) else None,
        "channel_db": error.channel_db if math.isfinite(error.channel_db) else None,
        "cosine": error.cosine,
        "exact": error.sqnr_db == math.inf,
    }
