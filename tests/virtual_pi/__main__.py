"""`python -m tests.virtual_pi [start|stop|clean] [arm64] [armhf]`: an emulated Raspberry Pi for those who have none."""

from __future__ import annotations

import sys
import time

from tests.virtual_pi import machine
from tests.virtual_pi.rootfs import BOARDS, CannotBuildError


def main(arguments: list[str]) -> int:
    """Do what is asked for and print what to put into devices.toml."""
    verb, *names = arguments or ["start"]
    names = names or list(BOARDS)
    if verb not in ("start", "stop", "clean") or set(names) - set(BOARDS):
        print(__doc__, file=sys.stderr)
        return 2
    for name in names:
        if verb != "start":
            getattr(machine, verb)(name)
            continue
        begin = time.monotonic()
        try:
            pi = machine.start(name)
        except CannotBuildError as error:
            print(f"virtual-pi: {error}", file=sys.stderr)
            return 1
        print(f"# {BOARDS[name].model}, emulated, ready after {time.monotonic() - begin:.1f} s", file=sys.stderr)
        print(f'[{pi.name}]\nhost = "{pi.name}"\nssh_config = "{pi.ssh_config}"\n')
    if verb == "start":
        print("# put the lines above into devices.toml, then: edgebench devices check NAME", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
