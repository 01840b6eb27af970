"""The names that ~/.ssh/config gives to hosts: each is a device as it stands."""

from __future__ import annotations

import fnmatch
import shlex
from pathlib import Path

USER, SYSTEM = Path("~/.ssh/config"), Path("/etc/ssh/ssh_config")
DEEPEST = 16  # as ssh itself: includes in includes


def is_ssh_name(name: str) -> bool:
    """Whether a `Host` line of the OpenSSH client's configuration means `name`, other than one for all hosts."""
    found = False
    for pattern in _patterns(USER.expanduser(), 0) + _patterns(SYSTEM, 0):
        if pattern.startswith("!"):
            continue  # a Host line that excludes the name is rare, and ssh will say so
        found = found or (set(pattern) - set("*?") != set() and fnmatch.fnmatchcase(name, pattern))
    return found


def literal_names() -> list[str]:
    """Return the names without patterns, in their order."""
    names = [name for name in _patterns(USER.expanduser(), 0) if not set(name) & set("*?!")]
    return list(dict.fromkeys(names))


def _patterns(path: Path, depth: int) -> list[str]:
    """Return the patterns of every `Host` line, those of included files in place (ssh_config(5))."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return []
    found: list[str] = []
    for line in lines:
        keyword, words = _words(line)
        if keyword == "host":
            found += words
        elif keyword == "include" and depth < DEEPEST:
            for word in words:
                place = Path(word).expanduser()
                base = place if place.is_absolute() else path.parent / place
                for file in sorted(base.parent.glob(base.name)):
                    found += _patterns(file, depth + 1)
    return found


def _words(line: str) -> tuple[str, list[str]]:
    text = line.strip()
    keyword, _, rest = text.replace("=", " ", 1).partition(" ") if not text.startswith("#") else ("", "", "")
    try:
        return keyword.lower(), shlex.split(rest)
    except ValueError:
        return "", []
