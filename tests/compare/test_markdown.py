"""`compare --markdown`: old, new and change, failed gates first, and no more than a screen."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from edgebench.cli import cli
from edgebench.cli.comparing import lines_of, print_comparison
from edgebench.compare.accuracy import drop_verdicts
from edgebench.compare.pairs import pair
from tests.make import make_accuracy, make_result, write_results


def compared(tmp_path: Path, old: list, new: list, *arguments: str) -> tuple[int, str]:
    places = [str(write_results(tmp_path / name, side)) for name, side in (("old", old), ("new", new))]
    done = CliRunner().invoke(cli, ["compare", *places, *arguments])
    return done.exit_code, done.output


def test_old_new_and_change(tmp_path: Path) -> None:
    before = [make_result(), make_result(variant="onnx:float32")]
    after = [
        make_result(latency_ms=1.0, artifact={"size_bytes": 156_000}, accuracy=make_accuracy(both=400, lost=80)),
        make_result(variant="onnx:float32"),
    ]
    code, text = compared(tmp_path, before, after, "--fail-if", "top1 < 0.9", "--markdown")
    lines = text.splitlines()
    assert code == 1 and lines[0].startswith("**1 of 2 gates failed** · 2 cells, 1 faster, 1 ")
    assert lines[2].startswith("- FAILED digits tflite:float32 on cpu (litert): fail if top1 &lt; 0.9: ")
    (row,) = [line for line in lines[: lines.index(next(x for x in lines if "details" in x))] if "litert" in line][1:]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == "2.01 ms → 1.01 ms" and cells[2].startswith("0.50")
    assert cells[3:6] == ["96.0% → 80.0%", "-16.0", "400 kB → 156 kB"]
    assert cells[6].startswith("faster") and " to " not in row


def test_accuracies_of_other_images_have_no_change(tmp_path: Path) -> None:
    (one,) = make_result().evaluations
    other = dataclasses.replace(one, data=dataclasses.replace(one.data, sha256="b" * 64))
    _, text = compared(
        tmp_path, [make_result()], [dataclasses.replace(make_result(), evaluations=(other,))], "--markdown"
    )
    assert "| 96.0% → 96.0% |  |" in text


def test_forty_cells_fit_a_screen(tmp_path: Path) -> None:
    names = [f"model{number}" for number in range(40)]
    before = [make_result(model) for model in names]
    after = [make_result(model, latency_ms=1.0 if number < 20 else 2.0) for number, model in enumerate(names)]
    _, text = compared(tmp_path, before, after, "--fail-if", "latency_ms_median < 1.5", "--markdown")
    before_fold = text.partition("<details>")[0]
    assert len(before_fold.splitlines()) <= 32 and "- and 8 more" in before_fold
    assert before_fold.count("| faster") == 12 and text.count("| faster") == 20 and "28 more cells" in text


def test_it_is_escaped(tmp_path: Path) -> None:
    hostile = "a|b](x)<script>"
    _, text = compared(tmp_path, [make_result(hostile)], [make_result(hostile)], "--markdown")
    assert "<script" not in text and "a\\|b\\](x)&lt;script\\>" in text


@pytest.mark.parametrize("width", [40, 80, 160])
def test_on_a_terminal_no_figure_of_it_is_cut(width: int) -> None:
    (cell,) = pair([make_result()], [make_result(latency_ms=1.0)])
    lines = lines_of([cell], drop_verdicts([cell]))
    console = Console(width=width, file=io.StringIO(), highlight=False)
    print_comparison([cell], lines, [], console)
    text = console.file.getvalue()
    assert lines[0].ratio in text and "faster" in text and "…" not in text
    shown = [figure in text for figure in ("2.012", "1.006", "96.0% → 96.0%")]
    assert all(shown) or ("not shown for want of room" in text and width == 80)
