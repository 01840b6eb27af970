"""`convert` killed with -9: no worker lives on, and the next start leaves no folder of the dead one."""

import os
import subprocess
import sys
from pathlib import Path

from tests.devices.sshd import processes_naming
from tests.waiting import wait_for


def leftovers(*places: Path) -> list[Path]:
    return [path for place in places for path in place.rglob(".*edgebench-tmp-*")]


def test_a_killed_convert_leaves_no_worker_and_no_folder(small_keras: Path, tmp_path: Path) -> None:
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    temporary.mkdir()
    command = [
        sys.executable,
        "-m",
        "edgebench",
        "convert",
        str(small_keras),
        "--to",
        "onnx:float32",
        "--out",
        str(out),
    ]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    host = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def workers() -> list[str]:
        return [line for line in processes_naming(str(out)) if "converters.worker" in line]

    wait_for(workers, lambda: host.poll() is None)
    host.kill()
    host.wait()
    wait_for(lambda: not processes_naming(str(out)))
    assert leftovers(out)  # what the dead one worked in
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert not leftovers(out, temporary)
    assert not [path for path in temporary.iterdir() if "edgebench" in path.name]
