"""The values that cross files and machines, all frozen, all plain JSON.

This file also runs on devices: standard library only, Python 3.9 syntax at run time. Counts are counts, times are
nanoseconds (`_ns`), sizes are bytes (`_bytes`); statistics are derived from these when they are read, never stored
in their place. The host reads them back with `edgebench.files.read_record`, which checks every type.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Optional, Union

RECORD_VERSION = 1
"""History: 1 = the first."""

FORMATS = ("savedmodel", "tflite", "onnx")
PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8")
CALIBRATED = ("int8", "int16x8")  # the precisions whose ranges come from images
VARIANTS = (
    "savedmodel:float32",
    "tflite:float32",
    "tflite:float16",
    "tflite:dynamic",
    "tflite:int8",
    "tflite:int16x8",
    "onnx:float32",
    "onnx:float16",
    "onnx:dynamic",
    "onnx:int8",
)

OK = "ok"
FAILED = "failed"  # could not be made, or broke in a way nothing below names
REFUSED = "refused"  # the runtime would not load or invoke it
CRASHED = "crashed"  # the process died of a signal
TIMEOUT = "timeout"
NAN = "nan"  # outputs that are not finite numbers
STATUSES = (OK, FAILED, REFUSED, CRASHED, TIMEOUT, NAN)

LOGITS = "logits"
PROBABILITIES = "probabilities"  # never negative, every row sums to one
SCORES = "scores"  # in 0..1 and not summing to one: independent sigmoids

Scalar = Union[str, int, float, bool, None]

_STRICT: dict[str, Any] = {"extra": "forbid", "strict": True}


@dataclass(frozen=True)
class TensorSpec:
    """One input or output: static `shape`, numpy `dtype` name; real = (q - zero_point) * scale where scale > 0."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0


@dataclass(frozen=True)
class Preprocessing:
    """How a decoded image becomes the model's input.

    Resize (host, once): to `resize` -- `()` straight to the input size, `(n,)` the shortest edge to n keeping the
    aspect, `(h, w)` to just that -- with Pillow's `resample` filter, then a centre crop (or zero padding) to the
    input size. Normalise (runner): `x = (uint8 * scale - mean) / std` in float32, channels in `channels` order.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    rule: str  # what the user or the model said: "keras:mobilenet_v2", "none", "mean=..", "huggingface"
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    channels: str = "RGB"  # RGB, BGR or L
    resize: tuple[int, ...] = ()
    resample: str = "bilinear"  # nearest, bilinear, bicubic, lanczos, box or hamming


@dataclass(frozen=True)
class Source:
    """The trained model as the user has it. `converter` names the module in `edgebench.converters` that reads it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    converter: str  # keras or huggingface
    spec: str  # an absolute path, keras:NAME?.. or hf:owner/name
    sha256: str
    options: tuple[tuple[str, str], ...] = ()  # what changes the loaded model: ("input_size", "96x96"), ..


@dataclass(frozen=True)
class Calibration:
    """The images that set the ranges of an int8 or int16x8 artifact."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    kind: str  # data or random
    images: int
    sha256: str
    seed: int


@dataclass(frozen=True)
class Artifact:
    """The manifest of one converted file or folder; it lies beside it as `<file>.json`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    model: str
    format: str
    precision: str
    status: str
    reason: str
    path: str  # file name beside the manifest; empty where nothing was made
    sha256: str
    size_bytes: int
    parameters: Optional[int]
    input: Optional[TensorSpec]
    output: Optional[TensorSpec]
    layout: str  # NHWC or NCHW
    output_kind: str  # logits, probabilities or scores
    labels: tuple[str, ...]  # empty where the model does not know its labels
    preprocessing: Optional[Preprocessing]
    source: Optional[Source]
    calibration: Optional[Calibration] = None
    recipe: str = ""  # how it was quantised, in words
    parity_db: Optional[float] = None  # SQNR of its outputs against the source model's, on the gate's inputs
    parity_inputs: str = ""  # what the gate ran on: "16 images" or "16 seeded random inputs"
    notes: tuple[str, ...] = ()
    tools: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    key: str = ""  # the cache key: source, options, calibration and tool versions
    version: int = RECORD_VERSION

    @property
    def variant(self) -> str:
        """`format:precision`."""
        return f"{self.format}:{self.precision}"

    @property
    def label(self) -> str:
        """Model and variant."""
        return f"{self.model} {self.variant}"


@dataclass(frozen=True)
class Settings:
    """What one measurement was asked to do. Two results whose settings differ are not compared silently."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
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
class Job:
    """One process on one device: what the runner reads. Paths are the device's own."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
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
    version: int = RECORD_VERSION


@dataclass(frozen=True)
class PhaseMemory:
    """Memory of one phase in bytes: the level at its end and the highest point inside it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    phase: str  # imports, load, first_inference or steady
    rss_bytes: int
    peak_rss_bytes: int
    anonymous_bytes: Optional[int] = None
    file_bytes: Optional[int] = None


@dataclass(frozen=True)
class OperatorTime:
    """What one node of the graph costs in one inference: `time_ns` is the median over the profiled ones."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: str
    kind: str  # the operator: Conv, MatMul, ..
    time_ns: int
    place: str  # the execution provider or delegate that ran it


@dataclass(frozen=True)
class Run:
    """What one process on one device measured, or the reason it could not."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
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


@dataclass(frozen=True)
class Evaluation:
    """Which evaluation set the outputs belong to."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: str
    sha256: str  # of the original images and labels: the same for every model's input size
    pixels_sha256: str  # of the resized pixels this model was given
    images: int
    classes: int
    labelled: bool
    skipped: tuple[str, ...] = ()  # files that could not be read, each with its reason


@dataclass(frozen=True)
class Accuracy:
    """Counts over the evaluation set, from which every rate and its interval is derived.

    The four `*_correct` counts are the paired 2x2 table of artifact and reference against the labels; they sum to
    `images` where labels and reference exist. `None` marks what was not measured.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    images: int
    top1_correct: Optional[int] = None
    top5_correct: Optional[int] = None
    loss: Optional[float] = None  # mean cross-entropy in nats
    both_correct: Optional[int] = None
    only_artifact_correct: Optional[int] = None
    only_reference_correct: Optional[int] = None
    neither_correct: Optional[int] = None
    agree: Optional[int] = None  # same top-1 as the reference
    sqnr_db: Optional[float] = None  # of the outputs against the reference's; inf is stored as None + exact
    exact: bool = False  # every output equal to the reference's, bit for bit
    agree_with_host: Optional[int] = None  # on a remote device: same top-1 as this artifact gives on the host
    reference_sha256: str = ""
    reference_reason: str = ""  # why there is no reference, where there is none


@dataclass(frozen=True)
class Result:
    """Artifact x device: its runs, and the reason it failed where it did."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    artifact: Artifact
    device: str
    runtime: str
    status: str
    reason: str
    settings: Settings
    runs: tuple[Run, ...] = ()
    evaluation: Optional[Evaluation] = None
    accuracy: Optional[Accuracy] = None
    outputs: str = ""  # file beside the result with the raw outputs (.npy), empty where none
    emulated: bool = False  # measured on an emulated processor: its latency means nothing
    created: str = ""  # ISO 8601, UTC
    version: int = RECORD_VERSION


def to_dict(record: Any) -> dict[str, Any]:
    """Return the record as JSON-ready values (tuples become lists when written)."""
    return dataclasses.asdict(record)


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
