"""What is read from /sys and /proc, on made-up machines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgebench.runner import affinity, energy, environment, sensors

Machine = Callable[[dict[str, object]], Path]
CPU = sensors.CPUS


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    def write(files: dict[str, object]) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")
        return tmp_path

    return write


PI = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 cpuid\nmodel name\t: Cortex-A72",
    "proc/meminfo": "MemTotal:        3884380 kB\nSwapFree:         102396 kB",
    "proc/stat": "cpu  100 0 50 800 10 0 0 40 0 0",
    f"{CPU}/cpu0/cpufreq/scaling_governor": "ondemand",
    f"{CPU}/cpu0/cpufreq/cpuinfo_max_freq": 1800000,
    f"{CPU}/cpu0/cpufreq/scaling_cur_freq": 1500000,
    f"{CPU}/cpu1/cpufreq/scaling_cur_freq": 1800000,
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "sys/class/thermal/thermal_zone0/temp": 48312,
    "sys/class/thermal/thermal_zone1/type": "nvme",
    "sys/class/thermal/thermal_zone1/temp": 70000,
    "sys/class/thermal/thermal_zone0/trip_point_0_type": "passive",
    "sys/class/thermal/thermal_zone0/trip_point_0_temp": 80000,
    "sys/class/thermal/thermal_zone0/trip_point_1_type": "critical",
    "sys/class/thermal/thermal_zone0/trip_point_1_temp": 110000,
    sensors.PI_THROTTLED: "50005",
}


def test_a_pi_is_described(machine: Machine) -> None:
    table = environment.capture(machine(PI))
    assert table["board"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert (table["cpu"], table["cpu_features"]) == ("Cortex-A72", "asimd")
    assert (table["governor"], table["frequency_max_hz"]) == ("ondemand", 1_800_000_000)
    assert (table["memory_bytes"], table["temperature_trip_celsius"]) == (3884380 * 1024, 80.0)
    assert None not in table.values()


def test_a_bare_machine_leaves_keys_out(tmp_path: Path) -> None:
    table = environment.capture(tmp_path)
    assert "governor" not in table and "temperature_trip_celsius" not in table and "board" not in table
    state = sensors.read_state(tmp_path)
    assert state.temperature_celsius is state.frequency_hz is state.throttled is state.busy_seconds is None
    assert set(sensors.between(state, state)) <= {"involuntary_switches"}


def test_sensors_of_a_pi(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "allowed_cores", lambda: [0, 1])
    state = sensors.read_state(machine(PI))
    assert (state.temperature_celsius, state.frequency_hz, state.throttled) == (48.312, 1_800_000_000, 0x50005)


def test_neighbours_and_the_hypervisor(machine: Machine) -> None:
    """In 2 s of wall time: 3 s of busy cores, 1 s of it ours, 0.4 of 4 s stolen."""
    ticks = sensors.TICKS_PER_SECOND
    before = sensors.read_state(machine(PI))._replace(wall_seconds=0.0, own_cpu_seconds=0.0)
    busy, idle, stolen = 50 + ticks, 800 + 0.6 * ticks, 40 + 0.4 * ticks
    root = machine({"proc/stat": f"cpu  {100 + 2 * ticks} 0 {busy} {idle:.0f} 10 0 0 {stolen:.0f} 0 0"})
    after = sensors.read_state(root)._replace(wall_seconds=2.0, own_cpu_seconds=1.0)
    table = sensors.between(before, after)
    assert table["others_cpu_cores"] == pytest.approx(1.0)
    assert table["steal_share"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("files", "threads", "cores"),
    [
        ({}, 1, [3]),
        ({f"{CPU}/cpu{n}/cpufreq/cpuinfo_max_freq": 2400000 if n < 2 else 1800000 for n in range(4)}, 2, [0, 1]),
        ({f"{CPU}/cpu{n}/topology/thread_siblings_list": f"{n % 2},{n % 2 + 2}" for n in range(4)}, 2, [2, 3]),
        (
            {f"{CPU}/cpu{n}/topology/thread_siblings_list": f"{n // 2 * 2}-{n // 2 * 2 + 1}" for n in range(4)},
            2,
            [1, 3],
        ),
    ],
)
def test_the_best_cores(machine: Machine, files: dict[str, object], threads: int, cores: list[int]) -> None:
    assert affinity.best_cores([0, 1, 2, 3], threads, {}, machine(files)) == cores


def test_a_busy_core_is_left_to_its_program(machine: Machine) -> None:
    assert affinity.best_cores([0, 1], 1, {0: 0, 1: 6}, machine({})) == [0]
    root = machine({"proc/stat": "cpu  9 0 9 9 0 0 0 0\ncpu0 5 1 2 90 0 0 1 0\ncpu1 7 0 1 80 5 1 0 0\nintr 1"})
    assert affinity.busy_ticks(root) == {0: 9, 1: 9}


def test_rapl_counts_packages_and_wraps(machine: Machine) -> None:
    rapl = "sys/class/powercap/intel-rapl:0"
    root = machine({f"{rapl}/energy_uj": 9_000_000, f"{rapl}/max_energy_range_uj": 10_000_000})
    machine({f"{rapl}:0/energy_uj": 5})  # a part of the package: counted in it already
    before = energy.read(root)
    after = energy.read(machine({f"{rapl}/energy_uj": 1_500_000}))
    assert before is not None and after is not None
    assert before.source == "RAPL" and energy.joules(before, after) == pytest.approx(2.5)


def test_a_boards_own_meter_is_read_where_there_is_no_rapl(machine: Machine) -> None:
    hwmon = "sys/class/hwmon/hwmon2"
    root = machine({f"{hwmon}/name": "ina226", f"{hwmon}/energy1_input": 1_000_000, f"{hwmon}/energy2_input": 7})
    before = energy.read(root)
    machine({f"{hwmon}/energy1_input": 1_750_000, f"{hwmon}/energy2_input": 250_007})
    after = energy.read(root)
    assert before is not None and after is not None
    assert before.source == "hwmon ina226" and energy.joules(before, after) == pytest.approx(1.0)
    table = energy.table(before, after, 0.5)
    assert (table["energy_joules"], table["energy_source"]) == (pytest.approx(1.0), "hwmon ina226")


def test_no_meter_no_energy(tmp_path: Path) -> None:
    assert energy.read(tmp_path) is None
    assert energy.idle_watts(tmp_path) is None
    assert energy.table(None, None, None) == {}


def test_joules_an_image_are_above_idle(run: Any) -> None:
    from edgebench.measures.latency import joules_per_image

    table = {"energy_joules": 30.0, "energy_seconds": 2.0, "energy_idle_watts": 5.0}
    assert joules_per_image([run((1_000_000,) * 100, environment=table)]) == pytest.approx(0.2)
    assert joules_per_image([run((1_000_000,) * 100)]) is None


def test_replayed_throttle_traces_get_their_verdicts() -> None:
    """The benchmark itself: a hot Pi, a clean one, one with old sticky bits, one capped between two readings."""
    script = Path(__file__).parents[2] / "benchmarks" / "throttle.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 of 4 traces judged wrongly" in done.stdout
