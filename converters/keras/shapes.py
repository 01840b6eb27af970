"""What shapes and messages say: an image, a number of classes, the one line of a framework's error."""

from __future__ import annotations

from edgebench.errors import UsageError


def first_line(error: BaseException) -> str:
    """Return the first line of a framework's message, shortened: the rest is its stack."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


def image_shape(shape: tuple[int | None, ...], name: str, size: str) -> tuple[int, int, int]:
    """Return (height, width, channels) of an input; `size` (HxW) fills what it leaves open. May raise UsageError."""
    if len(shape) == 3 and all(edge is not None and edge > 3 for edge in shape[1:]):
        shape = (*shape, 1)  # (28, 28): grey images that go without a dimension for it
    if len(shape) != 4:
        raise UsageError(f"{name} takes input of shape {shape}; an image classifier takes (batch, height, width, 3)")
    _, height, width, channels = shape
    if channels not in (1, 3):
        first = " (channels first? edgebench converts channels-last Keras models)" if shape[1] in (1, 3) else ""
        raise UsageError(f"{name} takes {channels} channels{first}; edgebench reads images of 1 or 3")
    wanted = tuple(int(edge) for edge in size.split("x")) if size else ()
    if height is None or width is None:
        if not wanted:
            raise UsageError(f"{name} takes images of any size: say which with --input-size, for example 224x224")
    elif wanted and wanted != (height, width):
        raise UsageError(f"{name} takes {height}x{width} images only, not --input-size {size}")
    else:
        wanted = (height, width)
    return (*wanted, channels)  # type: ignore[return-value]  # two numbers by the checks above


def classes(shape: tuple[int | None, ...], name: str) -> int:
    """Return the number of classes of an output shape. Raises UsageError where it is not (batch, classes)."""
    if len(shape) != 2 or shape[1] is None:
        raise UsageError(f"{name} gives output of shape {shape}; a classifier gives (batch, classes)")
    return int(shape[1])
