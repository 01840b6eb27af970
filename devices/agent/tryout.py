"""Whether a runtime that has just been carried over can be imported here, tried in a process of its own."""

from __future__ import annotations

import re
import sys

from .supervise import environment

MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}\Z")
SECONDS = 300  # an emulated board imports onnxruntime in half a minute


def try_import(module: str, paths: list[str]) -> dict[str, object]:
    """Import `module` with `paths` in front; return {"code", "said"}: what it exited with and its last words."""
    import subprocess  # takes long to import on a small device, and most connections install nothing

    if not MODULE.match(module):
        raise ValueError(f"not a module: {module!r}")
    command = [sys.executable, "-c", "import importlib, sys; importlib.import_module(sys.argv[1])", module]
    try:
        done = subprocess.run(
            command, env=environment(paths), cwd="/", stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"code": None, "said": f"its import took more than {SECONDS} s"}
    lines = done.stderr[-4000:].decode(errors="replace").strip().splitlines()
    return {"code": done.returncode, "said": lines[-1][:500] if lines else ""}
