"""`edgebench run`: a whole study, found finished again, redone where something changed and nowhere else."""

import json
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from tests.suite.studies import QUICK, SUITE, make_study, write_model
from tests.test_boundaries import FRAMEWORKS


@pytest.fixture
def study(finished, tmp_path):
    """A copy of it to change."""
    study, _ = finished
    shutil.copytree(study.folder, tmp_path / "s")
    return type(study)(tmp_path / "s", study.site)


def test_every_cell_is_there(finished):
    study, done = finished
    assert done.returncode == 0, done.stdout + done.stderr
    assert "suite: 4 cells: 4 ok, 0 failed, 0 missing" in done.stdout
    assert [len(study.lines(kind)) for kind in ("trained", "converted", "measured", "reported")] == [0, 4, 4, 1]
    assert len(study.table()) == 4 and (study.out / "report/report.html").exists()
    assert not list((study.out / "results").glob("*/runs"))


def test_a_finished_suite_is_found_finished_without_any_framework(finished):
    study, _ = finished
    lines, report = study.lines(), (study.out / "report/report.html").stat().st_mtime_ns
    code = (
        "import sys\nfrom edgebench.cli import cli\ncode = cli.main(['run', 'suite.toml'], standalone_mode=False)\n"
        f"print('LOADED', code, sorted({FRAMEWORKS!r} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=study.folder, env=study.environment, capture_output=True, text=True)
    assert "4 cells: 4 ok" in done.stdout and "LOADED 0 []" in done.stdout, done.stdout + done.stderr
    assert study.lines() == lines and (study.out / "report/report.html").stat().st_mtime_ns == report


def test_a_dry_run_counts_and_writes_nothing(finished, tmp_path, photos):
    study, _ = finished
    said = study.run("--dry-run").stdout
    assert "2 models, up to 2 variants, 1 device (cpu)" in said
    assert "4 artifacts: 4 finished, 0 to do" in said and "4 cells: 4 finished, 0 to do" in said
    fresh = make_study(tmp_path / "s", study.site, photos)
    assert "4 cells: 0 finished, 4 to do; how long is not known" in fresh.run("--dry-run").stdout
    assert not fresh.out.exists()


def test_a_dry_run_knows_how_long_like_cells_took(study, photos):
    write_model(study.folder / "models/net2.linear.json", photos, seed=2)
    said = study.run("--dry-run").stdout
    assert "6 artifacts: 4 finished, 2 to do; about " in said and "6 cells: 4 finished, 2 to do; about " in said
    left = {one["kind"]: one for one in json.loads(study.run("--dry-run", "--json").stdout)}
    seconds = [line["seconds"] for line in study.lines("measured")]
    assert left["measured"]["seconds"] == pytest.approx(2 * sum(seconds) / 4, rel=0.5)
    assert left["measured"]["unknown"] == 0


def test_a_changed_model_redoes_its_own_cells(study, photos):
    write_model(study.folder / "models/net1.linear.json", photos, seed=9)
    before = study.lines()
    assert study.run().returncode == 0
    added = study.lines()[len(before) :]
    assert {line["place"].split("/")[1] for line in added if line["kind"] == "converted"} == {"net1.linear.json"}
    measured = [line["place"].split("/")[-1] for line in added if line["kind"] == "measured"]
    assert len(measured) == 2 and all(name.startswith("net1") for name in measured)


def test_a_changed_image_redoes_the_cells_and_no_conversion(study):
    Image.new("L", (8, 8), 90).save(next((study.folder / "photos/test").glob("*/0.png")))
    before = study.lines()
    assert study.run().returncode == 0
    assert [line["kind"] for line in study.lines()[len(before) :]] == ["measured"] * 4 + ["reported"]


def test_what_only_looks_changed_is_left_alone(study):
    """Other times, another folder, a removed cache of hashes, a torn last line: the content is the same."""
    for path in study.folder.rglob("*.png"):
        path.touch()
    (study.out / "cache/hashes.json").write_text("{ torn")
    moved = type(study)(study.folder.rename(study.folder.with_name("elsewhere")), study.site)
    with (moved.out / "suites/suite.jsonl").open("a") as stream:
        stream.write('{"kind": "measured", "place": "resu')
    done = moved.run()
    assert (
        "8 cells, 8 are there already" not in done.stderr and "4 cells to measure, 4 are there already" in done.stderr
    )
    assert done.returncode == 0


def test_a_removed_result_is_measured_again_and_written_after_a_torn_line(study):
    next((study.out / "results/cpu").glob("net0*.json")).unlink()
    with (study.out / "suites/suite.jsonl").open("a") as stream:
        stream.write('{"kind": "measured", "place": "resu')
    assert "4 cells to measure, 3 are there already" in study.run().stderr
    assert "4 cells to measure, 4 are there already" in study.run().stderr


def test_only_and_excluded_cells(tmp_path, linear_site, photos):
    out = '[[exclude]]\nmodel = "net1*"\ndevice = "lab"\n[[exclude]]\nvariant = "*:float16"\ndevice = ["l*"]\n'
    study = make_study(tmp_path / "s", linear_site, photos, suite=SUITE.replace('"cpu"', '["cpu", "lab"]') + out)
    assert "5 cells: 0 finished" in study.run("--dry-run").stdout
    wrong = study.run("--only", "net7/*")
    assert wrong.returncode == 2 and "no cell is called so" in wrong.stderr
    done = study.run("--only", "*/lab")
    assert done.returncode == 0 and "1 cell: 1 ok" in done.stdout
    assert [line["place"] for line in study.lines("converted")] == [
        "artifacts/net0.linear.json/net0.linear.json-float32.lin"
    ]


def test_a_model_and_a_device_that_are_no_good_cost_their_own_cells(tmp_path, linear_site, photos):
    study = make_study(
        tmp_path / "s", linear_site, photos, suite=SUITE.replace('"cpu"', '["cpu", "ssh://nobody@127.0.0.1:1"]')
    )
    (study.folder / "models/net1.linear.json").write_text("{}")
    done = study.run()
    assert done.returncode == 1 and "8 cells: 2 ok, 0 failed, 6 missing" in done.stdout
    assert "net1.linear.json/lin:float32/cpu: missing: " in done.stdout and "127.0.0.1" in done.stdout
    made = json.loads(study.run("--json").stdout)
    assert made["counts"] == {"missing": 6, "ok": 2} and not made["complete"]
    assert [cell["status"] for cell in made["cells"] if cell["model"] == "net1.linear.json"] == ["missing"] * 4


def test_lists_make_every_combination(tmp_path, linear_site, photos):
    ways = "threads = [1, 2]\nbatch = [1, 2]\n"
    text = SUITE.replace(QUICK, f"{QUICK}{ways}")
    study = make_study(tmp_path / "s", linear_site, photos, models=1, suite=text)
    assert "8 cells: 0 finished" in study.run("--dry-run").stdout
    done = study.run("--only", "*/lin:float32/cpu/threads=?*batch=2")
    assert "2 cells: 2 ok" in done.stdout, done.stdout + done.stderr
    found = [json.loads(path.read_text())["settings"] for path in (study.out / "results/cpu").glob("*.json")]
    assert sorted((one["threads"], one["batch"]) for one in found) == [(1, 2), (2, 2)]


def test_two_at_once_are_refused(study):
    lock = study.out / "suites/suite.lock"
    hold = f"import fcntl, sys\nf = open({str(lock)!r}, 'a')\nfcntl.flock(f, fcntl.LOCK_EX)\n"
    code = f"{hold}print(1, flush=True)\nsys.stdin.read()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout.readline()
        done = study.run()
        holder.stdin.close()
    assert done.returncode == 2 and "another `edgebench run` is at work" in done.stderr


def test_what_failed_is_left_alone_until_it_is_to_be_tried_again(tmp_path, linear_site, photos):
    study = make_study(tmp_path / "s", linear_site, photos, models=1)
    model = study.folder / "models/net0.linear.json"
    model.write_text(json.dumps({**json.loads(model.read_text()), "bias": [float("nan")] * 10}))
    done = study.run()
    assert done.returncode == 1 and "2 cells: 0 ok, 2 failed, 0 missing" in done.stdout
    assert {line["status"] for line in study.lines("measured")} != {"ok"}
    before = study.lines()
    assert study.run().returncode == 1 and study.lines() == before
    assert study.run("--retry-failed").returncode == 1
    added = [line["kind"] for line in study.lines()[len(before) :]]
    assert added == ["converted", "converted", "measured", "measured", "reported"]
    write_model(model, photos, seed=3)
    assert "2 cells: 2 ok" in study.run().stdout
