"""What a device's facts mean to a person: what it is, what each variant will run on, what to do about the rest."""

from __future__ import annotations

from edgebench import registry
from edgebench.devices.provision.facts import Facts
from edgebench.devices.provision.plan import DISTRIBUTIONS, FAMILIES, make_plan, usable_runtimes

THROTTLE_NOW = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
HAPPENED = 16  # the same bits, moved by this: since the device started
LOW_DISK_BYTES = 500_000_000
LOW_MEMORY_BYTES = 200_000_000
HOT_MILLIDEGREES = 75_000


def describe(facts: Facts) -> dict[str, str]:
    """Return label -> text, one line each; what the device does not say is left out."""
    frequency = f", up to {facts.max_frequency_khz / 1e6:.1f} GHz" if facts.max_frequency_khz else ""
    rows = {
        "board": facts.board,
        "cpu": f"{facts.cpu or facts.machine}, {facts.cores} cores{frequency}",
        "int8": _int8(facts),
        "kernel": f"{facts.system} {facts.kernel}, {facts.machine}",
        "userland": f"{facts.userland_bits} bits, {facts.os or 'unknown'}, {_libc(facts)}",
        "python": f"{facts.python} ({facts.python_path})",
        "memory": _memory(facts),
        "disk": f"{facts.disk_free_bytes / 1e9:.1f} GB free{', mounted noexec' if facts.store_noexec else ''}",
        "governor": facts.governor,
        "temperature": _temperature(facts),
        "throttling": None if facts.throttled is None else throttling(facts.throttled) or "none since it started",
        "packages": ", ".join(f"{name} {version}" for name, version in facts.packages.items()) or None,
        "emulated": facts.emulator and f"yes, by {facts.emulator}: right for correctness, its latency means nothing",
    }
    return {label: text for label, text in rows.items() if text}


def what_runs(facts: Facts) -> dict[str, str]:
    """Return format -> the runtime its variants run on, or will, or why nothing does."""
    there, plan = usable_runtimes(facts), make_plan(facts)
    rows = {}
    for family, runtimes in FAMILIES.items():
        precisions = ", ".join(registry.formats()[family].precisions)
        present = [f"{runtime} {there[runtime]}" for runtime in runtimes if runtime in there]
        candidates = plan.candidates.get(family)
        if present:
            rows[family] = f"{' or '.join(present)}: {precisions}"
        elif candidates:
            rows[family] = f"{DISTRIBUTIONS[candidates[0].runtime]}, carried over by the first profile: {precisions}"
        else:
            rows[family] = f"nothing: {plan.reasons.get(family)}"
    tensorflow = there.get("tensorflow")
    rows["savedmodel"] = (
        f"tensorflow {tensorflow}" if tensorflow else "nothing: it needs TensorFlow; ship TFLite or ONNX"
    )
    return rows


def advise(facts: Facts) -> list[str]:
    """Return what to do about what is missing or would spoil the numbers, one sentence each."""
    lines = [f"{family}: {reason}." for family, reason in make_plan(facts).reasons.items() if _lacks(facts, family)]
    if facts.userland_bits == 32 and facts.machine == "aarch64":
        lines.append(
            "The kernel has 64 bits and the system 32: with a 64-bit system it would run onnxruntime and LiteRT."
        )
    if facts.governor and facts.governor != "performance":
        lines.append(
            f"The governor is {facts.governor!r}: for steadier numbers, "
            "`echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor`."
        )
    if facts.throttled:
        lines.append(f"It reports {throttling(facts.throttled)}: check its power supply and cooling.")
    if facts.temperature_millidegrees and facts.temperature_millidegrees > HOT_MILLIDEGREES:
        lines.append("It is hot and may slow down: let it cool before measuring.")
    if facts.disk_free_bytes < LOW_DISK_BYTES:
        lines.append(f"Only {facts.disk_free_bytes / 1e6:.0f} MB of disk are free: runtimes need about 200 MB.")
    if facts.memory_available_bytes is not None and facts.memory_available_bytes < LOW_MEMORY_BYTES:
        lines.append(f"Only {facts.memory_available_bytes / 1e6:.0f} MB of memory are free: end what else runs there.")
    return lines


def throttling(bits: int) -> str:
    """Say in words what the Raspberry Pi firmware's bits mean; empty where none is set."""
    words = [f"{word} now" for bit, word in THROTTLE_NOW.items() if bits >> bit & 1]
    words += [f"{word} earlier" for bit, word in THROTTLE_NOW.items() if bits >> (bit + HAPPENED) & 1]
    return ", ".join(words)


def _lacks(facts: Facts, family: str) -> bool:
    return not set(FAMILIES[family]) & set(usable_runtimes(facts))


def _int8(facts: Facts) -> str | None:
    if facts.architecture in ("aarch64", "armv7l"):
        if "asimddp" in facts.features:
            return "fast: the processor has the dot product (asimddp)"
        return "no dot product in this processor (asimddp): int8 gains less than on a Pi 5"
    if "avx512_vnni" in facts.features or "avx_vnni" in facts.features:
        return "fast: the processor has VNNI"
    return None


def _libc(facts: Facts) -> str:
    return f"glibc {facts.glibc}" if facts.glibc else "not glibc"


def _memory(facts: Facts) -> str | None:
    if facts.memory_bytes is None:
        return None
    available = facts.memory_available_bytes
    return f"{facts.memory_bytes / 1e9:.1f} GB" + (f", {available / 1e9:.1f} GB available" if available else "")


def _temperature(facts: Facts) -> str | None:
    return None if facts.temperature_millidegrees is None else f"{facts.temperature_millidegrees / 1000:.1f} degrees C"
