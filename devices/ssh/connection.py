"""A connection that comes back: requests are repeated over a new link when the old one breaks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, TypeVar

from edgebench.devices.base import Progress, Reconnect
from edgebench.devices.config import DeviceConfig
from edgebench.devices.ssh.link import Link, LinkLostError
from edgebench.errors import DeviceError

T = TypeVar("T")
PATIENCE_SECONDS = 240.0  # a Raspberry Pi restarts in one to two minutes
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 10.0
MOST_BREAKS = 20  # of one request, each time over a new link


class Connection:
    """Opens the link when first used. Every request must be one that may be sent twice."""

    def __init__(self, config: DeviceConfig, progress: Progress, patience: float = PATIENCE_SECONDS) -> None:
        self._config = config
        self._progress = progress
        self._patience = patience
        self._link: Link | None = None
        self._sent_before = 0

    @property
    def bytes_sent(self) -> int:
        """Everything sent so far, over every link."""
        return self._sent_before + (self._link.bytes_sent if self._link else 0)

    @property
    def hello(self) -> dict[str, Any]:
        """What the agent said first: its store, the device's boot id, its Python."""
        return self._open().hello

    def request(self, operation: str, **values: Any) -> tuple[dict[str, Any], bytes]:
        """Send one request; over a new link if this one breaks."""
        return self.persist(lambda link: link.request(operation, **values))

    def request_once(self, operation: str, **values: Any) -> None:
        """Send a request that is only good manners: over the link as it is, and no matter what becomes of it."""
        if self._link is not None:
            with contextlib.suppress(DeviceError):
                self._link.request(operation, **values)

    def persist(self, action: Callable[[Link], T]) -> T:
        """Do `action` over a link, again from its beginning over a new one when it breaks.

        Raises LinkLostError where no new link can be had for the patience this was made with.
        """
        link = self._open()
        for _ in range(MOST_BREAKS):
            try:
                return action(link)
            except LinkLostError as error:
                link = self._reopen(error)
        return action(link)

    def close(self) -> None:
        """Close the link; the next request opens a new one."""
        if self._link is not None:
            self._sent_before += self._link.bytes_sent
            self._link.close()
            self._link = None

    def _open(self) -> Link:
        if self._link is None:
            self._link = Link(self._config)
        return self._link

    def _reopen(self, reason: LinkLostError) -> Link:
        self.close()
        deadline = time.monotonic() + self._patience
        pause = FIRST_PAUSE_SECONDS
        while True:
            self._progress(Reconnect(str(reason)))
            try:
                return self._open()
            except LinkLostError:
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
