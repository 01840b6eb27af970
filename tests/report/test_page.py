"""The page in a real browser: what it asks for, what it says to a screen reader, and what its controls do."""

import dataclasses
import re

import pytest

from edgebench.report import grid
from edgebench.report.content import build_report
from edgebench.report.page import html_text
from tests.make import make_accuracy, make_failed, make_result, make_study
from tests.report.browser import chromium
from tests.report.test_files import HOSTILE
from tests.report.test_training import RECORD

SHOWN = """return [...document.querySelectorAll('.grid tbody tr:not(.spacer)')]
  .map((row) => row.querySelector('td.variant').childNodes[1].data + ' ' + JSON.parse(row.dataset.f || '["",""]')[0])"""
NAMES = """return [...document.querySelectorAll('.grid tbody tr:not(.spacer) td.variant')]
  .map((td) => td.childNodes[1].data)"""
SET = """const [name, value] = arguments;
const control = document.querySelector('form.controls').elements[name];
control.value = value;
control.dispatchEvent(new Event(name === 'search' ? 'input' : 'change', {bubbles: true}));"""
CLICK = "document.querySelector(arguments[0]).click()"
COUNT = "return document.querySelector('.count').textContent"
FOUR = ("tflite:float32", "tflite:int8", "onnx:float32", "onnx:int8")


@pytest.fixture(scope="module")
def browser():
    with chromium() as page:
        yield page


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A report of many kinds of things, one of hostile names, and one of more rows than stand in a page."""
    folder = tmp_path_factory.mktemp("pages")
    artifact = {"training": RECORD, "notes": ("a remark of the conversion",)}
    trained = make_result(model="trained", artifact=artifact, accuracy=make_accuracy(both=400, lost=90))
    crowd = [
        make_result(model, variant, latency_ms=1 + n / 10 + at, device=f"board-{n:02d}")
        for n in range(14)
        for model in ("a", "b")
        for at, variant in enumerate(FOUR)
    ]
    crowd.append(make_failed(device="board-00", model="a", reason="out of memory"))
    hostile = [make_result(model=HOSTILE, device=HOSTILE), make_result(model=HOSTILE, variant="tflite:int8")]
    reports = {
        "study": build_report([*make_study(), trained], ["/somewhere/broken.json is not an edgebench record"]),
        "hostile": build_report([*hostile, make_failed(model=HOSTILE, reason=HOSTILE, device=HOSTILE)]),
        "crowd": build_report(crowd),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "WHOLE", 60)
        return {name: _write(folder / f"{name}.html", html_text(report)) for name, report in reports.items()}


def _write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["study", "hostile", "crowd"])
def test_nothing_leaves_the_page_and_the_console_is_silent(browser, files, name):
    browser.complaints(), browser.requests()
    browser.open(files[name])
    assert browser.run("return document.title").endswith("edgebench") and browser.complaints() == []
    assert browser.requests() <= {files[name].as_uri(), "about:blank"}
    assert browser.run("return document.querySelectorAll('img[src=x]').length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["study", "crowd"])
def test_axe_finds_nothing_against_a_and_aa(browser, files, name, scheme):
    browser.resize(1400)
    browser.open(files[name], scheme=scheme)
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
    assert browser.violations() == []


def test_a_heading_sorts_and_sorts_back_and_the_failed_come_last(browser, files):
    browser.open(files["study"])
    browser.run(SET, "device", "cpu")
    browser.run(SET, "model", "digits-cnn")
    browser.run(CLICK, "th[data-field=latency_ms_median] button.sort")
    up = browser.run(NAMES)
    assert up[:3] == ["tflite:dynamic", "onnx:float32", "onnx:dynamic"] and up[7] == "savedmodel:float32"
    assert set(up[8:]) == {"onnx:int8", "tflite:int16x8"}
    browser.run(CLICK, "th[data-field=latency_ms_median] button.sort")
    down = browser.run(NAMES)
    assert down[:8] == up[:8][::-1] and set(down[8:]) == set(up[8:])
    sorted_by = "return document.querySelector('th[aria-sort]').getAttribute('aria-sort')"
    assert browser.run(sorted_by) == "descending"


def test_filters_and_search_narrow_the_rows_and_a_link_keeps_the_view(browser, files):
    browser.open(files["study"])
    assert browser.run(COUNT) == "28 rows"
    browser.run(SET, "status", "crashed")
    assert browser.run(NAMES) == ["onnx:int8", "onnx:int8"] and browser.run(COUNT) == "2 of 28 rows"
    browser.run(SET, "status", "")
    browser.run(SET, "search", "INT8 mobilenet")
    browser.run(CLICK, "th[data-field=size_bytes] button.sort")
    browser.run(CLICK, "input[name=column][value=load_ms]")
    seen = browser.run(SHOWN)
    assert len(seen) == 3 and all("int8 mobilenet_v2" in one for one in seen)
    view = browser.run("return location.hash")
    assert view == "#search=INT8+mobilenet&sort=size_bytes&hide=load_ms"
    browser.open(files["study"], view)
    assert browser.run(SHOWN) == seen
    assert browser.run("return getComputedStyle(document.querySelector('th[data-field=load_ms]')).display") == "none"
    browser.run(CLICK, "button[type=reset]")
    browser.driver.execute_async_script("setTimeout(arguments[0])")
    assert browser.run(COUNT) == "28 rows" and browser.run("return location.hash") == ""


def test_of_a_long_table_only_what_is_in_sight_is_there_and_every_row_can_be_reached(browser, files):
    browser.resize(1400)
    browser.open(files["crowd"])
    assert browser.run(COUNT) == "113 rows"
    assert len(browser.run(NAMES)) < 60
    browser.run(SET, "device", "board-13")
    assert browser.run(COUNT) == "8 of 113 rows" and browser.run(NAMES) == [*FOUR, *FOUR]
    browser.run(SET, "device", "")
    browser.run(CLICK, "th[data-field=latency_ms_median] button.sort")
    assert browser.run(NAMES)[0] == "tflite:float32"
    last = browser.driver.execute_async_script(
        """const done = arguments[0], box = document.querySelector('.grid').parentElement;
        box.scrollTop = box.scrollHeight;
        requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => {
          const rows = [...document.querySelectorAll('.grid tbody tr:not(.spacer)')].slice(-2);
          done(rows.map((row) => [row.textContent, row.getAttribute('aria-rowindex')]));
        })));"""
    )
    assert "onnx:int8" in last[0][0] and last[0][1] == "113"
    assert "out of memory" in last[1][0] and last[1][1] == "114"


def test_without_a_script_a_long_table_shows_its_first_rows_and_says_so(files):
    text = re.sub(r"<script.*?</script>", "", files["crowd"].read_text(), flags=re.S)
    assert text.count('<tr class="" data-f=') + text.count('<tr class="failed" data-f=') == 50
    assert "113 rows, of which the first 50 are shown without a script; report.csv has them all" in text


def test_more_than_three_devices_are_laid_out_by_variant(browser, files):
    browser.open(files["crowd"])
    cells = """return [...document.querySelectorAll('table.overview tr')]
      .map((tr) => [...tr.cells].map((cell) => cell.textContent))"""
    head, *lines = browser.run(cells)
    assert head == ["Device", *FOUR] and len(lines) == 14
    assert lines[0] == ["board-00", "1.01 ms", "2.01 ms", "3.01 ms", "4.02 ms"]
    browser.open(files["study"])
    assert browser.run("return document.querySelector('table.overview')") is None


def test_on_a_phone_the_column_of_variants_and_its_head_stay(browser, files):
    browser.resize(380)
    browser.open(files["study"])
    places = """const box = document.querySelector('.grid').parentElement;
      box.scrollLeft = 200; box.scrollTop = 120;
      const [frame, th, td] = [box, box.querySelector('th.variant'), box.querySelector('td.variant')].map((node) =>
        node.getBoundingClientRect());
      return [th.left - frame.left, th.top - frame.top, td.left - frame.left]"""
    assert [round(place) for place in browser.run(places)] == [1, 1, 1]
    assert browser.run("return document.documentElement.scrollWidth") <= 380


def test_the_verdict_comes_first_and_remarks_stand_beside_their_row(browser, files):
    browser.resize(1400)
    browser.open(files["study"])
    first = browser.run("return document.querySelector('main section h2').textContent")
    assert first == "Which file to ship"
    said = """return [...document.querySelectorAll('.grid tr')].find((row) => row.textContent.includes('trained'))
      .querySelector('.remarks').textContent"""
    assert "a remark of the conversion" in browser.run(said)


def test_every_figure_has_words_and_every_mark_can_be_told_apart(browser, files):
    browser.resize(1400)
    browser.open(files["study"])
    labels = browser.run(
        "return [...document.querySelectorAll('svg.plot')].map((one) => one.getAttribute('aria-label'))"
    )
    assert len(labels) > 15 and all(len(label) > 40 for label in labels)
    apart = """return [...document.querySelectorAll('#trade-offs svg.plot')].map((plot) => {
      const marks = [...plot.querySelectorAll('circle, polygon')].map((mark) => mark.getBBox());
      const centres = marks.map((box) => [box.x + box.width / 2, box.y + box.height / 2]);
      return Math.min(...centres.flatMap(([x, y], at) =>
        centres.slice(0, at).map(([u, v]) => Math.hypot(x - u, y - v))));
    })"""
    nearest = [distance for distance in browser.run(apart) if distance is not None]  # None: a mark alone
    assert len(nearest) > 3 and min(nearest) > 10
    outside = """return [...document.querySelectorAll('svg.plot')].flatMap((plot) => {
      const [, , width, height] = plot.getAttribute('viewBox').split(' ').map(Number);
      return [...plot.querySelectorAll('text')].filter((text) => {
        const box = text.getBBox();
        const out = box.x < -2 || box.x + box.width > width + 2 || box.y + box.height > height + 2;
        return !text.hasAttribute('transform') && out;
      }).map((text) => text.textContent);
    })"""
    assert browser.run(outside) == []


def test_a_printed_page_holds_every_row_and_no_control(browser, files):
    browser.resize(1100)
    browser.open(files["study"])
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    hidden = """return [...document.querySelectorAll('nav, form, .help')]
      .every((one) => getComputedStyle(one).display === 'none')"""
    assert browser.run(hidden)
    box = """const style = getComputedStyle(document.querySelector('.grid').parentElement);
      return [style.maxHeight, style.overflowX]"""
    assert browser.run(box) == ["none", "visible"]
    assert len(browser.run(NAMES)) == 28


def test_an_older_row_reads_as_it_was_written():
    """What JSON holds of a row is what its cells in the page would say."""
    report = build_report([make_result(), dataclasses.replace(make_failed(reason="</script>"), device="x")])
    assert "</script>" not in grid.grid(report).json()
