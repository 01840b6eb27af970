"""A runtime for tests, carried to a device like any other: what it does stands in the artifact, as JSON.

{"sleep": 3} waits at every invoke, {"sleep_first": 3} in the first start alone; {"signal": 11} dies of it;
{"meet": "folder", "of": 4} goes on once four processes are in it, {"gates": "prefix"} at the n-th invoke once
prefixN is there;
{"run.json": "text"} answers with that text;
{"copy": {"run.json": "/etc/passwd"}} links files into the answer; {"count": "file"} notes every start there.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from edgebench.records import TensorSpec

__version__ = "1"


class Session:
    name, version = "odd", "1"
    input = TensorSpec("in", (1, 4, 4, 3), "float32")
    output = TensorSpec("out", (1, 2), "float32")

    def __init__(self, does):
        self.does = does

    def copy_in(self, array):
        self.mean = float(np.mean(array))

    def invoke(self):
        if "signal" in self.does:
            os.kill(os.getpid(), self.does["signal"])
        self.wait_for_others()
        first = "count" in self.does and len(Path(self.does["count"]).read_text().splitlines()) < 2
        time.sleep(self.does.get("sleep", 0) or (self.does.get("sleep_first", 0) if first else 0))

    def wait_for_others(self):
        """As {"meet": folder, "of": 4} and {"gates": prefix} say."""
        if "meet" in self.does:
            here = Path(self.does["meet"])
            here.mkdir(exist_ok=True)
            (here / str(os.getpid())).touch()
            while len(list(here.iterdir())) < self.does["of"]:
                time.sleep(0.02)
        if "gates" in self.does:
            self.passed = getattr(self, "passed", 0) + 1
            while not Path(self.does["gates"] + str(self.passed)).exists():
                time.sleep(0.02)

    def copy_out(self):
        return np.array([[self.mean, 1 - self.mean]], np.float32)

    def facts(self):
        return {}

    def close(self):
        pass


def open_session(name, path, settings):
    does = json.loads(Path(path).read_text())
    out = Path(sys.argv[2])
    if "count" in does:
        with open(does["count"], "a") as stream:
            stream.write(f"{os.getpid()}\n")
    if "print" in does:
        os.write(1, b"x" * does["print"])
    if "fill" in does:
        with open(out / "filler", "wb") as stream:
            stream.write(b"\0" * does["fill"])
    if "answer" in does:
        for file, hexadecimal in does["answer"].items():
            (out / file).write_bytes(bytes.fromhex(hexadecimal))
        for file, target in does.get("link", {}).items():
            os.symlink(target, out / file)
        for file, size in does.get("sparse", {}).items():
            with open(out / file, "wb") as stream:
                stream.truncate(size)
        os._exit(0)
    return Session(does)
