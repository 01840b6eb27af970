"""Waiting for something to happen, however busy the machine is: only pytest's own time limit ends it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], still_possible: Callable[[], bool] = lambda: True) -> T:
    """Ask until the answer is true, and return it; fail where it is `still_possible` no more."""
    while not (answer := condition()):
        assert still_possible() or condition(), "what was waited for cannot happen any more"
        time.sleep(0.02)
    return answer


def hear_ctrl_c() -> None:
    """For `preexec_fn`: what a shell starts in the background ignores Ctrl-C, and so do all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
