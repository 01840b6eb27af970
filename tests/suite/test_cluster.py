"""`--scheduler`: conversions, references and cells on workers; one of two is killed and the other takes its tasks."""

import json

import pytest

from tests.suite.clusters import local_cluster
from tests.suite.studies import SUITE, Study, again, make_study
from tests.waiting import wait_for

FAR = SUITE.replace('"cpu"', '"workers"')
CONVERSIONS = SUITE.partition("[profile]")[0]


@pytest.fixture
def cluster(linear_site, tmp_path):
    with local_cluster(tmp_path / "cluster", Study(tmp_path, linear_site)) as one:
        yield one


def test_a_worker_that_is_killed_costs_nothing_that_another_does_not_do(cluster, linear_site, tmp_path, photos):
    study = make_study(tmp_path / "s", linear_site, photos, suite=CONVERSIONS)
    first = cluster.start("one")
    process = study.start("--scheduler", cluster.address)
    wait_for(lambda: study.lines("converted"), lambda: process.poll() is None)
    cluster.start("two")
    first.kill()
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stdout + stderr
    assert "4 artifacts: 4 ok, 0 failed, 0 missing" in stdout
    assert not again(study)
    sources = [json.loads(path.read_text())["source"]["spec"] for path in study.out.rglob("*.lin.json")]
    assert {source.rpartition("/")[0] for source in sources} == {str(study.folder.resolve() / "models")}


def test_a_worker_that_measures_is_a_device(cluster, tmp_path, linear_site, photos):
    study = make_study(tmp_path / "s", linear_site, photos, models=1, suite=FAR)
    worker = cluster.start("pi five", "--resources", "measure=1")
    done = study.run("--scheduler", cluster.address)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 cells: 2 ok" in done.stdout
    rows = study.table()
    assert sorted(row["device"] for row in rows) == ["pi five", "pi five"]
    assert not (study.out / "results/pi five/runs").exists()
    worker.kill()
    worker.wait()
    without = study.run()
    assert without.returncode == 2 and "needs a cluster" in without.stderr


def test_a_scheduler_that_is_not_there_is_one_line(tmp_path, linear_site, photos, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    study = make_study(tmp_path / "s", linear_site, photos, models=1)
    for address, words in (("tcp://127.0.0.1:1", "no Dask scheduler answers"), ("farm", "no address such as tcp://")):
        done = study.run("--scheduler", address)
        assert done.returncode in (1, 2) and words in done.stderr and len(done.stderr.splitlines()) == 1
    assert not study.out.exists()
