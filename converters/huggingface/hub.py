"""`hf:owner/name[@revision]` -> a checkpoint folder: the hub's cache first, then a download of the files needed."""

from __future__ import annotations

import re
from pathlib import Path

from edgebench.converters.huggingface.checkpoint import CONFIG, PICKLED, PROCESSOR, SAFETENSORS
from edgebench.errors import MissingExtraError, UsageError

try:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        HTTPError,  # of whichever HTTP client the hub's own is built on
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "huggingface_hub", "huggingface", "a model from the hub (hf:)") from error

PREFIX = "hf:"
DESCRIPTION = [CONFIG, PROCESSOR, SAFETENSORS, f"{SAFETENSORS}.index.json", "model-*.safetensors"]
WEIGHTS_BIN = [PICKLED, f"{PICKLED}.index.json", "pytorch_model-*.bin"]


def folder_of(spec: str) -> Path:
    """Return the local folder of `hf:owner/name[@revision]`, downloading only what the cache lacks.

    Raises UsageError where the id is malformed, unknown, private, or neither cached nor reachable.
    """
    repository, revision = _parse(spec)
    try:
        cached = Path(snapshot_download(repository, revision=revision, local_files_only=True))
        if (cached / CONFIG).exists() and _has_weights(cached):
            return cached
    except (LocalEntryNotFoundError, HFValidationError):
        pass  # not cached: the download below says what is wrong with the id, if anything is
    folder = _download(spec, repository, revision, DESCRIPTION)
    return folder if _has_weights(folder) else _download(spec, repository, revision, WEIGHTS_BIN)


def _parse(spec: str) -> tuple[str, str | None]:
    repository, _, revision = spec.removeprefix(PREFIX).partition("@")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository) or (not revision and spec.endswith("@")):
        raise UsageError(f"cannot read {spec!r}: expected hf:owner/name or hf:owner/name@revision")
    return repository, revision or None


def _has_weights(folder: Path) -> bool:
    names = (SAFETENSORS, f"{SAFETENSORS}.index.json", PICKLED, f"{PICKLED}.index.json")
    return any((folder / name).exists() for name in names)


def _download(spec: str, repository: str, revision: str | None, patterns: list[str]) -> Path:
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=patterns))
    except GatedRepoError as error:
        raise UsageError(f"{spec} is gated: accept its terms on the hub and run 'hf auth login' first") from error
    except RevisionNotFoundError as error:
        raise UsageError(f"{spec}: the hub has {repository} but not the revision {revision!r}") from error
    except RepositoryNotFoundError as error:
        raise UsageError(f"{spec} does not exist on the hub, or is private: check owner and name") from error
    except HFValidationError as error:
        raise UsageError(f"cannot read {spec!r}: {error}") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, HTTPError, OSError) as error:
        raise UsageError(
            f"{spec} is not in the hub's cache, and the hub cannot be reached: connect once, or give the path of a "
            "checkpoint folder"
        ) from error
