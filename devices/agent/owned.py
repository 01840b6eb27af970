"""What in a folder is edgebench's own: a marker says that the folder is, and names say what in it is."""

from __future__ import annotations

import os
import re

MARKER = ".edgebench-store"
MARK = "edgebench keeps what it carries to this device here; `edgebench devices clean` removes it\n"
FOLDERS = ("objects", "packages", "environments", "incoming", "jobs")
FILES = (MARKER, "lock", "reserved", "governor.json")
BESIDE = ("wheels",)  # the cache of a host that is its own device: beside these folders by default
_HEX = r"[0-9a-f]{64}"
NAMES = {
    "objects": re.compile(_HEX + r"(\.[0-9a-f]{12}(\.lent)?|\.new)?\Z"),
    "packages": re.compile(_HEX + r"(\.[0-9a-f]{12}|\.new)?\Z"),
    "environments": re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,120}\.json(\.new)?\Z"),
    "incoming": re.compile(_HEX + r"(\.[0-9a-f]{12})?\Z"),
    "jobs": re.compile(r"[0-9a-f]{12}-[0-9a-f]{32}\Z"),
}


def expand(root: str) -> str:
    """Return the folder that `root` means: ~ and $HOME are the home folder, and a relative path is below it."""
    home = os.path.expanduser("~")
    for word in ("${HOME}", "$HOME"):
        if root == word or root.startswith(word + "/"):
            root = home + root[len(word) :]
    path = os.path.join(home, os.path.expanduser(root))
    if "$" in path or os.path.basename(path).startswith("~") or "/~" in path or not os.path.isabs(path):
        raise ValueError(f"the store {root!r} is no path: only a leading ~ or $HOME stands for something in it")
    return os.path.abspath(path)


def claim(root: str) -> None:
    """Make the folder, or take one that is empty or edgebench's already. Raises ValueError for one of the user's."""
    os.makedirs(root, mode=0o700, exist_ok=True)
    marker = os.path.join(root, MARKER)
    if os.path.exists(marker):
        return
    strange = [name for name in os.listdir(root) if not _known(root, name)]
    if strange:
        raise ValueError(
            f"{root} holds what is not edgebench's ({sorted(strange)[0]}), so nothing was touched: name a folder of "
            f'its own in devices.toml, store = "{root.rstrip("/")}/edgebench"'
        )
    with open(marker, "w") as stream:
        stream.write(MARK)


def own_entries(root: str, kind: str) -> list[str]:
    """Return the names in one of the folders that edgebench gave, sorted."""
    folder = os.path.join(root, kind)
    names = os.listdir(folder) if os.path.isdir(folder) and not os.path.islink(folder) else []
    return sorted(name for name in names if NAMES[kind].match(name))


def remove_own(root: str) -> int:
    """Delete everything edgebench wrote below `root`, then the folders that are empty; count what is others'."""
    left = 0
    for kind in FOLDERS:
        folder = os.path.join(root, kind)
        for name in own_entries(root, kind):
            remove(os.path.join(folder, name))
        left += len(os.listdir(folder)) if os.path.isdir(folder) else 0
        _remove_empty(folder)
    left += len(set(os.listdir(root)) - {*FOLDERS, *FILES, *BESIDE})
    if not left:
        for name in FILES:
            remove(os.path.join(root, name))
    _remove_empty(root)
    return left


def remove(path: str) -> None:
    """Delete a file or a folder, if there is one."""
    if os.path.isdir(path) and not os.path.islink(path):
        import shutil  # takes long to import on a small device, and most connections remove nothing

        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _known(root: str, name: str) -> bool:
    """Whether an entry of an unmarked folder is what an earlier edgebench made: nothing else may be in it."""
    if name in FILES or name in BESIDE:
        return True
    path = os.path.join(root, name)
    return name in FOLDERS and os.path.isdir(path) and len(own_entries(root, name)) == len(os.listdir(path))


def _remove_empty(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:
        return  # something of the user's is in it
