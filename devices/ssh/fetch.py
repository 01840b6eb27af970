"""Brings the files of a finished job here, piece by piece, never more than they may honestly be."""

from __future__ import annotations

from pathlib import Path

from edgebench.devices.ssh.connection import Connection
from edgebench.errors import DeviceError

PIECE = 1 << 20  # what the agent sends at once, but for the last piece


def fetch_file(connection: Connection, name: str, identifier: str, file: str, limit: int, target: Path) -> bool:
    """Write one of a job's files to `target`, if there is one; False where it is larger than `limit`.

    Raises DeviceError for a device that never comes to the end of it.
    """
    offset = 0
    while True:
        answer, piece = connection.request("fetch", id=identifier, file=file, offset=offset, limit=PIECE)
        size = answer.get("size")
        if size == -1:
            return True
        if type(size) is not int or size > limit or offset + len(piece) > limit:
            return file == "stderr"  # a log may be cut short, a result may not
        with target.open("ab") as stream:
            stream.write(piece)
        offset += len(piece)
        if offset >= size or not piece:
            return True
        if len(piece) < PIECE:
            raise DeviceError(f"{name} sends {file} in pieces that no agent of edgebench's sends: {len(piece)} bytes")
