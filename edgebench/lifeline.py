"""A process of edgebench's that ends when the one that started it ends, however that went: kill -9 leaves no strays.

Linux only (prctl(2), PR_SET_PDEATHSIG); elsewhere a process lives on until its work is done. The parent puts its
number into the environment, for it may be gone before the child has come to ask for the signal. The signal is sent
when the THREAD that started the child ends, so that thread must wait for it. This file also runs on devices:
standard library only, Python 3.9.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

VARIABLE = "EDGEBENCH_PARENT"
PR_SET_PDEATHSIG = 1
_MODULE = "import sys, runpy; from edgebench.lifeline import die_with_parent; die_with_parent(); name = sys.argv.pop(1)"


def with_parent(**more: str) -> dict[str, str]:
    """Return the environment for a child that calls `die_with_parent`."""
    return {**os.environ, **more, VARIABLE: str(os.getpid())}


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies; nothing where no parent asked for it."""
    parent = os.environ.pop(VARIABLE, "")  # its own children have another parent
    if not parent.isdigit() or not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        os.kill(os.getpid(), signal.SIGKILL)


def python_module(name: str) -> list[str]:
    """Return the command that runs `python -m name` so that it ends with this process (in `with_parent`)."""
    return [sys.executable, "-c", f'{_MODULE}; runpy.run_module(name, run_name="__main__", alter_sys=True)', name]
