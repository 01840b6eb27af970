"""Drawings: axes to the pixel, marks set apart, the line nobody beats, and the files of a report."""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from edgebench.expression import parse
from edgebench.report import write_files
from edgebench.report.charts import charts, few
from edgebench.report.content import build_report
from edgebench.report.panels import file_names
from edgebench.report.plots import axes, svg
from edgebench.report.plots.axes import Axis
from edgebench.report.plots.bars import Bar, Box, bars, boxes
from edgebench.report.plots.lines import Line, lines
from edgebench.report.plots.matrix import Picture, confusion, pictures
from edgebench.report.plots.scatter import Field, Point, apart, scatter, with_front
from edgebench.results.figures import FIGURES
from edgebench.results.recommend import Wish
from tests.make import make_accuracy, make_failed, make_result, make_study
from tests.report.test_files import HOSTILE


def texts(drawing: svg.Drawing) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(drawing.alone()).iter() if node.tag.endswith("}text")]


def test_an_axis_puts_values_on_pixels_and_what_is_outside_at_its_edge():
    linear = Axis(10, 20, 100, 300)
    assert [linear.at(value) for value in (10, 15, 20, 5, 50)] == [100, 200, 300, 100, 300]
    upward = Axis(0, 1, 300, 100)
    assert upward.at(0.25) == 250
    log = Axis(1, 100, 0, 200, log=True)
    assert [round(log.at(value), 9) for value in (1, 10, 100)] == [0, 100, 200]


@pytest.mark.parametrize(
    ("axis", "room", "expected"),
    [
        (Axis(0, 10, 0, 300), 50, ["0", "2", "4", "6", "8", "10"]),
        (Axis(0, 10, 0, 300), 70, ["0", "5", "10"]),
        (Axis(0.93, 0.982, 0, 200, words=axes.share), 34, ["93%", "94%", "95%", "96%", "97%", "98%"]),
        (Axis(0.9711, 0.9742, 0, 200, words=axes.share), 40, ["97.2%", "97.3%", "97.4%"]),
        (Axis(0.5, 40, 0, 300, log=True), 30, ["0.5", "1", "2", "5", "10", "20"]),
        (Axis(0.5, 40, 0, 150, log=True), 36, ["1", "3", "10", "30"]),
        (Axis(0.001, 1e6, 0, 200, log=True), 40, ["0.01", "1", "100", "10000", "1e+06"]),
        (Axis(2, 3, 0, 300, log=True), 40, ["2.0", "2.2", "2.4", "2.6", "2.8", "3.0"]),
        (Axis(1, 1, 0, 300), 40, ["1.00"]),
        (Axis(1, 3, 0, 300), 40, ["1.0", "1.5", "2.0", "2.5", "3.0"]),
        (Axis(1, 3, 0, 300, whole=True), 40, ["1", "2", "3"]),
    ],
)
def test_ticks_are_round_and_never_touch(axis, room, expected):
    found = axis.ticks(room)
    assert [words for _, words in found] == expected
    places = [axis.at(value) for value, _ in found]
    assert all(b - a >= room for a, b in pairwise(places))


def test_one_slow_variant_gets_a_log_axis_and_equals_do_not():
    assert axes.flattened([1, 1.2, 2, 30]) and not axes.flattened([1, 1.2, 2, 9]) and not axes.flattened([1, 30])
    assert not axes.flattened([0, 1, 2, 50])  # there is no zero on a log axis
    found = [
        Bar(name, value, f"{value} ms", "#000", name) for name, value in (("a", 1), ("b", 1.2), ("c", 2), ("d", 80))
    ]
    assert "latency, ms, log scale" in texts(bars("t", found, "latency, ms", "#999"))
    assert "latency, ms" in texts(bars("t", found[:3], "latency, ms", "#999"))


def test_bars_end_where_their_value_is_and_the_base_is_apart():
    drawn = bars("t", [Bar("a", 10, "10", "#111111", "a"), Bar("b", 4, "4", "#222222", "b", base=3)], "MB", "#999999")
    boxes_ = re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="16.0" fill="(#\w+)"', drawn.body)
    (left, whole, _), (grey_at, grey, _), (own_at, own, _) = boxes_
    assert [one[2] for one in boxes_] == ["#111111", "#999999", "#222222"]
    assert float(grey) == pytest.approx(0.3 * float(whole), abs=0.1) and grey_at == left
    assert float(own) == pytest.approx(0.1 * float(whole), abs=0.1)
    assert float(own_at) == pytest.approx(float(left) + float(grey), abs=0.1)


def test_a_box_is_drawn_from_its_quartiles():
    drawn = boxes("t", [Box("a", "#111111", "words", (1, 2, 3, 4, 5), (0.5, 9.5))], "ms")
    (x, _, width), (middle, _, _) = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"', drawn.body)
    low, high = (
        float(end) for end in re.findall(r'<line x1="([\d.]+)" [^>]*x2="([\d.]+)"[^>]*stroke="#111111"', drawn.body)[0]
    )
    assert float(width) == pytest.approx((high - low) / 2, abs=0.1)
    assert float(middle) + 1 == pytest.approx((low + high) / 2, abs=0.1)
    assert float(x) == pytest.approx(low + (high - low) / 4, abs=0.1)
    assert drawn.description == "ms: words"


def test_samples_that_are_all_one_are_drawn():
    drawn = boxes("t", [Box("a", "#111111", "words", (2, 2, 2, 2, 2), (2, 2))], "ms")
    assert "nan" not in drawn.body and texts(drawn)[-1] == "a"


def test_marks_on_one_place_are_set_apart_and_others_stay():
    found = apart([(200, 100), (200, 100), (200, 100), (203, 100), (400, 200)])
    assert math.dist(found[4], (400, 200)) < 0.1
    near = [math.dist(a, b) for n, a in enumerate(found) for b in found[:n]]
    assert min(near) > 12.9


def test_the_front_holds_what_nothing_equals_or_beats_in_both():
    def front(places, lower=False):
        points = [Point(x, y, "#000", "", "") for x, y in places]
        return [(p.x, p.y) for p in with_front(points, lower) if p.best]

    places = [(1, 0.9), (2, 0.95), (2, 0.94), (3, 0.95), (1, 0.9)]
    assert front(places) == [(1, 0.9), (2, 0.95), (1, 0.9)]
    assert front(places, lower=True) == [(1, 0.9), (1, 0.9)]


def test_points_have_names_that_do_not_touch_and_words():
    points = [Point(1 + n / 50, 0.9 + n / 500, "#123456", f"variant {n}", f"words {n}") for n in range(8)]
    drawn = scatter("title", points, Field("ms", "top-1", axes.share, 0.005, reference=0.95))
    labels = re.findall(
        r'<text x="([\d.]+)" y="([\d.]+)" class="[^"]* n" text-anchor="start">(variant \d)</text>', drawn.body
    )
    assert sorted(name for _, _, name in labels) == [f"variant {n}" for n in range(8)]
    spots = [(float(x), float(y), svg.width_of(name, svg.SMALL)) for x, y, name in labels]
    for n, (x, y, width) in enumerate(spots):
        assert all(abs(y - v) >= 13.9 or x + width <= u or u + w <= x for u, v, w in spots[:n])
    assert drawn.description.startswith("top-1 against ms. words 0; words 1")


def test_curves_have_gaps_and_names_apart():
    found = [
        Line("one", [1, 2, 3, 4], [0.5, None, 0.6, 0.7], "#111"),
        Line("two", [1, 2, 3, 4], [0.4, 0.5, 0.6, 0.7], "#222"),
    ]
    drawn = lines("title", found, "epoch", "accuracy", axes.share)
    assert (
        drawn.body.count('stroke="#111" stroke-width="2"') == 2
        and drawn.body.count('stroke="#222" stroke-width="2"') == 1
    )
    heights = [float(y) for y in re.findall(r'y="([\d.]+)" class="k s" text-anchor="start">(?:one|two)<', drawn.body)]
    assert abs(heights[0] - heights[1]) >= 13
    assert drawn.description == "accuracy over epoch: one from 50.0% to 70.0%; two from 40.0% to 70.0%"


def test_a_confusion_matrix_says_what_is_taken_for_what():
    drawn = confusion("title", ["cat", "dog"], [[8, 2], [0, 5]])
    assert drawn.description == "13 of 15 images on the diagonal; most often taken: cat for dog 2"
    assert "cat taken for dog: 2 of 10" in drawn.body and texts(drawn).count("2") == 1
    sheet = pictures("title", [Picture("data:image/png;base64,AA==", "a.png", ("cat", "dog 90%"))])
    assert texts(sheet)[1:] == ["cat", "dog 90%"] and "data:image/png;base64,AA==" in sheet.body


def test_every_chart_is_a_file_of_its_own_and_the_next_report_takes_away_its_own_old_ones(tmp_path):
    paths = write_files(build_report(make_study()), tmp_path)
    names = sorted(file.stem for file in paths.plots.glob("*.svg"))
    assert len(names) == 13 and sorted(file.stem for file in paths.plots.glob("*.png")) == names
    for file in paths.plots.glob("*.svg"):
        root = ElementTree.fromstring(file.read_text(encoding="utf-8"))
        assert [root[0].tag[-5:], root[1].tag[-4:]] == ["title", "desc"] and root[1].text
        assert "var(" not in file.read_text(encoding="utf-8")
    png = (paths.plots / f"{names[0]}.png").read_bytes()
    assert png.startswith(b"\x89PNG") and int.from_bytes(png[16:20], "big") == 660
    (paths.plots / "mine.svg").write_text("my own")
    write_files(build_report([make_result(), make_failed()]), tmp_path)
    left = sorted(file.name for file in paths.plots.glob("*.svg"))
    assert "mine.svg" in left and len(left) == 4 and not (paths.plots / f"{names[-1]}.png").exists()


def test_hostile_names_are_text_in_a_drawing_and_no_path():
    report = build_report([make_result(model=HOSTILE), make_result(model=HOSTILE, variant="tflite:int8")])
    found = dict(file_names(charts(report).charts))
    assert found and all(re.fullmatch(r"[a-z0-9.-]+", name) and not name.startswith(".") for name in found)
    for drawing in found.values():
        tags = {node.tag.split("}")[1] for node in ElementTree.fromstring(drawing.alone()).iter()}
        assert tags <= {"svg", "title", "desc", "style", "rect", "text", "line", "g", "circle", "polygon", "polyline"}


def test_what_a_requirement_allows_is_shaded():
    results = [
        make_result(),
        make_result(variant="tflite:int8", latency_ms=9, accuracy=make_accuracy(lost=40, both=440)),
    ]
    limits = ("latency_ms_median < 4", "top1_drop < 0.01")
    wish = Wish(tuple(parse(text, frozenset(FIGURES)) for text in limits), "size_bytes")
    chart = charts(build_report(results, wish=wish)).charts[0]
    assert "What the requirements allow" in chart.panels[0].drawing.body and "Shaded" in chart.caption
    assert "What the requirements" not in charts(build_report(results)).charts[0].panels[0].drawing.body


def test_a_report_of_many_draws_some_and_says_how_many_it_leaves_out():
    drawn = charts(build_report(make_study()))
    less = few(drawn, rows=301)
    assert less.panels_left_out == 0  # ten of each title are drawn, and there are no more
    crowd = [make_result(f"model-{n}", variant) for n in range(13) for variant in ("tflite:float32", "tflite:int8")]
    cut = few(charts(build_report(crowd)), rows=301)
    assert {chart.title: len(chart.panels) for chart in cut.charts}["Latency"] == 10
    assert cut.panels_left_out == 3 * 5
