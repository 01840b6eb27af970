"""Builds the root folder of a virtual Pi: a real Debian userland of another architecture, and a made-up /sys."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HOST_PACKAGES = ("qemu-user-static", "binfmt-support", "mmdebstrap", "openssh-server", "openssh-client")
HOST_TOOLS = ("mmdebstrap", "update-binfmts", "sshd", "ssh-keygen")
BINFMT = Path("/proc/sys/fs/binfmt_misc")
SUITE = "bookworm"  # what Raspberry Pi OS is made of, with the same Python 3.11
PACKAGES = (
    "base-files,base-passwd,bash,coreutils,libc-bin,python3,libpython3.11-stdlib,libstdc++6,openssh-server,"
    "openssh-sftp-server,procps,tar,gzip,grep,sed,util-linux"
)


@dataclass(frozen=True)
class Board:
    """One kind of Raspberry Pi."""

    architecture: str  # Debian's name
    emulator: str  # binfmt name
    cpu: str  # QEMU_CPU
    model: str
    cpuinfo: str  # lines of one processor in /proc/cpuinfo
    max_khz: int
    extra_packages: tuple[str, ...] = ()


BOARDS = {
    "arm64": Board(
        "arm64",
        "qemu-aarch64",
        "cortex-a72",
        "Raspberry Pi 4 Model B Rev 1.4",
        "BogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\n"
        "CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n",
        1_800_000,
    ),
    "armhf": Board(
        "armhf",
        "qemu-arm",
        "cortex-a7",
        "Raspberry Pi 2 Model B Rev 1.1",
        "model name\t: ARMv7 Processor rev 5 (v7l)\nBogoMIPS\t: 57.60\n"
        "Features\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm\n"
        "CPU implementer\t: 0x41\nCPU architecture: 7\nCPU variant\t: 0x0\nCPU part\t: 0xc07\nCPU revision\t: 5\n",
        900_000,
        ("python3-numpy",),
    ),
}


class CannotBuildError(Exception):
    """This machine cannot hold a virtual Pi; `str()` says why."""


def prepare_host(board: Board) -> None:
    """Install what is missing and switch the emulation on. Raises CannotBuildError."""
    if os.geteuid() != 0:
        raise CannotBuildError("a virtual Pi needs root: it mounts, changes root and installs Debian packages")
    missing = [tool for tool in HOST_TOOLS if shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None]
    if missing or not list(Path("/usr/bin").glob("qemu-*-static")):
        if shutil.which("apt-get") is None:
            raise CannotBuildError(f"{', '.join(missing)} missing, and there is no apt-get to install them with")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "update", "-q"], environment)
        _run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *HOST_PACKAGES], environment)
    if not (BINFMT / "register").exists():
        _run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)])
    if not (BINFMT / board.emulator).exists():
        _run(["update-binfmts", "--enable", board.emulator])


def build(board: Board, root: Path) -> None:
    """Make `root` unless it is there already. Raises CannotBuildError."""
    if root.exists():
        return
    partial = root.with_name(root.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    packages = ",".join([PACKAGES, *board.extra_packages])
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=extract", f"--architectures={board.architecture}"]
    _run([*command, f"--include={packages}", SUITE, str(partial), _mirror()])
    _link_alternatives(partial)
    _write_accounts(partial)
    _write_sys(board, partial)
    partial.rename(root)


def _mirror() -> str:
    """The Debian mirror this machine's own apt uses."""
    for source in [
        *Path("/etc/apt/sources.list.d").glob("*.sources"),
        *Path("/etc/apt/sources.list.d").glob("*.list"),
        Path("/etc/apt/sources.list"),
    ]:
        for line in source.read_text().splitlines() if source.exists() else []:
            words = line.split()
            if words[:1] == ["URIs:"] and "security" not in line and "debian" in line:
                return words[1]
            urls = [word for word in words if "://" in word]
            if words[:1] == ["deb"] and urls and "security" not in line and "debian" in line:
                return urls[0]
    raise CannotBuildError("found no Debian mirror in /etc/apt to take packages of the other architecture from")


def _link_alternatives(root: Path) -> None:
    """What update-alternatives would have done, had the packages been configured: numpy needs libblas.so.3."""
    for name in ("blas", "lapack"):
        for library in root.glob(f"usr/lib/*/{name}/lib{name}.so.3"):
            link = library.parent.parent / library.name
            if not link.is_symlink():
                link.symlink_to(f"{name}/{library.name}")


def _write_accounts(root: Path) -> None:
    etc = root / "etc"
    (etc / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\npi:x:1000:1000::/home/pi:/bin/bash\n"
    )
    (etc / "group").write_text("root:x:0:\ntty:x:5:\nnogroup:x:65534:\npi:x:1000:\n")
    (etc / "shadow").write_text("root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\npi:*:19000:0:99999:7:::\n")
    (etc / "hostname").write_text("raspberrypi\n")
    (root / "run/sshd").mkdir(parents=True, exist_ok=True)


def _write_sys(board: Board, root: Path) -> None:
    """A /sys like a Pi's. The host's own would be wrong: ARM runtimes that read x86 topology there crash."""
    files = {
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
        "sys/class/thermal/thermal_zone0/temp": "48312",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "0",
    }
    cpu = "sys/devices/system/cpu"
    files.update({f"{cpu}/{name}": "0-3" for name in ("online", "possible", "present")})
    for core in range(4):
        files.update(
            {
                f"{cpu}/cpu{core}/topology/core_id": str(core),
                f"{cpu}/cpu{core}/topology/physical_package_id": "0",
                f"{cpu}/cpu{core}/topology/core_siblings_list": "0-3",
                f"{cpu}/cpu{core}/topology/thread_siblings_list": str(core),
                f"{cpu}/cpu{core}/cpufreq/scaling_governor": "ondemand",
                f"{cpu}/cpu{core}/cpufreq/scaling_cur_freq": str(board.max_khz),
                f"{cpu}/cpu{core}/cpufreq/cpuinfo_max_freq": str(board.max_khz),
                f"{cpu}/cpu{core}/cpufreq/cpuinfo_min_freq": "600000",
            }
        )
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content + "\n")
    blocks = [f"processor\t: {core}\n{board.cpuinfo}" for core in range(4)]
    (root / "etc/cpuinfo").write_text("\n".join([*blocks, f"Model\t\t: {board.model}\n"]))


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        raise CannotBuildError(f"{command[0]} failed with {done.returncode}: {last[0]}")
