"""A phase's peak is its own: the kernel's high-water mark is reset at the start and after every phase."""

from pathlib import Path

import pytest

from edgebench.records import PhaseMemory
from edgebench.runner.memory import MemoryProbe

KB = 1024


def test_the_high_water_mark_is_reset_before_and_after_every_phase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "status").write_text("VmHWM:\t500 kB\nVmRSS:\t90 kB\n")
    written: list[tuple[str, str]] = []
    monkeypatch.setattr(Path, "write_text", lambda path, text: written.append((path.name, text)))
    probe = MemoryProbe(tmp_path)
    assert probe.method == "VmHWM, reset for each phase"
    assert written == [("clear_refs", "5")]  # what was before the probe is no phase's
    probe.end_phase("imports")
    assert written == [("clear_refs", "5")] * 2
    probe.end_phase("load")
    assert written == [("clear_refs", "5")] * 3


def test_levels_are_exact_where_the_kernel_says_so(tmp_path: Path) -> None:
    (tmp_path / "clear_refs").write_text("")
    (tmp_path / "status").write_text("Name:\tpython\nVmHWM:\t500 kB\nVmRSS:\t90 kB\nRssAnon:\t7 kB\nThreads:\t3\n")
    probe = MemoryProbe(tmp_path)
    probe.end_phase("a")
    (tmp_path / "smaps_rollup").write_text("0-1 ---p [rollup]\nRss:  600 kB\nPss:  5 kB\nAnonymous:  250 kB\n")
    probe.end_phase("b")
    (tmp_path / "status").write_text("VmHWM:\t700 kB\nVmRSS:\t90 kB\n")
    (tmp_path / "smaps_rollup").write_text("")
    probe.end_phase("c")
    assert probe.phases == [
        PhaseMemory("a", 90 * KB, 500 * KB, 7 * KB, 83 * KB),
        PhaseMemory("b", 600 * KB, 600 * KB, 250 * KB, 350 * KB),  # the mark in status lags behind the level
        PhaseMemory("c", 90 * KB, 700 * KB, None, None),
    ]


def test_a_kernel_that_allows_no_reset_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("VmHWM:\t500 kB\nVmRSS:\t90 kB\n")
    (tmp_path / "clear_refs").mkdir()
    assert MemoryProbe(tmp_path).method == "VmHWM, of the process so far: this kernel does not allow a reset"


def test_where_there_is_no_proc(tmp_path: Path) -> None:
    probe = MemoryProbe(tmp_path / "none")
    assert probe.method.startswith("psutil; peaks of the process so far: ")
    probe.end_phase("load")
    (phase,) = probe.phases
    assert phase.phase == "load" and phase.peak_rss_bytes >= phase.rss_bytes > 0
