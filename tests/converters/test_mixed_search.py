"""The search of `mixed` without a graph: what it takes, in which order, at what cost; and what its figures mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgebench.converters.base import Promise
from edgebench.converters.quantize.mixed import words
from edgebench.converters.quantize.mixed.bench import MOST, PROOFS, Candidate, crossed
from edgebench.converters.quantize.mixed.proof import Changed, changed, expected_bound, prove
from edgebench.converters.quantize.mixed.search import search
from edgebench.converters.quantize.mixed.trials import Setting, rounded
from edgebench.converters.quantize.plans import Plan
from edgebench.converters.quantize.units import Units, units
from edgebench.errors import ConversionError

PLANS = (Plan(), Plan(ranges="mean squared error"))
Enough = Callable[[Candidate], bool]


class Bench:
    """Layers `t0`, `t1`, .. in the order of the ranking; SQNR grows with each in float. `broken` cannot be made."""

    def __init__(self, layers: int, broken: tuple[str, ...] = (), slow: tuple[str, ...] = (), same: str = "") -> None:
        self.order = [f"t{index}" for index in range(layers)]
        self.tried: list[tuple[str, ...]] = []
        self._broken, self._slow, self._same = broken, slow, same.split()

    @property
    def left(self) -> int:
        return MOST - PROOFS - len(self.tried)

    def judge(self, plan: Plan, tensors: tuple[str, ...]) -> Candidate | None:
        self.tried.append(tensors)
        if set(tensors) & set(self._broken):
            return None
        return Candidate(
            plan, tensors, tensors, Path(str(len(self.tried))), 10 + len(tensors) + (plan is PLANS[1]), 0.1
        )

    def adds(self, tensors: tuple[str, ...], name: str) -> bool:
        return name not in self._same

    def rank(self, candidate: Candidate) -> list[str]:
        assert candidate.tensors == () and candidate.plan is PLANS[1]  # the better of the two
        return self.order

    def latency(self, candidate: Candidate, other: Candidate) -> float | None:
        return 2.0 if set(candidate.tensors) & set(self._slow) else 0.5


def needing(*names: str) -> Enough:
    return lambda made: set(names) <= set(made.tensors)


def names(*numbers: int) -> tuple[str, ...]:
    return tuple(f"t{number}" for number in numbers)


@pytest.mark.parametrize(
    ("enough", "tried", "chosen"),
    [
        (needing(), [(), ()], ()),
        (needing("t0"), [(), (), ("t0",)], ("t0",)),
        # the second alone would have been enough: the first goes back to integers
        (needing("t1"), [(), (), ("t0",), ("t0", "t1"), ("t1",)], ("t1",)),
        (
            needing("t0", "t2"),
            [(), (), ("t0",), names(0, 1), names(0, 1, 2), names(1, 2), names(0, 2), names(2)],
            names(0, 2),
        ),
    ],
)
def test_few_layers_are_found_one_by_one(enough: Enough, tried: list[tuple[str, ...]], chosen: tuple[str, ...]) -> None:
    bench = Bench(60)
    found = search(bench, PLANS, enough)
    assert bench.tried == tried
    assert found.chosen is not None and found.chosen.tensors == chosen and found.chosen.plan is PLANS[1]
    assert len(found.safer) == len(chosen) + 3 and set(chosen) < set(found.safer)
    assert [len(made.tensors) for made in found.curve] == sorted(len(tensors) for tensors in tried[1:])


@pytest.mark.parametrize("last", [0, 1, 2, 3, 8, 9, 17, 26, 27, 44, 45, 59])
def test_a_deep_net_costs_no_more_than_its_limit(last: int) -> None:
    bench = Bench(60)
    found = search(bench, PLANS, needing(f"t{last}", "t0"))
    assert len(bench.tried) <= MOST - PROOFS == 9
    if last >= 45:
        assert found.chosen is None and len(bench.tried) == 8
        assert found.safer == names(*range(48))
    else:
        assert found.chosen is not None and {"t0", f"t{last}"} <= set(found.chosen.tensors)
        assert len(found.chosen.tensors) <= (2 if last < 3 else last + 9)


def test_blocks_are_bisected() -> None:
    bench = Bench(60)
    found = search(bench, PLANS, needing("t20"))
    assert [len(tensors) for tensors in bench.tried[5:]] == [9, 27, 18, 22]
    assert found.chosen is not None and found.chosen.tensors == names(*range(22))


def test_the_faster_of_two_alike_is_taken() -> None:
    def enough(made: Candidate) -> bool:
        return made.tensors in (names(0, 1, 2), names(1, 2), names(0, 2))

    for slow, chosen in ((("t0",), names(1, 2)), (("t1",), names(0, 2))):
        found = search(Bench(9, slow=slow), PLANS, enough)
        assert found.chosen is not None and found.chosen.tensors == chosen


def test_a_candidate_that_dies_costs_itself() -> None:
    found = search(Bench(60, broken=("t0",)), PLANS, needing("t1"))
    assert found.chosen is not None and found.chosen.tensors == ("t1",)
    with pytest.raises(ConversionError, match="the int8 graph cannot be made or run"):
        search(Bench(60, broken=("t0",)), PLANS[:0], needing())


def test_a_layer_that_adds_no_operator_is_passed_over() -> None:
    bench = Bench(60, same="t1 t2")
    found = search(bench, PLANS, needing("t3"))
    assert bench.tried == [(), (), names(0), names(0, 3), names(3)]
    assert found.chosen is not None and found.chosen.tensors == names(3)


def test_a_unit_is_a_tensor_with_all_that_touches_it() -> None:
    found = units(
        [
            ("conv0", False, ["image"], ["c0"]),
            ("relu0", True, ["c0"], ["r0"]),
            ("conv1", False, ["r0"], ["c1"]),
            ("add", False, ["r0", "c1"], ["sum"]),
            ("flat", True, ["sum"], ["row"]),
            ("dense", False, ["row"], ["logits"]),
        ]
    )
    assert found.operators == {
        "image": ("conv0",),
        "c0": ("conv0", "relu0", "conv1", "add"),
        "c1": ("conv1", "add"),
        "sum": ("add", "flat", "dense"),
    }
    assert found.rounded == {"image": "image", "c0": "r0", "c1": "c1", "sum": "row"}


def test_values_are_rounded_to_the_steps_of_a_range() -> None:
    values = np.array([-1, 0, 0.1, 0.125, 12.75, 20], np.float32)
    assert rounded(values, (0.0, 12.75)).tolist() == pytest.approx([0, 0, 0.1, 0.1, 12.75, 12.75])
    assert rounded(np.array([-1, -0.51, 1]), (-1.0, 1.55)).tolist() == pytest.approx([-1, -0.51, 1])


def test_crossed_errors_tell_what_few_images_cannot() -> None:
    logits = np.array([[1, 0], [2, 0], [3, 0], [4, 0]], np.float32)
    errors = np.array([[0, 0], [0, 2.5]], np.float32)
    assert crossed(errors, logits) == 0.25  # of 8 pairs the second error turns the first two images


def test_what_is_missing_is_counted() -> None:
    assert Changed(3, 0, 100, labelled=False).images_for(0.02) is None  # 3 % cannot become 2 %
    few = Changed(1, 0, 100, labelled=False)
    needed = few.images_for(0.02)
    assert needed is not None and expected_bound(0.01, needed, labelled=False) <= 0.02
    assert expected_bound(0.01, needed - 1, labelled=False) > 0.02
    labels = np.zeros(4, np.int64)
    right, wrong = [1.0, 0.0], [0.0, 1.0]
    found = changed(np.array([right, wrong, wrong, right]), np.array([right, right, right, wrong]), labels)
    assert found == Changed(2, 1, 4, labelled=True) and found.share == 0.25


@pytest.mark.parametrize(
    ("found", "ending"),
    [
        (
            Changed(4, 0, 1000, labelled=False),
            "is 0.40% on 1000 images, and may be 1.02%. About 1022 images would prove it if that stays: give more with "
            "--data, or raise --max-drop",
        ),
        (
            Changed(20, 5, 1000, labelled=True),
            "is 1.50% on 1000 images, and may be 2.51%. More images would not prove it: ship onnx:float16, or raise "
            "--max-drop",
        ),
    ],
)
def test_what_is_missing_is_said(found: Changed, ending: str) -> None:
    labels = np.zeros(1000, np.int64) if found.labelled else None
    promise = Promise(0.01, np.zeros((1000, 1), np.float32), labels)
    made = Candidate(Plan(), ("a",), ("conv", "relu"), Path("a"))
    graph = Units({"a": ("conv", "relu"), "b": ("relu",)}, {})
    story = words.Story(Setting("onnx", "float", "every"), graph, None, None, {made: found}, promise)
    what = "drop of top-1" if found.labelled else "disagreement with the float graph"
    assert story.failed() == f"a limit of 1.00% cannot be proved: with 1 of 2 layers in float the {what} {ending}"


def test_the_proof_stops_at_the_first_that_fails() -> None:
    """A later one that would pass is not looked at: that would be a second chance for a false promise."""
    reference = np.eye(2, dtype=np.float32)[np.zeros(1000, int)]
    flipped = {"a": 0, "b": 1, "c": 30, "d": 0}

    def outputs(made: Candidate) -> np.ndarray:
        found = reference.copy()
        count = flipped[made.tensors[0]]
        found[:count] = found[:count, ::-1]
        return found

    sequence = [Candidate(Plan(), (name,), (), Path(name)) for name in flipped]
    best, tested = prove(sequence, outputs, reference, None, 0.01)
    assert best is sequence[1]
    assert [tested[made].lost for made in sequence[:3]] == [0, 1, 30] and len(tested) == 3
    assert prove(sequence, lambda _made: None, reference, None, 0.01) == (None, {})
