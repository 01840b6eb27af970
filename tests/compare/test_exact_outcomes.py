"""Pairs, verdicts and gates of two sides as whole values: who is named, what is counted, what decides."""

import dataclasses

import numpy as np
import pytest

from edgebench.cells import key_of
from edgebench.compare.accuracy import drop_verdicts, paired_answers
from edgebench.compare.gates import Outcome, judge
from edgebench.compare.pairs import Pair, pair, unlike
from edgebench.compare.values import NAMES
from edgebench.errors import UsageError
from edgebench.expression import parse
from edgebench.measures.outputs import pack
from edgebench.measures.significance import REAL_DROP, Paired, Verdict
from edgebench.records import Evaluation, Perturbation, Settings
from edgebench.results.derived import derive
from edgebench.results.figure import Basis
from tests.make import PROTOCOL, make_accuracy, make_failed, make_result, make_set

N = 100
REFERENCE = np.arange(N) < 90


def evaluation(lost, perturbation=None, data=None, **changes):
    bits = {"right": pack(REFERENCE & (np.arange(N) >= lost)), "reference_right": pack(REFERENCE), **changes}
    return Evaluation(data or make_set(images=N), make_accuracy(N, lost=lost, both=90 - lost, **bits), perturbation)


def side(*evaluations, **changes):
    return derive(dataclasses.replace(make_result(**changes), evaluations=evaluations))[0]


def cell(old, new):
    return Pair("cell", old, new)


NOISE = Perturbation("noise", 9.0)


def test_the_images_that_only_one_side_has_right():
    old, new = side(evaluation(10)), side(evaluation(25))
    assert paired_answers(cell(old, new)) == Paired(15, 0, N)
    assert paired_answers(cell(new, old)) == Paired(0, 15, N)


@pytest.mark.parametrize(
    "other",
    [
        None,
        side(evaluation(25, rows_sha256="ab")),
        side(evaluation(25, NOISE)),
        side(evaluation(25, data=dataclasses.replace(make_set(images=N), sha256="ab" * 32))),
        side(evaluation(25, right="", reference_right="")),
        side(),
    ],
)
def test_nothing_is_counted_where_not_both_answered_the_same_images(other):
    own = side(evaluation(10))
    assert paired_answers(cell(own, other)) is paired_answers(cell(other, own)) is None
    assert drop_verdicts([cell(own, other)], 0.02) == [Verdict(margin=0.02)]


def test_a_part_of_the_images_chosen_with_another_seed_is_another_part():
    half = dataclasses.replace(make_set(images=2 * N))
    old, new = (side(evaluation(10, data=half), settings=dataclasses.replace(PROTOCOL, seed=n)) for n in (0, 1))
    words = "the two were evaluated on different images, chosen with different seeds"
    assert unlike(cell(old, new), Basis.IMAGES) == words and unlike(cell(old, old), Basis.IMAGES) == ""
    assert paired_answers(cell(old, new)) is None and paired_answers(cell(old, old)) == Paired(0, 0, N)
    whole = [side(evaluation(10), settings=dataclasses.replace(PROTOCOL, seed=n)) for n in (0, 1)]
    assert unlike(cell(*whole), Basis.IMAGES) == ""


def test_families_keep_their_places():
    clean = cell(side(evaluation(10)), side(evaluation(60)))
    noisy = cell(side(evaluation(10, NOISE)), side(evaluation(60, NOISE)))
    gone = cell(side(evaluation(10, NOISE)), None)
    found = drop_verdicts([clean, gone, noisy, clean], 0.02)
    assert [one.word for one in found] == [REAL_DROP, "", REAL_DROP, REAL_DROP]
    assert [(one.cells, one.margin, one.images) for one in found] == [
        (2, 0.02, N),
        (1, 0.02, 0),
        (1, 0.02, N),
        (2, 0.02, N),
    ]


WORDS = {
    Basis.MACHINE: [
        ({"settings": dataclasses.replace(PROTOCOL, **{name: value})}, f"measured with different {words}")
        for name, value, words in (
            ("threads", 4, "threads: 1; 4"),
            ("batch", 8, "batch: 1; 8"),
            ("rate_hz", 9.0, "rate hz: 0.0; 9.0"),
            ("sustained_seconds", 60.0, "sustained seconds: 0.0; 60.0"),
            ("accelerator", "gpu", "accelerator: cpu; gpu"),
        )
    ]
    + [({"emulated": True}, "an emulated processor's times and memory mean nothing"), ({"runs": ()}, "")],
    Basis.IMAGES: [
        ({"evaluations": (evaluation(1, NOISE),)}, "the two saw different perturbations: [test]; [test, noise 9]"),
        ({"evaluations": ()}, ""),
        ({"evaluations": (Evaluation(make_set(images=N)),)}, ""),
    ],
    Basis.GATE: [
        ({"artifact": {"parity_inputs": "9 images"}}, "the two passed the conversion's gate on different inputs"),
    ],
    Basis.ARTIFACT: [({"emulated": True}, "")],
}


@pytest.mark.parametrize(("basis", "changes", "words"), [(b, *case) for b, cases in WORDS.items() for case in cases])
def test_why_two_are_not_compared(basis, changes, words):
    own = side(evaluation(1))
    values = {"evaluations": (evaluation(1),), **{k: v for k, v in changes.items() if k in ("evaluations", "runs")}}
    made = make_result(**{k: v for k, v in changes.items() if k not in values})
    other = derive(dataclasses.replace(made, **values))[0]
    assert unlike(cell(own, other), basis) == words
    assert bool(unlike(cell(other, own), basis)) == bool(words)
    assert unlike(cell(own, None), basis) == unlike(cell(None, own), basis) == ""


# Gates


def outcomes(old, new, *gates):
    return judge(cell(old, new), [parse(gate, NAMES) for gate in gates])


SMALL, LARGE = (side(evaluation(1), artifact={"size_bytes": size}) for size in (100, 300))


def test_outcomes_whole():
    assert outcomes(SMALL, LARGE, "size_bytes_ratio > 2", "size_bytes > 300") == [
        Outcome("cell", "size_bytes_ratio > 2", False, "true", "size_bytes_ratio = 3"),
        Outcome("cell", "size_bytes > 300", True, "false", "size_bytes = 300"),
    ]
    (open_,) = outcomes(side(evaluation(10)), side(evaluation(11)), "top1_change < -0.01")
    assert (open_.passed, open_.decision) == (True, "undecided")
    assert open_.reason.startswith("top1_change = -0.01 (") and open_.reason.endswith(
        "; the interval does not decide it"
    )
    both = outcomes(SMALL, LARGE, "size_bytes_ratio > 2 and size_bytes_change < 0")[0]
    assert both.reason == "size_bytes_ratio = 3, size_bytes_change = 200"


def test_sides_that_are_missing_or_disqualified():
    gates = "size_bytes > 1", "slower"
    assert outcomes(SMALL, None, *gates) == [
        Outcome("cell", gate, False, "unmeasured", "missing in the candidate") for gate in gates
    ]
    new = outcomes(None, SMALL, "size_bytes > 200", "size_bytes > 1", "slower")
    assert [(one.passed, one.reason) for one in new] == [
        (True, "size_bytes = 100"), (False, "size_bytes = 100"), (True, "new: nothing to compare with")
    ]  # fmt: skip
    broken = derive(make_failed(reason="SIGSEGV"))[0]
    hot = {"throttled_before": 0, "throttled_after": 4}
    made = make_result()
    runs = tuple(dataclasses.replace(run, environment={**run.environment, **hot}) for run in made.runs)
    throttled = derive(dataclasses.replace(made, runs=runs))[0]
    for side_, words in ((broken, "crashed: SIGSEGV"), (throttled, "throttled: throttled now")):
        assert outcomes(SMALL, side_, *gates) == [
            Outcome("cell", gate, False, "unmeasured", f"candidate: {words}") for gate in gates
        ]
        assert outcomes(side_, SMALL, "slower")[0].reason == f"baseline: {words}"
    assert outcomes(broken, throttled, "slower")[0].reason == "candidate: throttled: throttled now"
    (bare,) = outcomes(side(evaluation(1)), side(), "top1 < 0.5")
    assert (bare.passed, bare.decision, bare.reason) == (False, "unmeasured", "top1 = not measured: top1 is empty")


# Pairs


def test_what_two_results_of_one_cell_are_told_apart_by():
    old, new = make_result(), make_result(created="2027")
    careful = make_result(settings=dataclasses.replace(PROTOCOL, min_seconds=9.0))
    found = pair([old, careful], [new, careful])
    assert [one.complete for one in found] == [True, True] and len({one.name for one in found}) == 1
    assert [one.baseline.result.settings.min_seconds for one in found] == [1.0, 9.0]
    twin = make_result(created="2028")
    with pytest.raises(UsageError) as error:
        pair([old], [new, twin, make_failed()])
    assert str(error.value) == (
        f"the candidate holds two results of {key_of(new).paired.name}, of 2027 and 2028: "
        "give a folder that holds one of them, or the result file itself"
    )
    with pytest.raises(UsageError, match=r"^the baseline holds two results of"):
        pair([new, twin, make_failed()], [old])


def test_evaluations_are_paired_by_their_images():
    night = dataclasses.replace(make_set("digits", N), sha256="ab" * 32, name="night")
    old = dataclasses.replace(make_result(), evaluations=(evaluation(1), evaluation(2, NOISE)))
    new = dataclasses.replace(
        make_result(), evaluations=(evaluation(3, NOISE), evaluation(4, data=night), evaluation(5))
    )
    name = key_of(new).name
    found = pair([old], [new])
    assert [one.name for one in found] == [f"{name} [test]", f"{name} [test, noise 9]", f"{name} [night]"]
    lost = [
        tuple(one and one.counts.only_reference_correct for one in (made.baseline, made.candidate)) for made in found
    ]
    assert lost == [(1, 5), (2, 3), (None, 4)]
    assert [made.complete for made in found] == [True, True, False]
    bare = dataclasses.replace(make_result(), evaluations=())
    assert [one.name for one in pair([bare], [old])] == [f"{name}", f"{name} [test]", f"{name} [test, noise 9]"]
    assert [one.name for one in pair([bare], [bare])] == [name]
    fast = make_result(settings=Settings(threads=4))
    assert "4 threads" in pair([old], [fast])[0].name
