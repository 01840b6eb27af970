"""A host process for tests to kill: `python -m tests.devices.host BOARD_FOLDER PORT JOBS` measures odd jobs in turn.

It keeps finished ones in a journal as `edgebench profile` does, and prints a line for each thing that happens.
"""

import dataclasses
import json
import sys
from pathlib import Path

from edgebench.devices.base import Phase
from edgebench.devices.config import DeviceConfig
from edgebench.devices.ssh.device import SshDevice
from edgebench.pipeline.journal import Journal
from tests.devices.jobs import install_odd, odd_job


def main(config: str, folder: Path, jobs: int, seconds: float) -> None:
    journal = Journal(folder / "runs")

    def tell(**event):
        print(json.dumps(event), flush=True)

    def progress(event):
        if isinstance(event, Phase):
            tell(event="phase", phase=event.phase)

    with SshDevice(DeviceConfig(**json.loads(config)), "one profile", install=False) as device:
        install_odd(device, folder)
        for number in range(jobs):
            does = {"sleep": seconds, "count": str(folder / f"starts{number}")}
            job = dataclasses.replace(odd_job(device, folder, does), repetition=number)
            if journal.find(job) is None:
                journal.add(job, device.run(job, progress))
                tell(event="finished", job=number)
    tell(event="all finished", runs=len(journal))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
