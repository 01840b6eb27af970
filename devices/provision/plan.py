"""Which runtime packages a device can have, decided from its facts alone; what it cannot have, with the reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edgebench import registry
from edgebench.devices.provision.facts import Facts

LAST_TFLITE_RUNTIME_PYTHON = 11  # tflite-runtime 2.14.0 is the last one: Python 3.9 to 3.11, built for numpy < 2
CARRIED = {name: runtime for name, runtime in registry.runtimes().items() if runtime.requirements}
FAMILIES = {
    format: names
    for format in registry.formats()
    if (names := tuple(name for name, runtime in CARRIED.items() if format in runtime.formats))
}
DISTRIBUTIONS = {name: runtime.distribution for name, runtime in registry.runtimes().items()}
NO_PINS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Candidate:
    """One way to run a format: the distributions to carry over, the first of them gives the version."""

    runtime: str
    requirements: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """For each format the candidates in order of preference, and why there are none or fewer than one may expect."""

    candidates: dict[str, tuple[Candidate, ...]]
    reasons: dict[str, str]


def make_plan(facts: Facts, pins: Mapping[str, str] = NO_PINS) -> Plan:
    """Return what to try on this device; `pins` are the versions the user wants: runtime -> "1.20"."""
    blocker = _blocker(facts)
    if blocker is not None:
        return Plan({}, dict.fromkeys(FAMILIES, blocker))
    plan = _plan_64(facts) if facts.userland_bits == 64 else _plan_32(facts)
    wanted = {family: _pinned(candidates, pins) for family, candidates in plan.candidates.items()}
    return dataclasses.replace(plan, candidates=wanted)


def fits(version: str, pin: str) -> bool:
    """Whether a version is the pinned one: "1.20" is any 1.20.x."""
    return version == pin or version.startswith(f"{pin}.")


def _pinned(candidates: tuple[Candidate, ...], pins: Mapping[str, str]) -> tuple[Candidate, ...]:
    """Return the candidates with the pinned versions; a pinned runtime leaves no other to fall back on."""
    chosen = tuple(one for one in candidates if one.runtime in pins) or candidates
    return tuple(
        Candidate(one.runtime, (f"{one.requirements[0]}=={_release(pins[one.runtime])}", *one.requirements[1:]))
        if one.runtime in pins
        else one
        for one in chosen
    )


def _release(pin: str) -> str:
    return pin if pin.count(".") > 1 else f"{pin}.*"


def usable_runtimes(facts: Facts, pins: Mapping[str, str] = NO_PINS) -> dict[str, str]:
    """Return runtime -> version: what was carried over, and what the device's own Python has; none but the pinned."""
    return {
        runtime: version
        for runtime, version in _present(facts).items()
        if runtime not in pins or fits(version, pins[runtime])
    }


def _present(facts: Facts) -> dict[str, str]:
    own = facts.packages if "numpy" in facts.packages else {}
    found = {runtime: own[package] for runtime, package in DISTRIBUTIONS.items() if package in own}
    return {**found, **{runtime: there.version for runtime, there in facts.environments.items()}}


def missing_families(facts: Facts, pins: Mapping[str, str] = NO_PINS) -> tuple[str, ...]:
    """Return the formats for which the device has no runtime yet, or not the pinned version of it."""
    there = usable_runtimes(facts, pins)

    def lacks(runtimes: tuple[str, ...]) -> bool:
        pinned = set(runtimes) & set(pins)
        return not set(runtimes) & set(there) or not pinned <= set(there)

    return tuple(family for family, runtimes in FAMILIES.items() if lacks(runtimes))


def _blocker(facts: Facts) -> str | None:
    """Return why nothing at all can be carried over, or None."""
    if facts.system != "Linux":
        return f"edgebench carries runtimes to Linux devices only, and this is {facts.system}: install them there"
    if facts.glibc is None:
        return "its C library is not glibc (Alpine?), and the runtimes have wheels for glibc only: use a Debian system"
    if facts.python_implementation != "cpython":
        return f"the runtimes have wheels for CPython only, and its Python is {facts.python_implementation}"
    if facts.python_abi != facts.plain_abi:
        return f"the runtimes have wheels for the usual build of Python only, and this is {facts.python_abi}"
    if facts.store_noexec:
        return (
            "its store is on a file system mounted noexec, from which no library can be loaded: name a store on "
            "another in devices.toml"
        )
    if facts.machine.startswith(("armv6", "armv5")):
        return f"no runtime has wheels for {facts.machine} (Raspberry Pi 1 and Zero)"
    if facts.architecture not in ("aarch64", "armv7l", "x86_64"):
        return f"no runtime has wheels for {facts.architecture}"
    return None


def _plan_64(facts: Facts) -> Plan:
    tflite = [Candidate("litert", ("ai-edge-litert", "numpy"))]
    if facts.python_minor <= LAST_TFLITE_RUNTIME_PYTHON:
        tflite.append(Candidate("tflite-runtime", ("tflite-runtime", "numpy<2")))
    return Plan({"tflite": tuple(tflite), "onnx": (Candidate("onnxruntime", ("onnxruntime", "numpy")),)}, {})


def _plan_32(facts: Facts) -> Plan:
    reasons = {"onnx": "onnxruntime has no wheels for 32-bit ARM: use a 64-bit system to run ONNX there"}
    if facts.python_minor > LAST_TFLITE_RUNTIME_PYTHON:
        reasons["tflite"] = (
            f"a dead end: on 32-bit ARM only tflite-runtime runs TFLite, its last release is for Python 3.11, and this "
            f"system ({facts.os or 'unknown'}) has {facts.python}. Use a 64-bit system, or 32-bit Bookworm"
        )
        return Plan({}, reasons)
    own_numpy = facts.packages.get("numpy", "")
    if own_numpy.startswith("1."):
        return Plan({"tflite": (Candidate("tflite-runtime", ("tflite-runtime",)),)}, reasons)
    reasons["tflite"] = "numpy has no wheel for 32-bit ARM: install Debian's with `sudo apt install python3-numpy`"
    return Plan({"tflite": (Candidate("tflite-runtime", ("tflite-runtime", "numpy<2")),)}, reasons)
