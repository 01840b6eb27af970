"""What an NVIDIA GPU says of itself, through nvidia-ml-py (extra `gpu`). Not yet tried on a real GPU.

NVML API reference: nvmlDeviceGetComputeRunningProcesses, nvmlDeviceGetTotalEnergyConsumption.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Optional, Union

VISIBLE = "CUDA_VISIBLE_DEVICES"


class Reading(NamedTuple):
    """The GPU now. `own_bytes` is None where the driver hides processes (containers, some boards)."""

    name: str
    own_bytes: Optional[int]
    used_bytes: Optional[int]
    millijoules: Optional[int]


def read() -> Union[Reading, str]:
    """Return what the GPU that is measured says of itself; where it cannot be asked, the reason."""
    try:
        import pynvml  # only where a GPU is measured; a device without it measures the rest
    except ImportError:
        return "nvidia-ml-py is not installed: python -m pip install nvidia-ml-py, where the artifact runs"
    try:
        pynvml.nvmlInit()
        device = _device(pynvml)
        if isinstance(device, str):
            return device
        name = pynvml.nvmlDeviceGetName(device)
    except pynvml.NVMLError as error:
        return f"NVML: {error}"
    return Reading(
        name,
        _own_bytes(pynvml, device),
        _ask(pynvml, lambda: pynvml.nvmlDeviceGetMemoryInfo(device).used),
        _ask(pynvml, lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(device)),
    )


def _device(pynvml: Any) -> Any:
    """Return the handle of the only GPU, or of the one named; NVML and CUDA number several differently."""
    count = pynvml.nvmlDeviceGetCount()
    if count == 1:
        return pynvml.nvmlDeviceGetHandleByIndex(0)
    first = os.environ.get(VISIBLE, "").split(",")[0]
    if first.startswith("GPU-"):
        return pynvml.nvmlDeviceGetHandleByUUID(first)
    return f"of {count} GPUs it is not known which one is measured: set {VISIBLE} to the UUID that nvidia-smi -L shows"


def _ask(pynvml: Any, question: Any) -> Any:
    """Return the answer; None where this board or driver does not give it."""
    try:
        return question()
    except (pynvml.NVMLError, pynvml.NVMLLibraryMismatchError):
        return None


def _own_bytes(pynvml: Any, device: Any) -> Optional[int]:
    processes = _ask(pynvml, lambda: pynvml.nvmlDeviceGetComputeRunningProcesses(device)) or []
    return next((one.usedGpuMemory for one in processes if one.pid == os.getpid()), None)
