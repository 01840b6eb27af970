"""The one folder on a device: objects by sha256, unpacked packages, and what each runtime's import path is.

objects/<sha256>/<name>      artifacts, evaluation sets, the runner
packages/<sha256>/           unpacked wheels, each its own import folder
environments/<runtime>.json  which packages a runtime needs, and its version
incoming/<sha256>            uploads that are not whole yet; an interrupted one goes on where it stopped
jobs/<id>/ lock              see jobs.py
"""

from __future__ import annotations

import errno
import json
import os
import re
import time
from typing import Any

HEX = re.compile(r"[0-9a-f]{64}\Z")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}\Z")
STALE_SECONDS = 3 * 24 * 3600
KINDS = ("objects", "packages")


class Store:
    """Paths below `root`, which is made on first use."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(os.path.expanduser(root))
        for name in ("objects", "packages", "environments", "incoming", "jobs"):
            os.makedirs(os.path.join(self.root, name), mode=0o700, exist_ok=True)
        self._drop_stale()

    def path(self, *names: str) -> str:
        """Join names below the root; every one must be a plain name."""
        for name in names:
            if not NAME.match(name):
                raise ValueError(f"not a name for the store: {name!r}")
        return os.path.join(self.root, *names)

    def stat(self, kind: str, sha256: str, content: str, name: str) -> dict[str, Any]:
        """Say whether an object is there, and how many bytes of its `content` upload have arrived."""
        path, holder = self._place(kind, sha256, name), self._place(kind, sha256, "")
        if name and os.path.isdir(holder) and not os.path.exists(path):
            os.symlink(os.listdir(holder)[0], path)  # the same content came under another name before
        incoming = self._incoming(content)
        partial = os.path.getsize(incoming) if os.path.exists(incoming) else 0
        return {"path": path, "present": os.path.exists(path), "partial": partial}

    def write(self, content: str, offset: int, body: bytes) -> dict[str, Any]:
        """Append one piece of an upload at `offset`; a full disk leaves nothing behind."""
        path = self._incoming(content)
        try:
            with open(path, "ab" if offset else "wb") as stream:
                if stream.tell() != offset:
                    raise ValueError(f"expected a piece at {stream.tell()}, got one at {offset}")
                stream.write(body)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT) and os.path.exists(path):
                os.unlink(path)
            raise
        return {"size": offset + len(body)}

    def commit(self, kind: str, sha256: str, content: str, name: str, unpack: bool) -> dict[str, Any]:
        """Verify a whole upload and move it (or what it unpacks to) to its place in one step."""
        incoming, place = self._incoming(content), self._place(kind, sha256, name)
        if _sha256(incoming) != content:
            os.unlink(incoming)
            raise ValueError("what arrived does not have the hash it should have; it was deleted")
        holder = self._place(kind, sha256, "")
        temporary = holder + ".new"
        remove(temporary)
        target = os.path.join(temporary, name) if name else temporary
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if unpack:
                _unpack(incoming, target)
            else:
                _sync(incoming)
                os.replace(incoming, target)
            os.rename(temporary, holder)
        finally:
            remove(temporary)
            if os.path.exists(incoming):
                os.unlink(incoming)
        return {"path": place}

    def set_environment(self, runtime: str, value: dict[str, Any]) -> dict[str, Any]:
        """Remember which packages `runtime` needs: {"version", "packages": [sha256, ..], ..}; drop what none needs."""
        path = self.path("environments", runtime + ".json")
        with open(path + ".new", "w") as stream:
            json.dump(value, stream)
        os.replace(path + ".new", path)
        needed = {sha256 for there in self.environments().values() for sha256 in there["packages"]}
        for sha256 in set(os.listdir(self.path("packages"))) - needed:
            remove(self.path("packages", sha256))
        return {}

    def environments(self) -> dict[str, Any]:
        """Return the runtimes whose packages are all here."""
        found = {}
        for file in sorted(os.listdir(self.path("environments"))):
            if not file.endswith(".json"):
                continue
            with open(os.path.join(self.root, "environments", file)) as stream:
                value = json.load(stream)
            paths = [self._place("packages", sha256, "") for sha256 in value["packages"]]
            if all(os.path.isdir(path) for path in paths):
                found[file[:-5]] = {**value, "paths": paths}
        return found

    def usage(self) -> dict[str, Any]:
        """Bytes and number of files under the root."""
        sizes = [
            os.lstat(os.path.join(folder, file)).st_size for folder, _, files in os.walk(self.root) for file in files
        ]
        return {"root": self.root, "size": sum(sizes), "files": len(sizes)}

    def remove_all(self) -> dict[str, Any]:
        """Delete the whole folder."""
        answer = self.usage()
        remove(self.root)
        return answer

    def _place(self, kind: str, sha256: str, name: str) -> str:
        if kind not in KINDS or not HEX.match(sha256):
            raise ValueError(f"not an object: {kind!r} {sha256!r}")
        return self.path(kind, sha256, *([name] if name else []))

    def _incoming(self, content: str) -> str:
        if not HEX.match(content):
            raise ValueError(f"not a sha256: {content!r}")
        return self.path("incoming", content)

    def _drop_stale(self) -> None:
        for kind in ("incoming", "jobs"):
            folder = os.path.join(self.root, kind)
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                if os.path.getmtime(path) < time.time() - STALE_SECONDS:
                    remove(path)


def remove(path: str) -> None:
    """Delete a file or a folder, if there is one."""
    if os.path.isdir(path) and not os.path.islink(path):
        import shutil  # takes long to import on a small device, and most connections remove nothing

        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _unpack(archive: str, target: str) -> None:
    import zipfile  # as above

    try:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(target)
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from error


def _sha256(path: str) -> str:
    import hashlib  # as above

    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
