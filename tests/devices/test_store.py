"""The store on a device: a folder of edgebench's own, in which nothing of anybody else's is ever touched."""

import hashlib
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from edgebench.devices.agent import governor, jobs, owned, reservation, store
from edgebench.devices.agent.store import Store

HASH = "a" * 64


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def projects(tmp_path) -> Path:
    """A folder as a user has it, with names that edgebench uses too."""
    for name in ("jobs/2024-invoices/march.txt", "packages/mylib/code.py", "objects/chair.obj", "notes.txt"):
        path = tmp_path / "projects" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
        os.utime(path.parent, (0, 0))  # old by any clock
    return tmp_path / "projects"


def test_a_users_folder_is_no_store_and_is_left_as_it_is(projects):
    before = tree(projects)
    with pytest.raises(ValueError, match=r"holds what is not edgebench's .* store = \".*/projects/edgebench\""):
        Store(str(projects))
    assert tree(projects) == before


def test_a_folder_with_only_a_familiar_name_is_not_taken(tmp_path):
    (tmp_path / "jobs/2024-invoices").mkdir(parents=True)
    with pytest.raises(ValueError, match="not edgebench's"):
        Store(str(tmp_path))


def test_what_a_user_puts_into_the_store_survives_everything(tmp_path):
    root = tmp_path / "store"
    Store(str(root))
    for name in ("jobs/2024-invoices", "packages/mylib", "objects/chair", "incoming/letter"):
        (root / name).mkdir()
        (root / name / "mine").write_text("mine")
        os.utime(root / name, (0, 0))
    (root / "packages" / HASH).mkdir()
    again = Store(str(root))
    again.set_environment("litert", {"version": "1", "packages": []})
    jobs.Jobs(again, 0, "", "").forget("2024")
    assert len(list(root.rglob("mine"))) == 4 and not (root / "packages" / HASH).exists()
    assert again.remove_all()["left"] == 4
    assert len(list(root.rglob("mine"))) == 4


def test_clean_removes_all_that_is_ours_and_the_folder(tmp_path):
    root = tmp_path / "store"
    made = Store(str(root))
    (root / "objects" / HASH).mkdir()
    (root / "objects" / HASH / "model").write_text("x" * 10)
    assert made.usage() == {"root": str(root), "size": 10, "files": 1}
    assert made.remove_all() == {"root": str(root), "size": 10, "files": 1, "left": 0}
    assert not root.exists()


def test_a_store_of_an_earlier_edgebench_is_taken_and_its_hosts_wheels_are_kept(tmp_path):
    for name in owned.FOLDERS:
        (tmp_path / name).mkdir()
    (tmp_path / "objects" / HASH).mkdir()
    (tmp_path / "lock").write_text("")
    (tmp_path / "wheels").mkdir()
    made = Store(str(tmp_path))
    assert (tmp_path / owned.MARKER).exists()
    made.remove_all()
    assert [path.name for path in tmp_path.iterdir()] == ["wheels"]


@pytest.mark.parametrize(
    ("root", "place"),
    [("~/x", "x"), ("$HOME/x", "x"), ("${HOME}/x", "x"), ("x/y", "x/y"), ("~", ""), ("$HOME", "")],
)
def test_home_means_home(monkeypatch, tmp_path, root, place):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert owned.expand(root) == str(tmp_path / place)


@pytest.mark.parametrize("root", ["$WORK/x", "~nobody-of-this-name/x", "/a/$HOME/b", "x/~/y"])
def test_nothing_else_is_expanded_or_taken_literally(root):
    with pytest.raises(ValueError, match=r"only a leading ~ or \$HOME"):
        owned.expand(root)


def test_a_step_of_the_clock_removes_nothing(tmp_path):
    made = Store(str(tmp_path))
    job = tmp_path / "jobs" / f"{'b' * 12}-{'c' * 32}"
    job.mkdir()
    made.write(HASH, 0, b"half")
    for path in (job, *tmp_path.glob("incoming/*")):
        os.utime(path, (0, 0))  # as if decades had passed
    Store(str(tmp_path))
    assert job.exists() and made.stat("objects", HASH, HASH, "")["partial"] == 4


def test_only_uploads_that_nobody_holds_are_dropped(tmp_path):
    made = Store(str(tmp_path), "1" * 12)
    held = f"{0:064x}"
    made.write(held, 0, b"x")
    os.utime(tmp_path / "incoming" / f"{held}.{'1' * 12}", (0, 0))
    for number in range(1, store.MOST_INCOMING + 3):
        path = tmp_path / "incoming" / f"{number:064x}.{'2' * 12}"
        path.write_bytes(b"x")
        os.utime(path, (number, number))
    Store(str(tmp_path), "3" * 12).write(HASH, 0, b"new")
    kept = owned.own_entries(str(tmp_path), "incoming")
    assert f"{held}.{'1' * 12}" in kept and f"{1:064x}.{'2' * 12}" not in kept
    assert f"{store.MOST_INCOMING + 2:064x}.{'2' * 12}" in kept


def test_two_hosts_that_send_the_same_file_do_not_disturb_each_other(tmp_path):
    content = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of x
    one, other = Store(str(tmp_path), "1" * 12), Store(str(tmp_path), "2" * 12)
    for host in (one, other):
        assert host.stat("objects", content, content, "model")["partial"] == 0
        host.write(content, 0, b"x")
    first = one.commit("objects", content, content, "model", unpack=False)
    assert other.commit("objects", content, content, "twin", unpack=False)["present"]
    assert Path(first["path"]).read_bytes() == b"x" and not list((tmp_path / "incoming").iterdir())


def test_what_a_session_was_lent_is_all_that_it_gives_back(tmp_path):
    content = hashlib.sha256(b"x").hexdigest()
    one, other = Store(str(tmp_path), "1" * 12), Store(str(tmp_path), "2" * 12)

    def send(host, kind, sha256):
        host.write(content, 0, b"x")
        return host.commit(kind, sha256, content, "images.npy", unpack=False)["path"]

    places = [
        send(one, "lent", HASH),
        send(one, "lent", "b" * 64),
        send(other, "lent", HASH),
        send(one, "objects", HASH),
    ]
    (tmp_path / "objects" / f"mine.{'1' * 12}.lent").mkdir()
    assert len(set(places)) == 4 and one.stat("lent", HASH, content, "images.npy")["present"]
    assert one.give_back(HASH) == {"removed": 1} and one.give_back(HASH) == {"removed": 0}
    assert [os.path.exists(place) for place in places] == [False, True, True, True]
    assert one.give_back() == {"removed": 1}
    assert [os.path.exists(place) for place in places] == [False, False, True, True]
    assert (tmp_path / "objects" / f"mine.{'1' * 12}.lent").exists()
    for bad in ("x", "../" + HASH, "a" * 63):
        with pytest.raises(ValueError, match="not an object"):
            one.give_back(bad)
    with pytest.raises(ValueError, match="only a file"):
        one.commit("lent", HASH, content, "images", unpack=True)
    other.remove_all()
    assert not os.path.exists(places[2])


def test_a_device_is_one_sessions_until_it_leaves(tmp_path, monkeypatch):
    path = str(tmp_path / "reserved")
    one, other = reservation.Reservation(path, "1" * 12, "ann@lab"), reservation.Reservation(path, "2" * 12, "bob@lab")
    assert one.take() is None and reservation.is_reserved(path)
    assert other.take()["owner"] == "ann@lab"
    again = reservation.Reservation(path, "1" * 12, "ann@lab")  # its connection was cut, and the old agent lives yet
    assert again.take() is None
    one.leave()
    assert other.take()["owner"] == "ann@lab"  # it may come back
    now = time.monotonic()
    monkeypatch.setattr(reservation.time, "monotonic", lambda: now + reservation.GRACE_SECONDS + 1)
    assert other.take() is None
    other.release()
    assert one.take() is None


def test_a_reservation_does_not_outlive_a_restart(tmp_path, monkeypatch):
    path = str(tmp_path / "reserved")
    one = reservation.Reservation(path, "1" * 12, "ann@lab")
    one.take()
    one.leave()
    monkeypatch.setattr(reservation.probe, "boot_id", lambda: "of another day")
    assert reservation.Reservation(path, "2" * 12, "bob@lab").take() is None


def test_the_governor_is_set_and_given_back(tmp_path):
    files = [tmp_path / f"cpus/cpu{n}/cpufreq/scaling_governor" for n in range(2)]
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text("ondemand\n")
    one = governor.Governor(str(tmp_path / "governor.json"), str(tmp_path / "cpus"))
    assert one.set("performance") == {"governor": "performance", "reason": ""}
    assert [file.read_text() for file in files] == ["performance"] * 2
    again = governor.Governor(str(tmp_path / "governor.json"), str(tmp_path / "cpus"))
    again.set("performance")  # by a host that was killed and came back: what it was before is not forgotten
    again.give_back()
    assert [file.read_text() for file in files] == ["ondemand"] * 2
    assert not (tmp_path / "governor.json").exists()
    assert governor.Governor(str(tmp_path / "g"), str(tmp_path / "none")).set("performance")["governor"] is None


def test_a_job_folder_is_dropped_by_count_and_never_by_age(tmp_path):
    made = jobs.Jobs(Store(str(tmp_path)), 0, "1" * 12, "ann")
    for number in range(jobs.MOST_FINISHED + 2):
        folder = tmp_path / "jobs" / f"{'2' * 12}-{number:032x}"
        folder.mkdir()
        (folder / "state.json").write_text(json.dumps({"number": jobs.MOST_FINISHED + 2 - number}))
    made._drop_old()
    kept = owned.own_entries(str(tmp_path), "jobs")
    assert len(kept) == jobs.MOST_FINISHED and f"{'2' * 12}-{jobs.MOST_FINISHED + 1:032x}" not in kept


@pytest.mark.device
def test_check_and_clean_leave_a_users_folder_alone(board, projects, tmp_path):
    from tests.devices.test_devices_command import name_devices

    board.store = projects
    name_devices(board, tmp_path)
    before = tree(projects)
    for word in ("check", "install", "clean"):
        command = [*EDGEBENCH, "devices", word, "board"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 1 and "holds what is not edgebench's" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert tree(projects) == before


EDGEBENCH = [os.sys.executable, "-m", "edgebench"]
