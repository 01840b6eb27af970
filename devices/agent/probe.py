"""What a device is: read from the system itself; what cannot be read is absent.

This runs at every connection: it imports only what Python has loaded anyway.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import Optional

PACKAGES = ("numpy", "ai-edge-litert", "tflite-runtime", "onnxruntime", "tensorflow")
VCGENCMD = "/usr/bin/vcgencmd"
FAMILIES = {3: "x86", 62: "x86", 40: "arm", 183: "arm", 243: "riscv"}  # e_machine of an ELF file, elf(5)


def boot_id() -> str:
    """Return a value that changes with every start of the device's kernel."""
    return read("/proc/sys/kernel/random/boot_id") or ""


def facts(store: str) -> dict[str, object]:
    """Return everything the host needs to plan and to report; sizes in bytes, frequencies in Hz."""
    system = _os_release()
    disk = os.statvfs(store)
    kernel = os.uname()
    memory = _meminfo()
    table = {
        "system": kernel.sysname,
        "kernel": kernel.release,
        "machine": kernel.machine,
        "userland_bits": struct.calcsize("P") * 8,
        "os": system.get("PRETTY_NAME"),
        "os_id": system.get("ID"),
        "os_codename": system.get("VERSION_CODENAME"),
        "glibc": _glibc(),
        "python": ".".join(map(str, sys.version_info[:3])),
        "python_implementation": sys.implementation.name,
        "python_abi": "cp" + "".join(map(str, sys.version_info[:2])) + sys.abiflags,
        "python_path": sys.executable,
        "board": (read("/proc/device-tree/model") or _cpuinfo("Model") or "").strip("\0") or None,
        "cpu": _cpuinfo("model name") or _cpu_part(),
        "features": (_cpuinfo("Features") or _cpuinfo("flags") or "").split(),
        "cores": os.cpu_count(),
        "memory_bytes": memory.get("MemTotal"),
        "memory_available_bytes": memory.get("MemAvailable"),
        "disk_free_bytes": disk.f_bavail * disk.f_frsize,
        "store_noexec": bool(disk.f_flag & getattr(os, "ST_NOEXEC", 0)),
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "max_frequency_khz": _number("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", 10),
        "temperature_millidegrees": temperature(),
        "throttled": _throttled(),
        "packages": _packages(),
        "emulator": _emulator(),
    }
    return {key: value for key, value in table.items() if value is not None}


def temperature() -> Optional[int]:
    """Return the first thermal zone's millidegrees Celsius."""
    return _number("/sys/class/thermal/thermal_zone0/temp", 10)


def _emulator() -> Optional[str]:
    """Return the program that really executes this one where that is of another processor family, or None.

    An emulator answers for /proc/self, but what the kernel shows of another process is its own: a child's executable
    is then the emulator, built for the real processor.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    try:
        path = f"/proc/{child}/exe"
        with open(path, "rb") as stream:
            header = stream.read(20)
        family = FAMILIES.get(header[18] + 256 * header[19]) if header[:4] == b"\x7fELF" else None
        machine = os.uname().machine
        claimed = "arm" if machine.startswith(("arm", "aarch")) else "x86" if "86" in machine else None
        if family and claimed and family != claimed:
            return os.path.basename(os.readlink(path))
    except OSError:
        return None
    finally:
        os.close(writer)
        os.waitpid(child, 0)
    return None


def _packages() -> dict[str, str]:
    """Return the versions of installed distributions from their folders' names: nothing is imported for it."""
    found = {}
    for folder in reversed(sys.path):
        for entry in os.listdir(folder) if os.path.isdir(folder) else ():
            stem, _, kind = entry.rpartition(".")
            name, _, version = stem.partition("-")
            name = name.replace("_", "-").lower()
            if kind in ("dist-info", "egg-info") and name in PACKAGES and version:
                found[name] = version.partition("-")[0]
    return found


def _throttled() -> Optional[int]:
    """Return the Raspberry Pi firmware's throttle bits: 0-3 hold now, 16-19 have happened since boot."""
    bits = _number("/sys/devices/platform/soc/soc:firmware/get_throttled", 16)
    if bits is not None or not os.path.exists(VCGENCMD):
        return bits
    import subprocess  # takes long to import on a small device

    done = subprocess.run([VCGENCMD, "get_throttled"], capture_output=True, text=True, check=False)
    word = done.stdout.strip().partition("=")[2]
    return int(word, 16) if word.startswith("0x") else None


def _glibc() -> Optional[str]:
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        return None
    return version if name == "glibc" else None


def _os_release() -> dict[str, str]:
    lines = (read("/etc/os-release") or "").splitlines()
    return {key: value.strip("\"'") for key, _, value in (line.partition("=") for line in lines)}


def _cpuinfo(key: str) -> Optional[str]:
    for line in (read("/proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None


def _cpu_part() -> Optional[str]:
    """Name the ARM core by its part number."""
    names = {
        "0xd03": "Cortex-A53",
        "0xd07": "Cortex-A57",
        "0xd08": "Cortex-A72",
        "0xd0b": "Cortex-A76",
        "0xc07": "Cortex-A7",
        "0xb76": "ARM1176",
    }
    part = _cpuinfo("CPU part")
    return names.get(part, f"ARM part {part}") if part else None


def _meminfo() -> dict[str, int]:
    rows = (line.split() for line in (read("/proc/meminfo") or "").splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) > 1}


def _number(path: str, base: int) -> Optional[int]:
    try:
        return int(read(path) or "", base)
    except ValueError:
        return None


def read(path: str) -> Optional[str]:
    """Return a file's text; None where it cannot be read."""
    try:
        with open(path, errors="replace") as stream:
            return stream.read().strip()
    except OSError:
        return None
