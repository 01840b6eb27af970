"""`python runner.pyz JOB.json OUT_DIR`: execute one job in this process, write run.json (and outputs.npy).

Progress goes to standard output as JSON lines; whatever a runtime prints goes to standard error.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import sys
import time
import traceback
from datetime import datetime, timezone
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Callable

from edgebench.lifeline import die_with_parent
from edgebench.records import FAILED, OK, REFUSED, Job, Run, job_from_dict, to_dict
from edgebench.runner import environment
from edgebench.runner.affinity import pin
from edgebench.runner.runtimes import RefusedError

Emit = Callable[..., None]


def main(arguments: list[str]) -> int:
    """Run the job in the first argument and write its run into the folder in the second. Returns the exit code."""
    die_with_parent()
    job_path, out = Path(arguments[0]), Path(arguments[1])
    emit = _protect_stdout()
    job = job_from_dict(json.loads(job_path.read_text()))
    run = execute(job, out, emit)
    temporary = out / ".run.json"
    temporary.write_text(json.dumps(to_dict(run)))
    temporary.replace(out / "run.json")
    return 0


def execute(job: Job, out: Path, emit: Emit) -> Run:
    """Do what the job asks; a refusal or an error becomes a run with that status."""
    began = time.monotonic()
    pinned = pin(job.settings.threads) if job.settings.pin else None  # before any library starts its threads
    blank = Run(
        kind=job.kind,
        status=OK,
        reason="",
        artifact_sha256=job.artifact_sha256,
        runtime=job.runtime,
        runtime_version="",
        repetition=job.repetition,
        settings=job.settings,
        started=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        environment={**environment.capture(), "pinned": pinned is not None},
    )
    try:
        run = _measure(job, blank, out, emit)
    except RefusedError as error:
        run = dataclasses.replace(blank, status=REFUSED, reason=str(error))
    except ImportError as error:
        run = dataclasses.replace(blank, status=FAILED, reason=f"{job.runtime} cannot be imported: {error}")
    except Exception as error:  # noqa: BLE001 (whatever breaks in here is this cell's result)
        traceback.print_exc()
        run = dataclasses.replace(blank, status=FAILED, reason=f"{type(error).__name__}: {error}")
    return dataclasses.replace(run, seconds=round(time.monotonic() - began, 3))


def _measure(job: Job, blank: Run, out: Path, emit: Emit) -> Run:
    emit("imports")
    start = perf_counter_ns()
    kinds = importlib.import_module("edgebench.runner.kinds")
    runtime = importlib.import_module(job.runtime_module)
    import_ns = perf_counter_ns() - start
    return kinds.KINDS[job.kind](job, dataclasses.replace(blank, import_ns=import_ns), runtime, out, emit)  # type: ignore[no-any-return]


def _protect_stdout() -> Emit:
    """Keep the protocol's stream for ourselves: native libraries print to file descriptor 1 as they like."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def emit(phase: str, **details: Any) -> None:
        stream.write(json.dumps({"event": "phase", "phase": phase, **details}) + "\n")

    return emit


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
