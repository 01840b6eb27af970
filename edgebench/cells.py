"""What makes a cell the same one on another day: one key for file names, titles, pairing and comparability."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from edgebench import registry
from edgebench.files import sha256_json
from edgebench.records import Artifact, EvaluationSet, Perturbation, Result, Settings

RANKING_SETTINGS = (
    "threads",
    "batch",
    "rate_hz",
    "sustained_seconds",
    "accelerator",
)  # results that differ in these are never ranked together
UNIMPORTANT_SETTINGS = ("seed", "timeout_seconds", "operators")  # they change no number
DEFAULTS = Settings()


@dataclass(frozen=True)
class CellKey:
    """One artifact by name on one device, measured in one way on certain images."""

    model: str
    format: str
    precision: str
    device: str
    runtime: str
    settings: Settings
    emulated: bool = False
    data: tuple[str, ...] = ()  # what each evaluation was of; empty: none, or not known

    @property
    def variant(self) -> str:
        """`format:precision`."""
        return f"{self.format}:{self.precision}"

    @property
    def name(self) -> str:
        """One line for people: what `paired` holds."""
        ways = [self.runtime]
        ways += [f"{self.settings.threads} threads"] if self.settings.threads != 1 else []
        ways += ranking_words(self.settings, self.device)
        return f"{self.model} {self.variant} on {self.device} ({', '.join(ways)})"

    @property
    def file_name(self) -> str:
        """Stem of the result's file: readable, and another one wherever a setting or the images are others.

        Settings equal to the defaults are not in it, nor is the device, which is the folder.
        """
        settings = self.settings
        parts = [self.model, self.format, self.precision]
        parts += [self.runtime] if self.runtime != registry.runtimes_of(self.format)[0].name else []
        parts += [f"{settings.threads}threads"] if settings.threads != 1 else []
        parts += [f"batch{settings.batch}"] if settings.batch != 1 else []
        parts += [f"{settings.rate_hz:g}hz"] if settings.rate_hz else []
        parts += [f"sustained{settings.sustained_seconds:g}s"] if settings.sustained_seconds else []
        parts += [] if self.data else ["nodata"]
        changed = {k: v for k, v in dataclasses.asdict(settings).items() if v != getattr(DEFAULTS, k)}
        parts += [sha256_json([changed, self.data])[:8]] if changed or self.data else []
        return "-".join(part.replace("/", "_") for part in parts)

    @property
    def paired(self) -> CellKey:
        """The part that must be equal before two results are laid side by side as the same cell."""
        ranking = {name: getattr(self.settings, name) for name in RANKING_SETTINGS}
        return dataclasses.replace(self, settings=dataclasses.replace(DEFAULTS, **ranking), emulated=False, data=())


def cell_key(
    artifact: Artifact,
    device: str,
    runtime: str,
    settings: Settings,
    emulated: bool = False,
    data: Sequence[str] = (),
) -> CellKey:
    """Return the key of an artifact's cell; `data` as `data_word` gives it for each evaluation."""
    return CellKey(
        artifact.model, artifact.format, artifact.precision, device, runtime, settings, emulated, tuple(data)
    )


def key_of(result: Result) -> CellKey:
    """Return the key of a result's cell."""
    data = [data_word(evaluation.data, evaluation.perturbation) for evaluation in result.evaluations]
    return cell_key(result.artifact, result.device, result.runtime, result.settings, result.emulated, data)


def data_word(data: EvaluationSet, perturbation: Perturbation | None) -> str:
    """Say which images these were: the same for every model's input size, another for other labels or pixels."""
    changed = f" {perturbation.label} seed {perturbation.seed}" if perturbation else ""
    return data.sha256 + changed


def ranking_words(settings: Settings, device: str) -> list[str]:
    """Say what a title says of the settings beside the threads; the defaults say nothing."""
    words = [f"batch {settings.batch}"] if settings.batch != 1 else []
    words += [settings.accelerator] if settings.accelerator not in ("cpu", device) else []
    words += [scenario(settings)] if scenario(settings) else []
    return words


def scenario(settings: Settings) -> str:
    """Say how images were sent; empty where one batch followed another."""
    if settings.rate_hz:
        return f"{settings.rate_hz:g} images a second"
    return f"sustained for {settings.sustained_seconds:g} s" if settings.sustained_seconds else ""
