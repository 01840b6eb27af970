"""report.parquet: the rows of report.csv with a type for every column, the same whatever was measured."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet

from edgebench import __version__
from edgebench.report.content import Report
from edgebench.results.figure import Figure, Unit
from edgebench.results.figures import FIGURES
from edgebench.results.rows import values


def parquet_bytes(report: Report) -> bytes:
    """Return the file: texts, 64-bit numbers and flags; null where not measured. Units are in the columns' metadata."""
    table = pa.Table.from_pylist([values(row) for row in report.rows], schema=_schema())
    stream = io.BytesIO()
    pyarrow.parquet.write_table(table, stream, compression="zstd")
    return stream.getvalue()


def _schema() -> pa.Schema:
    fields = [
        pa.field(one.name, _type(one), metadata={"unit": one.unit.value, "description": one.description})
        for one in FIGURES.values()
    ]
    return pa.schema(fields, metadata={"edgebench": __version__})


def _type(figure: Figure) -> pa.DataType:
    if figure.unit is Unit.TEXT:
        return pa.string()
    if figure.unit is Unit.FLAG:
        return pa.bool_()
    return pa.int64() if figure.integer else pa.float64()
