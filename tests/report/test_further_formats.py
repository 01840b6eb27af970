"""What is written beside the five files when it is asked for: Parquet, MLflow runs, a screen of Markdown."""

from __future__ import annotations

import dataclasses
import io
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result
from mlflow.tracking import MlflowClient

from edgebench.cli import cli
from edgebench.errors import EdgebenchError, MissingExtraError, UsageError
from edgebench.report.content import build_report
from edgebench.report.markdown import brief_text
from edgebench.report.mlflow import log_report, without_password
from edgebench.report.parquet import parquet_bytes
from edgebench.results.figures import COLUMNS, FIGURES
from tests.make import make_failed, make_result, make_study, write_results


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)])


def test_parquet_holds_what_the_csv_holds_with_types(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "results", make_study())
    done = report(folder, "--parquet", "--markdown", "--out", tmp_path)
    assert done.exit_code == 0 and "\n## What to ship\n" in done.output and "Variant  " not in done.output
    here = tmp_path / "report"
    table, csv = pd.read_parquet(here / "report.parquet"), pd.read_csv(here / "report.csv")
    assert tuple(table.columns) == COLUMNS
    for name, figure in FIGURES.items():
        if figure.number:
            pd.testing.assert_series_equal(table[name], csv[name], check_dtype=False)
        else:
            both = [column.astype(object).where(column.notna(), "").astype(str) for column in (table[name], csv[name])]
            assert (both[0] == both[1]).all(), name


def test_the_types_do_not_hang_on_what_was_measured() -> None:
    full, poor = (
        pyarrow.parquet.read_schema(io.BytesIO(parquet_bytes(build_report(results))))
        for results in (make_study(), [make_failed()])
    )
    assert full.equals(poor, check_metadata=True)
    assert (str(full.field("size_bytes").type), str(full.field("top1").type)) == ("int64", "double")
    assert full.field("latency_ms_median").metadata[b"unit"] == b"ms"


def test_mlflow_has_a_run_a_row_and_none_twice(tmp_path: Path) -> None:
    results = [make_result(), make_failed(), make_result(variant="tflite:int8", device="pi", emulated=True)]
    folder, store = write_results(tmp_path / "results", results[:2]), tmp_path / "store"
    done = report(folder, "--mlflow", store, "--out", tmp_path)
    assert done.exit_code == 0 and f"MLflow at {store}: 2 rows logged, 0 were there" in done.output
    write_results(tmp_path / "results", results)
    done = report(folder, "--mlflow", store, "--out", tmp_path)
    assert f"MLflow at {store}: 1 row logged, 2 were there" in done.output
    client = MlflowClient(tracking_uri=str(store))
    experiment = client.get_experiment_by_name("edgebench")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {
        "digits tflite:float32 on cpu", "digits onnx:int8 on cpu", "digits tflite:int8 on pi", "report",
    }  # fmt: skip
    rows = {f"{row.label} on {row.device}": row for row in build_report(results).rows}
    here, metrics = rows["digits tflite:float32 on cpu"], runs["digits tflite:float32 on cpu"].data.metrics
    for name in ("latency_ms_median", "latency_ms_low", "top1", "size_bytes", "top1_drop_high"):
        assert metrics[name] == getattr(here, name)
    assert 0.93 < metrics["top1_low"] < here.top1 < metrics["top1_high"] < 0.98
    assert runs["digits tflite:float32 on cpu"].data.params["precision"] == "float32"
    assert runs["digits onnx:int8 on cpu"].info.status == "FAILED"
    emulated = runs["digits tflite:int8 on pi"].data.metrics
    assert "latency_ms_median" not in emulated and "size_bytes" in emulated
    assert {item.path for item in client.list_artifacts(runs["report"].info.run_id)} >= {"report.csv", "report.html"}


def test_mlflow_takes_the_users_environment_and_refuses_what_is_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_results(tmp_path / "results", [make_result()])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    done = report(folder, "--out", tmp_path, "--mlflow")
    assert isinstance(done.exception, UsageError) and "set MLFLOW_TRACKING_URI" in str(done.exception)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path / "named"))
    assert report(folder, "--out", tmp_path, "--mlflow").exit_code == 0 and (tmp_path / "named").is_dir()
    found = build_report([make_result()])
    with pytest.raises(UsageError, match="give a tracking URI"):
        log_report(found, "ftp://somewhere", tmp_path)
    (tmp_path / "taken").write_text("")
    with pytest.raises(EdgebenchError, match="MLflow at"):
        log_report(found, str(tmp_path / "taken"), tmp_path)
    assert without_password("https://me:secret@host:5000/x") == "https://host:5000/x"


@pytest.mark.parametrize("extra", ["parquet", "mlflow"])
def test_without_the_extra_nothing_is_read_and_the_command_is_named(
    extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, f"edgebench.report.{extra}", raising=False)
    monkeypatch.setitem(sys.modules, {"parquet": "pyarrow", "mlflow": "mlflow.entities"}[extra], None)
    done = report(tmp_path / "nowhere", f"--{extra}" + ("=somewhere" if extra == "mlflow" else ""))
    assert isinstance(done.exception, MissingExtraError) and f".[{extra}]" in str(done.exception)


def test_markdown_for_a_pull_request_fits_a_screen() -> None:
    many = [dataclasses.replace(one, artifact=dataclasses.replace(one.artifact, model=f"model{number}"))
            for number in range(40) for one in (make_result(), make_failed())]  # fmt: skip
    text = brief_text(build_report(many))
    before, _, folded = text.partition("<details>")
    assert len(before.splitlines()) <= 30 and "more lines in report.md" in before
    assert "**Ship tflite:float32: " in before and "40 measured, 40 failed" in folded
    assert folded.count("| model") == 40 and folded.count("crashed") == 40
