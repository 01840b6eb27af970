"""Is an artifact what its label says? Asked of every file before it counts, and again before it is measured."""

from __future__ import annotations

from pathlib import Path

from edgebench.errors import UsageError
from edgebench.inspection.audit import audit
from edgebench.inspection.label import lies, precision_lies
from edgebench.inspection.read import FORMATS, read_graph
from edgebench.records import Artifact
from edgebench.variants import parts


def label_lies(artifact: Artifact, file: Path) -> str:
    """Return what a manifest says that is not true of its file, in words; empty where all of it is.

    A SavedModel is not looked into.
    """
    if artifact.format not in FORMATS:
        return ""
    try:
        _, graph = read_graph(file, artifact.format)
    except UsageError as error:
        return str(error)
    return "; ".join(lies(artifact, graph, audit(graph)))


def variant_lies(variant: str, file: Path) -> str:
    """Return why a file is no `format:precision` as that is meant, in words; empty where it is one."""
    kind, precision = parts(variant)
    if kind not in FORMATS:
        return ""
    _, graph = read_graph(file, kind)
    return "; ".join(precision_lies(precision, audit(graph)))
