"""A connection that comes back: requests are repeated over a new link when the old one breaks."""

from __future__ import annotations

import contextlib
import threading
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
MANNERS_SECONDS = 2.0


class Connection:
    """Opens the link when first used. Every request must be one that may be sent twice."""

    def __init__(
        self, config: DeviceConfig, progress: Progress, session: str = "", patience: float = PATIENCE_SECONDS
    ) -> None:
        self._config = config
        self._progress = progress
        self._session = session
        self._patience = patience
        self._link: Link | None = None
        self._sent_before = 0
        self._cancelled = threading.Event()

    @property
    def bytes_sent(self) -> int:
        """Everything sent so far, over every link."""
        return self._sent_before + (self._link.bytes_sent if self._link else 0)

    def request(self, operation: str, **values: Any) -> tuple[dict[str, object], bytes]:
        """Send one request; over a new link if this one breaks."""
        return self.persist(lambda link: link.request(operation, **values))

    def request_once(self, operation: str, **values: Any) -> None:
        """Send a request that is only good manners: over the link as it is, and no matter what becomes of it."""
        if self._link is not None and not self._cancelled.is_set():
            with contextlib.suppress(DeviceError):
                self._link.request(operation, patience=MANNERS_SECONDS, **values)

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

    def pause(self, seconds: float) -> None:
        """Wait. Raises KeyboardInterrupt as soon as the connection is cancelled."""
        if self._cancelled.wait(seconds):
            raise KeyboardInterrupt

    def cancel(self) -> None:
        """End everything at once, from another thread: whoever uses the connection is interrupted as by Ctrl-C."""
        self._cancelled.set()
        link = self._link
        if link is not None:
            link.abort()

    def close(self) -> None:
        """Close the link; the next request opens a new one."""
        link, self._link = self._link, None
        if link is not None:
            self._sent_before += link.bytes_sent
            link.close()

    def _open(self) -> Link:
        if self._link is None:
            self._link = Link(self._config, self._session)
            try:
                if self._cancelled.is_set():
                    raise KeyboardInterrupt
                self._link.open()
            except BaseException:
                self.close()
                if self._cancelled.is_set():
                    raise KeyboardInterrupt from None
                raise
        return self._link

    def _reopen(self, reason: LinkLostError) -> Link:
        self.close()
        deadline = time.monotonic() + self._patience
        pause = FIRST_PAUSE_SECONDS
        while True:
            if self._cancelled.is_set():
                raise KeyboardInterrupt
            self._progress(Reconnect(str(reason)))
            try:
                return self._open()
            except LinkLostError:
                if time.monotonic() + pause > deadline:
                    raise
            self.pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
