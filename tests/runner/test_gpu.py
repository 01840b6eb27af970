"""`--device gpu` on machines without one: what can be tried is tried for real, with a GPU that is software.

SwiftShader, which comes with Chromium, offers Vulkan computed on the CPU. LiteRT's GPU accelerator runs on it; the
product refuses it, because it is no GPU.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from edgebench.devices.local import LocalDevice
from edgebench.records import Settings
from edgebench.runner.runtimes import RefusedError
from edgebench.runner.runtimes.litert_gpu import Adapter, adapter, refuse_software
from edgebench.runner.runtimes.onnxruntime_gpu import placement, whole_on_gpu
from tests.debian import cannot, need
from tests.make import make_job
from tests.models import onnx_models

SWIFTSHADER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")
WITH_ANY_ADAPTER = """
import json, sys
import numpy as np
from edgebench.records import Settings
from edgebench.runner.measure import time_once
from edgebench.runner.runtimes import litert, litert_gpu
litert_gpu.refuse_software = lambda found: None
found = []
for accelerator in ("cpu", "gpu"):
    session = litert.open_session("litert", sys.argv[1], Settings(accelerator=accelerator))
    image = np.random.default_rng(0).uniform(0, 255, session.input.shape).astype(session.input.dtype)
    samples = [time_once(session, image) for _ in range(5)]
    found.append({"output": session.copy_out().tolist(), "samples": samples, "facts": session.facts()})
sys.__stdout__.write(json.dumps(found))
"""


@pytest.fixture
def software_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    need("chromium", "chromium")
    need("vulkaninfo", "vulkan-tools")
    if not SWIFTSHADER.exists():
        cannot(f"this Chromium has no {SWIFTSHADER}")
    monkeypatch.setenv("VK_ICD_FILENAMES", str(SWIFTSHADER))


def on_gpu(kind: str, artifact: Path, runtime: str) -> Any:
    settings = Settings(min_seconds=0.05, max_seconds=1, accelerator="gpu")
    job = make_job(kind, artifact=artifact, runtime=runtime, settings=settings)
    with LocalDevice() as device:
        return device.run(job, lambda event: None).run


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic"])
def test_litert_computes_on_the_gpu_and_is_waited_for(converted: Path, software_gpu: None, precision: str) -> None:
    del software_gpu
    path = converted / f"artifacts/small/small-{precision}.tflite"
    done = subprocess.run([sys.executable, "-c", WITH_ANY_ADAPTER, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cpu, gpu = json.loads(done.stdout[done.stdout.index("[{") :])
    assert gpu["facts"] == {"providers": "LiteRT GPU", "gpu": gpu["facts"]["gpu"]}
    assert "SwiftShader" in gpu["facts"]["gpu"]
    assert gpu["output"][0] == pytest.approx(cpu["output"][0], abs=0.01 if precision == "dynamic" else 1e-4)
    latency_ns, invoke_ns = gpu["samples"][-1]
    assert invoke_ns > latency_ns / 2  # queued without waiting, the work would be found in the copy


def test_a_gpu_that_is_software_is_refused(converted: Path, software_gpu: None) -> None:
    del software_gpu
    run = on_gpu("latency", converted / "artifacts/small/small-float32.tflite", "litert")
    assert (run.status, run.latency_ns) == ("refused", ())
    assert "SwiftShader" in run.reason and "--device cpu" in run.reason


def test_what_the_gpu_does_not_take_is_named(converted: Path, software_gpu: None) -> None:
    del software_gpu
    run = on_gpu("memory", converted / "artifacts/small/small-int16x8.tflite", "litert")
    assert run.status == "refused"
    assert "CONV_2D: Tensor type(INT16) is not supported;" in run.reason


def test_adapters_are_read_from_the_log() -> None:
    line = "I0000 environment.cc:532] Selected adapter: {}, arch=x, vendor=y, backend=Vulkan, adapterType={}\nmore"
    assert adapter(line.format("NVIDIA H200", "discrete GPU")) == Adapter("NVIDIA H200", "discrete GPU")
    assert adapter("nothing of the kind") == Adapter()
    refuse_software(Adapter("NVIDIA H200", "discrete GPU"))
    refuse_software(Adapter())
    with pytest.raises(RefusedError, match="llvmpipe"):
        refuse_software(adapter(line.format("llvmpipe", "CPU / Software")))


class CudaInFront:
    """A real session on the CPU that claims CUDA as its first provider, as one with a share left to the CPU does."""

    def __init__(self, session: Any) -> None:
        self.get_provider_graph_assignment_info = session.get_provider_graph_assignment_info

    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]


def test_onnxruntime_tells_where_its_nodes_run(tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    path = str(onnx_models.classifier(tmp_path / "m.onnx"))
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    kinds = ("ReduceMean", "Gemm", "Softmax")  # MatMul and Add in one
    assert placement(session) == {"CPUExecutionProvider": Counter(kinds)}
    with pytest.raises(RefusedError, match="fell back to CPUExecutionProvider"):
        whole_on_gpu(session)
    with pytest.raises(RefusedError, match=r"on the CPU would run .*ReduceMean x1"):
        whole_on_gpu(CudaInFront(session))


def test_no_gpu_provider_is_a_refusal_not_a_cpu_result(tmp_path: Path) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has a GPU provider")
    run = on_gpu("latency", onnx_models.classifier(tmp_path / "m.onnx"), "onnxruntime")
    assert run.status == "refused"
    assert "has no GPU provider" in run.reason


def test_tensorflow_tells_what_ran_on_the_cpu(converted: Path) -> None:
    script = """
import json, sys
import tensorflow as tf
from edgebench.runner.runtimes import tensorflow_placement
tensorflow_placement.watch()
call = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
(name, spec), = call.structured_input_signature[1].items()
call(**{name: tf.zeros(spec.shape, spec.dtype)})
print(json.dumps(tensorflow_placement.ran_on_cpu()))
"""
    path = converted / "artifacts/small/small-float32.savedmodel"
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kinds = json.loads(done.stdout.splitlines()[-1])
    assert any("Conv2D" in kind for kind in kinds) and any("MatMul" in kind for kind in kinds)
    assert not {"_Arg", "_Retval", "NoOp", "Const"} & set(kinds)


NVML = """
#include <string.h>
#include <unistd.h>
typedef struct { unsigned pid; unsigned long long bytes; unsigned gpu, compute; } Process;
typedef struct { unsigned long long total, free, used; } Memory;
static char device;  /* its address does not fit into 32 bits */
int nvmlInitWithFlags(unsigned flags) { return flags; }
const char *nvmlErrorString(int code) { return "Not Supported"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = GPUS; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **found) { *found = &device; return index; }
int nvmlDeviceGetHandleByUUID(const char *name, void **found) { *found = &device; return strcmp(name, "GPU-7"); }
int nvmlDeviceGetName(void *d, char *name, unsigned size) { strncpy(name, "Example GPU", size); return d != &device; }
int nvmlDeviceGetMemoryInfo(void *d, Memory *m) { m->used = 5000000000ULL; return d != &device; }
int nvmlDeviceGetTotalEnergyConsumption(void *d, unsigned long long *e) { *e = 123456789012ULL; return d != &device; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *d, unsigned *count, Process *table) {
  if (HIDDEN) return 3;
  if (*count < 2) { *count = 2; return 7; }
  table[0] = (Process){1, 11, 0, 0}; table[1] = (Process){getpid(), 4300000000ULL, 0, 0}; *count = 2;
  return d != &device;
}
"""
READ = """
import json
from edgebench.runner import energy, nvml
from edgebench.runner.kinds import _gpu_memory
meter, found = energy.read(gpu=True), nvml.read()
before = nvml.Reading("Example GPU", None, 4_000_000_000, None) if isinstance(found, tuple) else found
print(json.dumps([found, _gpu_memory(before, found), meter and meter.counters, meter and meter.source]))
"""


def nvml_says(folder: Path, **variables: str) -> Any:
    """Return what the runner makes of the NVML library or the pynvml module in `folder`."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder), "PYTHONPATH": str(folder), **variables}
    done = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def build_nvml(folder: Path, hidden: bool = False, gpus: int = 1) -> None:
    """Compile a library with NVML's structures and nothing behind it: a real one comes with a GPU's driver only."""
    need("gcc", "gcc", "libc6-dev")
    (folder / "nvml.c").write_text(NVML)
    target = ["-o", str(folder / "libnvidia-ml.so.1"), str(folder / "nvml.c")]
    options = [f"-DHIDDEN={int(hidden)}", f"-DGPUS={gpus}"]
    subprocess.run([shutil.which("gcc") or "gcc", "-shared", "-fPIC", *options, *target], check=True)


@pytest.mark.parametrize("hidden", [False, True])
def test_nvml_is_read_as_its_header_lays_it_out(tmp_path: Path, hidden: bool) -> None:
    """With the real nvidia-ml-py over a made-up library."""
    build_nvml(tmp_path, hidden)
    reading, memory, counters, source = nvml_says(tmp_path)
    assert reading == ["Example GPU", None if hidden else 4_300_000_000, 5_000_000_000, 123_456_789_012]
    assert memory["gpu_memory_bytes"] == (1_000_000_000 if hidden else 4_300_000_000)
    assert ("idle" in memory["gpu_memory_method"]) is hidden
    assert (counters, source) == ({"gpu": [123_456_789_012_000, 0]}, "NVML")


def test_of_several_gpus_one_must_be_named(tmp_path: Path) -> None:
    build_nvml(tmp_path, gpus=2)
    reading, memory, counters, _ = nvml_says(tmp_path, CUDA_VISIBLE_DEVICES="1")
    assert counters is None and memory == {"gpu_memory_method": f"not measured: {reading}"}
    assert reading.startswith("of 2 GPUs it is not known which one is measured: set CUDA_VISIBLE_DEVICES to the UUID")
    assert nvml_says(tmp_path, CUDA_VISIBLE_DEVICES="GPU-7,GPU-8")[0][0] == "Example GPU"
    assert nvml_says(tmp_path, CUDA_VISIBLE_DEVICES="GPU-9")[0].startswith("NVML: ")


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("raise ImportError('no such module')", "nvidia-ml-py is not installed: python -m pip install nvidia-ml-py"),
        (
            "class NVMLError(Exception): pass\ndef nvmlInit(): raise NVMLError('Driver Not Loaded')",
            "NVML: Driver Not Loaded",
        ),
    ],
)
def test_without_nvml_the_reason_stands_where_the_figure_would(tmp_path: Path, module: str, reason: str) -> None:
    (tmp_path / "pynvml.py").write_text(module)
    reading, memory, counters, source = nvml_says(tmp_path)
    assert reading.startswith(reason) and (counters, source) == (None, None)
    assert memory == {"gpu_memory_method": f"not measured: {reading}"}
