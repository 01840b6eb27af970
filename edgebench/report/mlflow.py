"""Results -> runs of an MLflow experiment: one run a row of report.csv, each logged once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

# MLflow asks for the first before it writes a plain folder, and reports use over the network without the second.
os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from edgebench.errors import EdgebenchError, UsageError
from edgebench.files import sha256_json
from edgebench.report.content import Report
from edgebench.report.display import number
from edgebench.results.figures import FIGURES, Row
from edgebench.results.rows import values
from edgebench.results.values import interval

EXPERIMENT = "edgebench"
KEY = "edgebench.row"
IDENTITY = (
    *("artifact_sha256", "model", "variant", "device", "runtime", "created", "threads", "batch", "scenario"),
    *("evaluation_sha256", "pixels_sha256", "perturbation", "severity", "perturbation_seed"),
)
MOST_LETTERS = 500  # of a parameter's value, in every version of MLflow
SCHEMES = ("", "file", "http", "https", "databricks", "sqlite", "postgresql", "mysql", "mssql")


def log_report(report: Report, uri: str, files: Path) -> tuple[int, int]:
    """Log every row to the tracking server or folder `uri`; return how many were logged, and were there already.

    Metrics are the figures and the ends of their intervals (`top1_low`), parameters what a row is, tags its hashes.
    Emulated times are left out. The files of the report go to a run of their own. Raises UsageError for a `uri` that
    is none, EdgebenchError where the server or the disk refuses.
    """
    if not uri or urlparse(uri).scheme.partition("+")[0] not in SCHEMES:
        raise UsageError(f"--mlflow {uri or '(empty)'}: give a tracking URI such as http://host:5000 or a folder")
    try:
        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(EXPERIMENT)
        experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)
        fresh = [row for row in report.rows if not _logged(client, experiment, _key(row))]
        for row in fresh:
            _log(client, experiment, row)
        if fresh:
            _log_files(client, experiment, files)
    except (MlflowException, OSError, ImportError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0].replace(uri, without_password(uri))
        raise EdgebenchError(f"MLflow at {without_password(uri)}: {why}") from error
    return len(fresh), len(report.rows) - len(fresh)


def _logged(client: MlflowClient, experiment: str, key: str) -> bool:
    return bool(client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1))


def _log(client: MlflowClient, experiment: str, row: Row) -> None:
    run = client.create_run(experiment, run_name=f"{row.label} on {row.device}").info.run_id
    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, 0) for name, value in _metrics(row)]
    params = [Param(name, str(value)[:MOST_LETTERS]) for name, value in _params(row)]
    client.log_batch(run, metrics=metrics, params=params, tags=[RunTag("source", "edgebench")])
    client.set_tag(run, KEY, _key(row))  # last: a run that was cut short is logged again
    client.set_terminated(run, "FINISHED" if row.ok else "FAILED")


def _log_files(client: MlflowClient, experiment: str, files: Path) -> None:
    run = client.create_run(experiment, run_name="report").info.run_id
    client.log_artifacts(run, str(files))
    client.set_terminated(run)


def _metrics(row: Row) -> Iterator[tuple[str, float]]:
    for name, figure in FIGURES.items():
        value = number(row, name) if figure.number else None
        if value is None:
            continue
        yield name, float(value)
        ends = interval(figure, row)
        if ends and not isinstance(figure.bounds, tuple):  # else the ends are figures themselves
            yield f"{name}_low", ends[0]
            yield f"{name}_high", ends[1]


def _params(row: Row) -> Iterator[tuple[str, Any]]:
    for name, value in values(row).items():
        if not FIGURES[name].number and value not in ("", None):
            yield name, value


def _key(row: Row) -> str:
    """Hash of what was measured and when, which no other result in the report changes."""
    return sha256_json([getattr(row, name) for name in IDENTITY])


def without_password(uri: str) -> str:
    """Return a URI as it may be shown."""
    parsed = urlparse(uri)
    return parsed._replace(netloc=parsed.netloc.rpartition("@")[2]).geturl() if "@" in parsed.netloc else uri
