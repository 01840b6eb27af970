"""What one process on one device is asked to do, and what it measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from edgebench.records.artifact import Preprocessing, TensorSpec
from edgebench.records.vocabulary import RECORD_VERSION, Record, Scalar


@dataclass(frozen=True)
class Settings(Record):
    """What one measurement was asked to do. Two results whose settings differ are not compared silently."""

    threads: int = 1
    batch: int = 1
    processes: int = 5  # fresh processes that measure latency, at least; artifacts of one profile take turns
    max_processes: int = 20  # at most, where 5 or more were asked for and disagree by more than precision_between
    precision_between: float = 0.015  # the result's 95 % interval over processes should be this close to its median
    warmup: int = 3  # at least this many invocations before the clock counts
    min_runs: int = 30
    min_seconds: float = 0.2  # of one process, as is max_seconds
    max_seconds: float = 2.0
    precision: float = 0.01  # one process measures until its median's 95 % interval is this close; 0: min_runs only
    rate_hz: float = 0.0  # above 0: send at this rate for max_seconds, latency counts from the scheduled arrival
    sustained_seconds: float = 0.0  # above 0: keep going this long, whatever the interval says
    pin: bool = True  # bind the process to as many cores as threads
    accelerator: str = "cpu"  # cpu or gpu
    operators: bool = False  # also measure the time of each operator, in a process of its own
    seed: int = 0
    timeout_seconds: float = 600.0


@dataclass(frozen=True)
class Job(Record):
    """One process on one device: what the runner reads. Paths are the device's own."""

    kind: str  # memory, latency, accuracy or operators
    artifact: str
    artifact_sha256: str
    runtime: str
    runtime_module: str  # import path of the module that executes it
    input: Optional[TensorSpec]  # None: taken from the runtime (a bare file without a manifest)
    output: Optional[TensorSpec]
    layout: str
    preprocessing: Preprocessing
    images: str  # uint8 NHWC .npy; empty: seeded random images
    images_sha256: str
    settings: Settings
    repetition: int = 0
    cell: str = ""  # whose job it is: two artifacts may hold the same bytes, and each is measured for itself
    first: int = 0  # accuracy: the images from here ..
    last: int = 0  # .. up to here and without; 0: all of them
    version: int = RECORD_VERSION


@dataclass(frozen=True)
class PhaseMemory(Record):
    """Memory of one phase in bytes: the level at its end and the highest point inside it."""

    phase: str  # imports, load, first_inference or steady
    rss_bytes: int
    peak_rss_bytes: int
    anonymous_bytes: Optional[int] = None
    file_bytes: Optional[int] = None


@dataclass(frozen=True)
class OperatorTime(Record):
    """What one node of the graph costs in one inference: `time_ns` is the median over the profiled ones."""

    name: str
    kind: str  # the operator: Conv, MatMul, ..
    time_ns: int
    place: str  # the execution provider or delegate that ran it


@dataclass(frozen=True)
class Run(Record):
    """What one process on one device measured, or the reason it could not."""

    kind: str
    status: str
    reason: str
    artifact_sha256: str
    runtime: str
    runtime_version: str
    repetition: int
    settings: Settings
    input: Optional[TensorSpec] = None
    output: Optional[TensorSpec] = None
    import_ns: int = 0
    load_ns: Optional[int] = None
    first_inference_ns: Optional[int] = None
    warmup_ns: tuple[int, ...] = ()
    latency_ns: tuple[int, ...] = ()  # copy in + invoke + copy out, one sample a batch
    invoke_ns: tuple[int, ...] = ()
    preprocess_ns: tuple[int, ...] = ()
    stopped_by: str = ""  # interval, budget or count: why the measuring ended
    memory: tuple[PhaseMemory, ...] = ()
    memory_method: str = ""  # how the numbers were read: "VmHWM" or the fall-back in words
    operators: tuple[OperatorTime, ...] = ()  # the most expensive first
    images: int = 0
    environment: dict[str, Scalar] = field(default_factory=dict)
    started: str = ""  # ISO 8601, UTC
    seconds: float = 0.0
    version: int = RECORD_VERSION


def job_from_dict(data: dict[str, Any]) -> Job:
    """Rebuild a `Job` written by `to_dict`. For the runner, whose only input this is; the host wrote it."""

    def spec(value: Optional[dict[str, Any]]) -> Optional[TensorSpec]:
        return None if value is None else TensorSpec(**{**value, "shape": tuple(value["shape"])})

    pre = data["preprocessing"]
    return Job(
        **{
            **data,
            "input": spec(data["input"]),
            "output": spec(data["output"]),
            "preprocessing": Preprocessing(
                **{
                    **pre,
                    "mean": tuple(pre["mean"]),
                    "std": tuple(pre["std"]),
                    "resize": tuple(pre["resize"]),
                }
            ),
            "settings": Settings(**data["settings"]),
        }
    )
