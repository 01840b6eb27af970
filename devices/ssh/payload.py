"""Packs the agent's source for the standard input of a device's Python."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from functools import cache
from importlib import resources

MODULES = (
    "probe",
    "owned",
    "store",
    "reservation",
    "governor",
    "supervise",
    "tryout",
    "jobs",
    "main",
)  # each imports only what stands before it
OLDEST_PYTHON = (3, 9)

REMOTE_SCRIPT = (
    "import sys,zlib;i=sys.stdin.buffer;"
    "exec(zlib.decompress(i.read(int(next(filter(bytes.isdigit,map(bytes.strip,i)))))))"
)
"""All that stands on the remote command line: no quotes, nothing from the user. It skips empty lines."""
SPARE_LINES = b"\n" * 8  # for a login that reads a line or two before the command starts

_LOADER = """
import json, sys, types
if sys.version_info < {oldest}:
    sys.stdout.write("edgebench-agent 1 " + json.dumps({{"too_old": sys.version.split()[0]}}) + "\\n")
    sys.exit(0)
package = types.ModuleType("edgebench_agent")
package.__path__ = []
sys.modules["edgebench_agent"] = package
for name, source in json.loads({modules!r}):
    module = types.ModuleType("edgebench_agent." + name)
    module.__package__ = "edgebench_agent"
    sys.modules[module.__name__] = module
    exec(compile(source, "<edgebench agent: %s>" % name, "exec"), module.__dict__)
    setattr(package, name, module)
package.main.Agent(json.loads({settings!r})).serve()
"""


def payload(settings: Mapping[str, object]) -> bytes:
    """Return what to write first: spare lines, the length in one, then the loader with every module, compressed."""
    source = _LOADER.format(oldest=OLDEST_PYTHON, modules=_modules(), settings=json.dumps(settings))
    loader = zlib.compress(source.encode(), 9)
    return b"%s%d\n%s" % (SPARE_LINES, len(loader), loader)


@cache
def _modules() -> str:
    folder = resources.files("edgebench.devices.agent")
    return json.dumps([(name, folder.joinpath(f"{name}.py").read_text()) for name in MODULES])
