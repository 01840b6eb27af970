"""Who a device is reserved for: one session at a time, from its first word to its last.

The agent that serves the session holds a flock for as long as it lives; where its connection breaks, the session has
GRACE_SECONDS to come back. These are counted on the monotonic clock of one boot: the time of day may step.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from typing import Any, Optional

from . import probe

GRACE_SECONDS = 60.0


class Reservation:
    """The file `reserved` in the store, as one agent sees it."""

    def __init__(self, path: str, session: str, owner: str) -> None:
        self.session = session
        self._path, self._owner = path, owner
        self._handle: Optional[int] = None

    def take(self) -> Optional[dict[str, Any]]:
        """Reserve the device for this session; return None, or who has it."""
        if self._handle is not None:
            return None
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            holder = read_json(self._path) or {}
            # An older connection of the same session that has not noticed yet that it is cut.
            return None if holder.get("session") == self.session else holder
        holder = read_json(self._path) or {}
        if holder.get("session") not in (None, self.session) and _in_grace(holder):
            os.close(handle)
            return holder
        self._handle = handle
        self._write({"session": self.session, "owner": self._owner})
        return None

    def leave(self) -> None:
        """Note when the connection ended: the session may come back."""
        if self._handle is not None:
            left = {"left": time.monotonic(), "boot_id": probe.boot_id()}
            self._write({"session": self.session, "owner": self._owner, **left})
            self.close()

    def release(self) -> None:
        """Give the device free."""
        if self._handle is None:
            return
        self._write({})
        self.close()

    def held(self) -> bool:
        """Whether this agent holds it."""
        return self._handle is not None

    def descriptors(self) -> list[int]:
        """Return what a process must close that forks off and lives on."""
        return [] if self._handle is None else [self._handle]

    def close(self) -> None:
        """Let go of the lock."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _write(self, value: dict[str, object]) -> None:
        assert self._handle is not None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, json.dumps(value).encode(), 0)


def is_reserved(path: str) -> bool:
    """Whether an agent that lives holds the device."""
    if not os.path.exists(path):
        return False
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(handle)


def read_json(path: str) -> Optional[dict[str, Any]]:
    """Return the object in a file; None where there is none."""
    try:
        with open(path) as stream:
            value = json.load(stream)
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _in_grace(holder: dict[str, Any]) -> bool:
    left = holder.get("left")
    if holder.get("boot_id") != probe.boot_id() or not isinstance(left, (int, float)):
        return False
    return 0 <= time.monotonic() - left < GRACE_SECONDS
