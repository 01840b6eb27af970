"""Every chart of the page as SVG and PNG, for slides and papers, drawn without a browser."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import ImageFont

from edgebench.files import exists, scratch_folder, write_bytes
from edgebench.report.panels import Chart, file_names

try:
    import resvg_py
except ImportError:  # there is no wheel of it for every machine: then the drawings alone, and it is said
    DRAWS_PNG = False
else:
    DRAWS_PNG = True

ZOOM = 1.5
"""Pixels of a PNG for one of the page."""
LIST = "plots.txt"
"""Names what a report wrote here, so that the next one takes away its own old files and nobody else's."""


def write_plots(folder: Path, charts: Sequence[Chart]) -> None:
    """Write `<name>.svg` and, with `DRAWS_PNG`, `<name>.png` of every panel into `folder`; raises OSError."""
    names = []
    for name, content in _files(charts):
        write_bytes(folder / name, content)
        names.append(name)
    before = (folder / LIST).read_text(encoding="utf-8").splitlines() if exists(folder / LIST) else []
    for old in set(before) - set(names):
        if Path(old).name == old and old.endswith((".svg", ".png")):
            (folder / old).unlink(missing_ok=True)
    if names or before:
        write_bytes(folder / LIST, "".join(f"{name}\n" for name in names).encode())


def _files(charts: Sequence[Chart]) -> Iterator[tuple[str, bytes]]:
    with scratch_folder() as place:
        font = place / "font.ttf"
        font.write_bytes(_font())
        for name, drawing in file_names(charts):
            text = drawing.alone()
            yield f"{name}.svg", text.encode("utf-8", "replace")
            if not DRAWS_PNG:
                continue
            picture = resvg_py.svg_to_bytes(svg_string=text, zoom=ZOOM, font_files=[str(font)])
            yield f"{name}.png", bytes(picture)


def _font() -> bytes:
    """Return the font that Pillow brings (Aileron): a machine without any font would draw plots without words."""
    found = ImageFont.load_default(12)
    assert isinstance(found, ImageFont.FreeTypeFont)
    stream = found.path
    return stream.getvalue() if isinstance(stream, io.BytesIO) else Path(str(stream)).read_bytes()
