"""Does every label that lies get named, and no honest one accused?

    python -m benchmarks.labels edgebench-out/artifacts [MORE FOLDERS] [--tampered 20]

Reads every .tflite and .onnx that `edgebench convert` made in the folders and holds it against its manifest, as
`profile`, `convert` and `explain` do. Then --tampered files, chosen and changed by a seeded draw, are mislabelled
(another precision, another variant's file) or tampered with (scale, zero point, shape, type or name of an input or
output, number of classes, a weight that is no number). Prints both counts and whatever was missed; exit code 1 where
something was.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx

from edgebench.inspection.audit import audit
from edgebench.inspection.graph import Graph
from edgebench.inspection.label import HONEST, lies
from edgebench.inspection.read import FORMATS, read_graph
from edgebench.pipeline.artifacts import Found, find_artifacts
from edgebench.records import OK, Artifact

Case = tuple[str, Artifact, Graph]
Tamper = Callable[[Found, list[Found], random.Random], Case | None]


def graph_of(found: Found) -> Graph:
    """Return what is in an artifact's file."""
    assert found.file is not None
    return read_graph(found.file, found.artifact.format)[1]


def relabelled(found: Found, _others: list[Found], draw: random.Random) -> Case:
    """Call it another precision."""
    true = audit(graph_of(found)).precision
    said = draw.choice([name for name in HONEST if true not in HONEST[name]])
    return f"called {said}", dataclasses.replace(found.artifact, precision=said), graph_of(found)


def exchanged(found: Found, others: list[Found], draw: random.Random) -> Case | None:
    """Put the file of another precision of the same model and format in its place."""
    mine = found.artifact
    same = [o for o in others if (o.artifact.model, o.artifact.format) == (mine.model, mine.format)]
    wrong = [o for o in same if audit(graph_of(o)).precision not in HONEST[mine.precision]]
    other = draw.choice(wrong) if wrong else None
    return (f"holds {other.artifact.variant}", mine, graph_of(other)) if other else None


def edited(found: Found, _others: list[Found], draw: random.Random) -> Case:
    """Change what its manifest says of its input or its output."""
    artifact, which = found.artifact, draw.choice(["input", "output"])
    spec = getattr(artifact, which)
    changes: list[dict[str, object]] = [
        {"shape": (*spec.shape[:-1], spec.shape[-1] + 1)},
        {"name": f"{spec.name}-other"},
        {"dtype": "uint8" if spec.dtype != "uint8" else "float32"},
    ]
    if spec.scale:
        changes += [{"scale": spec.scale * 2}, {"zero_point": spec.zero_point + 1}]
    change = draw.choice(changes)
    tampered = dataclasses.replace(artifact, **{which: dataclasses.replace(spec, **change)})
    return f"{which} with another {next(iter(change))}", tampered, graph_of(found)


def fewer_classes(found: Found, _others: list[Found], _draw: random.Random) -> Case | None:
    """Name one class less than it has."""
    labels = found.artifact.labels
    if len(labels) < 2:
        return None
    return "one class less", dataclasses.replace(found.artifact, labels=labels[:-1]), graph_of(found)


def not_a_number(found: Found, _others: list[Found], draw: random.Random) -> Case | None:
    """Make one stored weight no number."""
    if found.artifact.format != "onnx" or found.artifact.precision != "float32":
        return None
    model = onnx.load(str(found.file))
    floats = [value for value in model.graph.initializer if value.data_type == onnx.TensorProto.FLOAT and value.dims]
    weights = draw.choice(floats)
    values = onnx.numpy_helper.to_array(weights).copy()
    values.flat[draw.randrange(values.size)] = np.nan
    weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tampered.onnx"
        onnx.save(model, str(path))
        return f"{weights.name} holds no number", found.artifact, read_graph(path, "onnx")[1]


TAMPERS: tuple[Tamper, ...] = (relabelled, exchanged, edited, fewer_classes, not_a_number)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--tampered", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    good = [
        found
        for found in find_artifacts(options.folders, None)
        if found.artifact.status == OK and found.artifact.format in FORMATS and found.file is not None
    ]
    if not good:
        parser.error("these folders hold no artifact that edgebench made")
    accused = {f.artifact.label: lies(f.artifact, g, audit(g)) for f in good for g in [graph_of(f)]}
    accused = {label: lines for label, lines in accused.items() if lines}
    draw = random.Random(options.seed)
    missed, done = [], 0
    for turn in range(100 * options.tampered):
        if done == options.tampered:
            break
        found = draw.choice(good)
        case = TAMPERS[turn % len(TAMPERS)](found, good, draw)
        if case is None:
            continue
        done += 1
        words, artifact, graph = case
        if not lies(artifact, graph, audit(graph)):
            missed.append(f"{found.artifact.label}: {words}")
    kinds = len({found.artifact.variant for found in good})
    models = len({found.artifact.model for found in good})
    print(f"good: {len(accused)} of {len(good)} accused ({kinds} variants of {models} models)")
    print(f"tampered: {done - len(missed)} of {done} named")
    for label, lines in accused.items():
        print(f"ACCUSED {label}: {'; '.join(lines)}")
    for line in missed:
        print(f"MISSED {line}")
    return 1 if accused or missed else 0


if __name__ == "__main__":
    sys.exit(main())
