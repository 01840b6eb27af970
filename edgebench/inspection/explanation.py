"""All that is known about one file: what is inside, whether its label is true, which layers lose what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgebench.inspection.audit import Audit
from edgebench.inspection.graph import Graph
from edgebench.inspection.layers.measure import Layer
from edgebench.records import Artifact


@dataclass(frozen=True)
class Explanation:
    """What `edgebench explain` found. `layers` is empty where no images were given."""

    artifact: Artifact
    file: Path
    graph: Graph
    audit: Audit
    lies: tuple[str, ...]
    layers: tuple[Layer, ...] = ()
    exact_file: Path | None = None  # the float artifact beside which it stood
    images: int = 0

    @property
    def worst(self) -> list[Layer]:
        """The layers by what is their own fault, the worst first."""
        return sorted(self.layers, key=lambda layer: layer.blame_db)
