"""Why an integer artifact is slower here than its float32 sibling, in words, from what this device's own runs say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edgebench.records import Result, Scalar
from edgebench.results.conditions import environment
from edgebench.results.figures import Row
from edgebench.results.findings import baseline
from edgebench.units import milliseconds, percent
from edgebench.variants import PRECISIONS

DOT_PRODUCTS = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
"""Names in /proc/cpuinfo of instructions that add products of 8 bits at once (VNNI and AMX on x86, dotprod on ARM)."""
CONVERSIONS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QUANTIZE", "DEQUANTIZE")
SHORT_MS = 0.2


def slower_cells(rows: Sequence[Row]) -> Iterator[str]:
    """Yield one paragraph for every integer row that is certainly slower than float32; emulated times mean nothing."""
    return (paragraph for _, paragraph in why_slower_of(rows))


def why_slower_of(rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
    """Yield the same with the `id` of its row."""
    for row in rows:
        base = baseline(rows, row)
        if base is None or row.emulated or row.precision not in PRECISIONS or not PRECISIONS[row.precision].integers:
            continue
        if (
            row.latency_ms_low is not None
            and base.latency_ms_high is not None
            and row.latency_ms_low > base.latency_ms_high
        ):
            yield id(row), why_slower(row, base)


def why_slower(row: Row, base: Row) -> str:
    """Return the paragraph of one row; what nothing measured supports is not said."""
    assert row.latency_ms_median is not None and base.latency_ms_median is not None
    times = row.latency_ms_median / base.latency_ms_median
    reasons = [*_of_precision(row), *_of_graph(row, base), *_of_operators(row.of.result), *_of_processor(row.of.result)]
    if base.latency_ms_median < SHORT_MS:
        reasons.append(
            f"at {milliseconds(base.latency_ms_median)} an inference the fixed cost of every operator weighs more than "
            "its arithmetic"
        )
    why = (
        "; ".join(reasons)
        or "nothing measured here says why: `edgebench profile --operators` shows where the time goes"
    )
    return (
        f"{row.label} on {row.device} takes {milliseconds(row.latency_ms_median)} where float32 takes "
        f"{milliseconds(base.latency_ms_median)}, {times:.1f} times as long: {why}. On another processor the order may "
        "be the reverse."
    )


def _of_precision(row: Row) -> Iterator[str]:
    if row.format == "tflite" and row.precision == "int16x8":
        yield "LiteRT has only its plain kernels for int16 activations"
    if row.precision == "dynamic":
        yield "dynamic quantises its activations anew at every inference"


def _of_graph(row: Row, base: Row) -> Iterator[str]:
    own, other = environment(row.of.result), environment(base.of.result)
    parts, before = own.get("xnnpack_partitions"), other.get("xnnpack_partitions")
    if isinstance(parts, int) and isinstance(before, int) and parts > before:
        left = str(own.get("operators_off_xnnpack") or "")
        off = f", and left {left} to the plain kernels" if left and left != "none" else ""
        yield f"the fast kernels (XNNPACK) took the graph in {parts} pieces where they took float32 in {before}{off}"


def _of_operators(result: Result) -> Iterator[str]:
    found = next((run.operators for run in result.runs if run.operators), ())
    total = sum(operator.time_ns for operator in found)
    converting = sum(operator.time_ns for operator in found if operator.kind in CONVERSIONS)
    if total and converting:
        yield f"{percent(converting / total)} of its time goes into conversions between integers and float"


def _of_processor(result: Result) -> Iterator[str]:
    features: Mapping[str, Scalar] = environment(result)
    if "cpu_features" not in features:
        return
    there = [name for name in str(features["cpu_features"]).split() if name in DOT_PRODUCTS]
    if there:
        yield f"the processor adds 8-bit products at once ({', '.join(there)}), so it is not for want of that"
    else:
        yield (
            "the processor has no instruction that adds 8-bit products at once (VNNI on x86, dotprod or i8mm on ARM), "
            "so integers are widened first"
        )
