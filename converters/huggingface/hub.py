"""`hf:owner/name[@revision]` -> a checkpoint folder: the hub's cache first, then a download of the files needed."""

from __future__ import annotations

import contextlib
import difflib
import re
from pathlib import Path

from edgebench.converters.huggingface.checkpoint import (
    CONFIG,
    NESTED_PROCESSOR,
    PICKLED,
    PROCESSOR,
    SAFETENSORS,
    read_config,
    shards_of,
)
from edgebench.converters.huggingface.timm_config import is_timm
from edgebench.errors import MissingExtraError, UsageError

try:
    from huggingface_hub import scan_cache_dir, snapshot_download
    from huggingface_hub.errors import (
        CacheNotFound,
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


class Unreachable(UsageError):
    """The hub cannot be reached."""


DESCRIPTION = [CONFIG, PROCESSOR, NESTED_PROCESSOR, SAFETENSORS, f"{SAFETENSORS}.index.json", "model-*.safetensors"]
WEIGHTS_BIN = [PICKLED, f"{PICKLED}.index.json", "pytorch_model-*.bin"]


def folder_of(spec: str) -> Path:
    """Return the local folder of `hf:owner/name[@revision]`, downloading only what the cache lacks.

    Raises UsageError where the id is malformed, unknown, private, or neither cached nor reachable.
    """
    repository, revision = _parse(spec)
    cached: Path | None = None
    # Where it is not cached the download below says what is wrong with the id, if anything is.
    with contextlib.suppress(LocalEntryNotFoundError, HFValidationError):
        cached = Path(snapshot_download(repository, revision=revision, local_files_only=True))
    if cached is not None and not missing_files(cached):
        return cached
    try:
        folder = _download(spec, repository, revision, DESCRIPTION)
        folder = folder if _has_weights(folder) else _download(spec, repository, revision, WEIGHTS_BIN)
    except Unreachable as error:
        if cached is None:
            raise UsageError(f"{error}{_near(repository)}") from error
        folder = cached
    lacking = missing_files(folder)
    if lacking and lacking != [PROCESSOR]:  # it may never have had one: --preprocess, or a question, takes its place
        raise UsageError(
            f"{spec} is in the hub's cache without {', '.join(lacking)}, and the hub does not give more: connect once"
        )
    return folder


def missing_files(folder: Path) -> list[str]:
    """Return the files that a snapshot lacks to be a whole checkpoint: all its weights, its processor (not timm's)."""
    lacking = [] if (folder / CONFIG).exists() else [CONFIG]
    if not _has_weights(folder):
        lacking.append(SAFETENSORS)
    for name in (SAFETENSORS, PICKLED):
        index = folder / f"{name}.index.json"
        if index.exists() and not (folder / name).exists():
            lacking += [shard for shard in shards_of(index) if not (folder / shard).exists()]
            break
    has_processor = (folder / PROCESSOR).exists() or (folder / NESTED_PROCESSOR).exists()
    if not lacking and not has_processor and not is_timm(read_config(folder / CONFIG)):
        lacking.append(PROCESSOR)
    return lacking


def _near(repository: str) -> str:
    """Return the cached repositories whose names are nearly this one, as the end of a message."""
    try:
        found = [repo.repo_id for repo in scan_cache_dir().repos if repo.repo_type == "model"]
    except (CacheNotFound, OSError):
        return ""
    near = difflib.get_close_matches(repository, found, n=3, cutoff=0.5)
    return f". The cache has {', '.join(f'hf:{name}' for name in near)}" if near else ""


def _parse(spec: str) -> tuple[str, str | None]:
    repository, _, revision = spec.removeprefix(PREFIX).partition("@")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository) or (not revision and spec.endswith("@")):
        raise UsageError(f"cannot read {spec!r}: expected hf:owner/name or hf:owner/name@revision{_near(repository)}")
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
        near = _near(repository)
        raise UsageError(f"{spec} does not exist on the hub, or is private: check owner and name{near}") from error
    except HFValidationError as error:
        raise UsageError(f"cannot read {spec!r}: {error}") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, HTTPError, OSError) as error:
        raise Unreachable(
            f"{spec} is not in the hub's cache, and the hub cannot be reached: connect once, or give the path of a "
            f"checkpoint folder with {CONFIG}, {SAFETENSORS} and {PROCESSOR}"
        ) from error
