"""The processor's frequency governor: set for a session where this user may, and given back after it."""

from __future__ import annotations

import json
import os
import re

from . import probe
from .reservation import read_json

CPUS = "/sys/devices/system/cpu"
NAME = re.compile(r"[a-z_]{1,32}\Z")


class Governor:
    """What the governors were before stands in `path` until they have been given back."""

    def __init__(self, path: str, cpus: str = CPUS) -> None:
        self._path, self._cpus = path, cpus

    def set(self, name: str) -> dict[str, object]:
        """Set every core's governor; say which it is now, and why not where this user may not."""
        if not NAME.match(name):
            raise ValueError(f"not a governor: {name!r}")
        before = {path: probe.read(path) or "" for path in self._files()}
        if not before:
            return {"governor": None, "reason": "the system shows no governor"}
        if set(before.values()) == {name}:
            return {"governor": name, "reason": ""}
        if read_json(self._path) is None:  # what it was before the first of several sessions
            with open(self._path, "w") as stream:
                json.dump({"boot_id": probe.boot_id(), "before": before}, stream)
        reason = _write(dict.fromkeys(before, name))
        if reason:
            self.give_back()
        return {"governor": probe.read(self._files()[0]), "reason": reason}

    def give_back(self) -> None:
        """Set every core's governor to what it was before, where it was set since the device started."""
        kept = read_json(self._path)
        if kept is None:
            return
        before = kept.get("before")
        if kept.get("boot_id") == probe.boot_id() and isinstance(before, dict):
            files = set(self._files())
            _write({path: name for path, name in before.items() if path in files and NAME.match(str(name))})
        os.unlink(self._path)

    def _files(self) -> list[str]:
        names = sorted(os.listdir(self._cpus)) if os.path.isdir(self._cpus) else []
        paths = [os.path.join(self._cpus, name, "cpufreq/scaling_governor") for name in names]
        return [path for path in paths if os.path.exists(path)]


def _write(values: dict[str, str]) -> str:
    """Write each value into its file; return the first refusal in words."""
    for path, value in values.items():
        try:
            with open(path, "w") as stream:
                stream.write(value)
        except OSError as error:
            return f"{path}: {error.strerror}"
    return ""
