"""The tables on a terminal: whatever its width, every figure that is shown is report.csv's, whole, and none is cut."""

import dataclasses
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from edgebench.inspection.layers.figures import Error, Range
from edgebench.inspection.layers.measure import Layer
from edgebench.records import Result, Settings
from edgebench.report import terminal
from edgebench.report.content import build_report
from edgebench.report.display import ALL
from edgebench.report.explanation import _worst
from edgebench.report.tables import frame
from edgebench.report.terminal import print_report, print_table
from tests.make import make_accuracy, make_failed, make_result, make_study, write_results

SCALES = {"µs": 0.001, "us": 0.001, "ms": 1.0, "s": 1000.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "mJ": 0.001}
FIELDS = {column.title: column.field for column in ALL}
SHOWN = {"size_bytes", "drift_verdict", "latency_ms_median"}  # at every width


def printed(results: list[Result], width: int) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    print_table(results, console)
    return console.file.getvalue()


def lines_of(text: str) -> list[dict[str, str]]:
    """Return what stands beside each variant by title, from tables and cards alike."""
    found: list[dict[str, str]] = []
    head: list[str] = []
    for line in text.splitlines():
        parts = re.split(r" {2,}", line.strip())
        if line.startswith("Variant"):
            head = parts
        elif re.match(r"\w+:\w+ {2,}", line) and head:
            assert len(parts) == len(head), line
            found.append(dict(zip(head, parts, strict=True)))
        elif re.fullmatch(r"(savedmodel|tflite|onnx):\w+", line):
            found.append({"Variant": line})
        elif found and line.startswith("  ") and parts[0].split()[0] in {title.split()[0] for title in FIELDS}:
            found[-1] |= dict([parts]) if len(parts) == 2 else {}
    return found


def check(text: str, table: pd.DataFrame) -> set[str]:
    """Hold every printed figure against report.csv and return the names of those that were there."""
    rows = [row for _, row in table.iterrows() if row["status"] == "ok"]
    lines = lines_of(text)
    assert sorted(line["Variant"] for line in lines) == sorted(row["variant"] for row in rows)
    order: dict[tuple[str, str], list[pd.Series]] = {}
    for row in sorted(rows, key=lambda row: bool(row["emulated"])):
        order.setdefault((row["device"], row["subject"]), []).append(row)
    names = set[str]()
    for line, row in zip(lines, [row for mine in order.values() for row in mine], strict=True):
        for title, cell in line.items():
            words = title.rsplit(" ", 1)
            name, scale = (words[0], SCALES[words[1]]) if words[-1] in SCALES else (title, 1.0)
            names |= {FIELDS[name]} if name in FIELDS else set()
            number = re.fullmatch(r"([+-]?\d+(?:\.\d+)?)%?~?\*?", cell)
            if number is None:
                assert cell in (row["variant"], "emulated", "no drop", "undecided", "real drop"), (title, cell)
                continue
            value = row[FIELDS[name]]
            expected = -100 * value if name == "Change" else 100 * value if cell.endswith("%") else value / scale
            places = len(number[1].partition(".")[2])
            assert abs(float(number[1]) - expected) <= max(0.51 * 10**-places, 0.0051 * abs(expected)), (title, cell)
    return names


@pytest.fixture(scope="module")
def study() -> list[Result]:
    return make_study()


@pytest.mark.parametrize("width", [40, 80, 100, 160])
def test_no_figure_is_cut_at_any_width(study: list[Result], width: int) -> None:
    text = printed(study, width)
    report = build_report(study)
    names = check(text, frame([row for group in report.groups for row in group.rows]))
    assert names >= SHOWN and "…" not in text
    if width != 40:
        assert max(map(len, text.splitlines())) <= width
    left_out = "not shown for want of room: Agrees" in " ".join(text.split())
    assert left_out == (width == 80)
    assert ({"agreement", "latency_ms_p90", "load_ms"} <= names) == (width in (40, 160))


def test_no_figure_is_cut_in_a_pipe_of_bytes(study: list[Result], tmp_path: Path) -> None:
    write_results(tmp_path / "edgebench-out", study)
    for encoding in ("utf-8", "ascii"):
        environment = {**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "40", "NO_COLOR": "1"}
        command = [sys.executable, "-m", "edgebench", "report", "edgebench-out"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, env=environment)
        assert (done.returncode, done.stderr) == (0, b"")
        table = pd.read_csv(tmp_path / "edgebench-out/report/report.csv")
        assert check(done.stdout.decode(encoding), table) >= SHOWN


def test_a_wide_spread_stands_in_one_unit() -> None:
    small = make_result(variant="tflite:int8", latency_ms=0.02, artifact={"size_bytes": 31_800})
    text = printed([make_result(latency_ms=200.0, artifact={"size_bytes": 94_000_000}), small], 100)
    assert "Latency ms" in text and "Size MB" in text
    check(text, frame(build_report([make_result(latency_ms=200.0, artifact={"size_bytes": 94_000_000}), small]).rows))


def test_the_verdict_stands_first_with_its_path() -> None:
    big = make_accuracy(images=5000, both=4900)
    small = make_result(
        variant="tflite:int8", latency_ms=1.0, artifact={"size_bytes": 156_000, "path": "out/x.tflite"}, accuracy=big
    )
    first, second, third = printed([make_result(accuracy=big), small], 160).strip().splitlines()[:3]
    assert first == "digits on cpu · 1 thread · Example Xeon @ 2.50GHz, 2 cores"
    assert second == "  Ship tflite:int8: 2.0x as fast as tflite:float32, 39% of the size, no drop above 1%."
    assert third.strip() == "out/x.tflite"


def test_batches_show_images_a_second() -> None:
    batch = make_result(latency_ms=4.0, settings=Settings(processes=3, batch=8))
    text = printed([make_result(), batch], 160)
    assert [line.get("Images/s") for line in lines_of(text)] == [None, f"{batch_rate(batch):.0f}"]


def test_batches_stand_side_by_side() -> None:
    results = [
        make_result(latency_ms=latency, settings=Settings(processes=3, batch=batch))
        for batch, latency in ((1, 2.0), (8, 4.0), (32, 16.0))
    ]
    (section,) = [one for one in build_report(results).sections if one.key == "throughput"]
    (table,) = section.tables
    rates = [batch_rate(result) for result in results]
    assert table.head == ("File", "Batch 1", "Batch 8", "Batch 32")
    assert table.lines == (("digits tflite:float32 on cpu", *(f"{rate:.0f}" for rate in rates)),)
    assert table.marked == {(0, 2), (0, 3)}  # 8 in 4 ms and 32 in 16 ms cannot be told apart
    assert section.brief[0].endswith("; most with 8 or 32")
    emulated = [dataclasses.replace(one, emulated=True) for one in results]
    assert not any(one.key == "throughput" for one in build_report([*emulated, make_result()]).sections)


def batch_rate(result: Result) -> float:
    (row,) = build_report([result]).rows
    assert row.images_per_second is not None
    return row.images_per_second


def test_a_short_run_has_no_first_minute() -> None:
    settings = Settings(processes=1, sustained_seconds=10.0)
    text = printed([make_result(settings=settings)], 160)
    assert "minute" not in text and "At first ms" in text and "At last ms" in text


def test_control_characters_do_not_reach_the_terminal() -> None:
    text = printed([make_result(), make_failed(reason="\x1b]0;owned\x07\x1b[2J", device="pi\x1b[31m")], 100)
    assert "\x1b" not in text and "\x07" not in text


@pytest.mark.parametrize(("unwanted", "coloured"), [("", True), ("1", False)])
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, study: list[Result], unwanted: str, coloured: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", unwanted)
    console = Console(width=100, file=io.StringIO(), force_terminal=True, highlight=False)
    print_report(build_report(study[:2]), console)
    assert bool(re.search(r"\x1b\[(1;)?3\dm", console.file.getvalue())) is coloured


def test_of_a_crowd_the_files_have_the_tables_and_each_list_its_first_lines(monkeypatch):
    monkeypatch.setattr(terminal, "MOST_ROWS", 26)
    failed = [make_failed(device=f"board-{n:02d}", reason="no power") for n in range(14)]
    text = printed([make_result(), *failed], 100)
    assert "15 rows" not in text and text.count("no power") == 14 and "\nVariant" in text
    text = printed([make_result(), *failed, *(make_result(device=f"pi-{n}") for n in range(12))], 100)
    assert "27 rows: report.html filters and searches them" in text and "\nVariant" not in text
    assert text.count("no power") == 12 and "and 2 more" in text


@pytest.mark.parametrize("width", [40, 80])
def test_layers_are_not_cut_either(width: int) -> None:
    lost = Error(22.5, 30.0, 0.99912)
    layer = Layer(7, "a/very/long/name", "CONV_2D", lost, lost, Range(0, 1, 1, 0, 1, 0.0123, 0, 1), quantised=True)
    text = "\n".join(line.plain for line in _worst([layer], width))
    assert all(figure in text for figure in ("7 CONV_2D", "22.5 dB", "0.9991", "1.2%")) and "…" not in text
    assert max(map(len, text.splitlines())) <= width
