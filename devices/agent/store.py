"""The one folder on a device: objects by sha256, unpacked packages, and what each runtime's import path is.

.edgebench-store             the marker: this folder is edgebench's own
objects/<sha256>/<name>      artifacts, evaluation sets, the runner
objects/<sha256>.<session>.lent/  what one session was lent and gives back: perturbed images, one severity at a time
packages/<sha256>/           unpacked wheels, each its own import folder
environments/<runtime>.json  which packages a runtime needs, and its version
incoming/<sha256>.<session>  uploads that are not whole yet; an interrupted one goes on where it stopped
jobs/<id>/ lock reserved     see jobs.py and reservation.py

Nothing is removed whose name edgebench would not have given it, and nothing because of its age: a device's clock steps.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
from typing import Any

from .owned import FOLDERS, claim, expand, own_entries, remove, remove_own

HEX = re.compile(r"[0-9a-f]{64}\Z")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}\Z")
SESSION = re.compile(r"[0-9a-f]{12}\Z")
MOST_INCOMING = 16  # unfinished uploads that nobody writes to; the oldest go first
LENT = "lent"
KINDS = ("objects", "packages", LENT)


class Store:
    """Paths below `root`, which is made on first use. Raises OSError or ValueError where it cannot be a store."""

    def __init__(self, root: str, session: str = "") -> None:
        self.root = expand(root)
        self._session = session if SESSION.match(session) else "0" * 12
        self._held: dict[str, int] = {}  # uploads this agent writes to, each locked
        claim(self.root)
        for name in FOLDERS:
            os.makedirs(os.path.join(self.root, name), mode=0o700, exist_ok=True)
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), self.root)

    def path(self, *names: str) -> str:
        """Join names below the root; every one must be a plain name."""
        for name in names:
            if not isinstance(name, str) or not NAME.match(name):
                raise ValueError(f"not a name for the store: {name!r}")
        return os.path.join(self.root, *names)

    def stat(self, kind: str, sha256: str, content: str, name: str) -> dict[str, object]:
        """Say whether an object is there, and how many bytes of its `content` upload have arrived."""
        path, holder = self._place(kind, sha256, name), self._place(kind, sha256, "")
        if name and os.path.isdir(holder) and not os.path.lexists(path):
            there = os.listdir(holder)
            if there:
                os.symlink(there[0], path)  # the same content came under another name before
        incoming = self._incoming(content)
        partial = os.path.getsize(incoming) if os.path.exists(incoming) else 0
        return {"path": path, "present": os.path.exists(path), "partial": partial}

    def write(self, content: str, offset: int, body: bytes) -> dict[str, object]:
        """Append one piece of an upload at `offset`; a full disk leaves nothing behind."""
        path = self._incoming(content)
        if not offset:
            self._drop_abandoned()
        try:
            with open(path, "ab" if offset else "wb") as stream:
                if stream.tell() != offset:
                    raise ValueError(f"expected a piece at {stream.tell()}, got one at {offset}")
                self._hold(content, path)
                stream.write(body)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT) and os.path.exists(path):
                os.unlink(path)
                self._release(content)  # an open file keeps its space
            raise
        return {"size": offset + len(body)}

    def commit(self, kind: str, sha256: str, content: str, name: str, unpack: bool) -> dict[str, object]:
        """Verify a whole upload and move it (or what it unpacks to) to its place in one step."""
        if kind == LENT and (unpack or not name):
            raise ValueError("only a file can be lent")
        incoming, place = self._incoming(content), self._place(kind, sha256, name)
        if _sha256(incoming) != content:
            os.unlink(incoming)
            raise ValueError("what arrived does not have the hash it should have; it was deleted")
        holder = self._place(kind, sha256, "")
        temporary = f"{holder}.{self._session}" if kind != LENT else holder  # its own: no other host can be first
        remove(temporary)
        target = os.path.join(temporary, name) if name else temporary
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if unpack:
                _unpack(incoming, target)
            else:
                _sync(incoming)
                os.replace(incoming, target)
            _arrive(temporary, holder)
        finally:
            if temporary != holder:
                remove(temporary)
            remove(incoming)
            self._release(content)
        return self.stat(kind, sha256, content, name) if name else {"path": place}

    def give_back(self, sha256: str = "") -> dict[str, object]:
        """Delete one object that this session was lent, or all of them; no other session's, and nothing it was sent."""
        wanted = self._place(LENT, sha256, "") if sha256 else ""
        own = [name for name in own_entries(self.root, "objects") if name.endswith(f".{self._session}.{LENT}")]
        gone = [path for path in (self.path("objects", name) for name in own) if path == (wanted or path)]
        for path in gone:
            remove(path)
        return {"removed": len(gone)}

    def set_environment(self, runtime: str, value: dict[str, object]) -> dict[str, object]:
        """Remember which packages `runtime` needs: {"version", "packages": [sha256, ..], ..}; drop what none needs."""
        path = self.path("environments", runtime + ".json")
        if value:
            with open(path + ".new", "w") as stream:
                json.dump(value, stream)
            os.replace(path + ".new", path)
        else:
            remove(path)
        needed = {sha256 for there in self.environments().values() for sha256 in there["packages"]}
        for sha256 in own_entries(self.root, "packages"):
            if sha256 not in needed:
                remove(self.path("packages", sha256))
        return {}

    def environments(self) -> dict[str, Any]:
        """Return the runtimes whose packages are all here."""
        found = {}
        for file in own_entries(self.root, "environments"):
            try:
                with open(os.path.join(self.root, "environments", file)) as stream:
                    value = json.load(stream)
                paths = [self._place("packages", sha256, "") for sha256 in value["packages"]]
            except (OSError, ValueError, KeyError, TypeError):
                continue  # cut short by a power cut: it will be carried over again
            if all(os.path.isdir(path) for path in paths):
                found[file[:-5]] = {**value, "paths": paths}
        return found

    def usage(self) -> dict[str, object]:
        """Bytes and number of files of what edgebench keeps here."""
        places = [os.path.join(self.root, kind, name) for kind in FOLDERS for name in own_entries(self.root, kind)]
        sizes = [os.lstat(path).st_size for path in places if not os.path.isdir(path)]
        for place in places:
            for folder, _, files in os.walk(place):
                sizes += [os.lstat(os.path.join(folder, file)).st_size for file in files]
        return {"root": self.root, "size": sum(sizes), "files": len(sizes)}

    def remove_all(self) -> dict[str, object]:
        """Delete what edgebench has written, and the folder where nothing else is in it; `left` counts the rest."""
        answer = self.usage()
        return {**answer, "left": remove_own(self.root)}

    def _place(self, kind: str, sha256: str, name: str) -> str:
        if kind not in KINDS or not HEX.match(sha256):
            raise ValueError(f"not an object: {kind!r} {sha256!r}")
        folder, entry = ("objects", f"{sha256}.{self._session}.{LENT}") if kind == LENT else (kind, sha256)
        return self.path(folder, entry, *([name] if name else []))

    def _incoming(self, content: str) -> str:
        if not HEX.match(content):
            raise ValueError(f"not a sha256: {content!r}")
        return self.path("incoming", f"{content}.{self._session}")

    def _hold(self, content: str, path: str) -> None:
        """Lock an upload while this agent lives, so that no other takes it for abandoned."""
        if content not in self._held:
            handle = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                os.close(handle)
                return
            self._held[content] = handle

    def _release(self, content: str) -> None:
        handle = self._held.pop(content, None)
        if handle is not None:
            os.close(handle)

    def _drop_abandoned(self) -> None:
        """Delete the oldest unfinished uploads beyond a number, but none that an agent holds."""
        paths = [os.path.join(self.root, "incoming", name) for name in own_entries(self.root, "incoming")]
        for path in sorted(paths, key=os.path.getmtime)[:-MOST_INCOMING]:
            with open(path, "rb") as stream:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    continue
                os.unlink(path)


def _arrive(temporary: str, holder: str) -> None:
    """Rename to the final place; where another host was first, its copy is as good."""
    try:
        os.rename(temporary, holder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not os.path.isdir(holder):
            raise


def _unpack(archive: str, target: str) -> None:
    import zipfile  # takes long to import on a small device, and most connections unpack nothing

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
