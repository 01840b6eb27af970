import csv
import dataclasses
import io
import json
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from edgebench.expression import parse
from edgebench.measures.latency import latency_summary
from edgebench.records import Calibration, OperatorTime
from edgebench.report.content import Report, build_report
from edgebench.report.markdown import markdown_text
from edgebench.report.page import html_text
from edgebench.report.tables import csv_text, json_text
from edgebench.report.terminal import print_report
from edgebench.results.figures import FIGURES
from edgebench.results.recommend import Wish
from tests.make import digest, make_accuracy, make_failed, make_result, make_study

HOSTILE = (
    """</script><script>document.title='owned'</script><img src=x onerror=a()>%{x}|`a`[l](javascript:b)"q"\x1b[31m"""
)


class Reader(HTMLParser):
    """Collects tags, attributes and the text outside of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        if self.tags[-1:] not in (["script"], ["style"]):
            self.text += data


@pytest.fixture(scope="module")
def study() -> Report:
    return build_report(make_study(), ["/somewhere/broken.json is not an edgebench record"])


@pytest.fixture(scope="module")
def page(study) -> str:
    return html_text(study)


@pytest.fixture(scope="module")
def hostile() -> Report:
    random = {"calibration": Calibration("random", 0, digest("r"), 0), "notes": (HOSTILE,)}
    named = {"model": HOSTILE, "device": HOSTILE}
    results = [make_result(**named, variant="tflite:int8", artifact=random), make_result(**named, created=HOSTILE)]
    return build_report([*results, make_failed(**named, reason=HOSTILE), make_result()], [HOSTILE])


def test_csv_has_one_line_a_result_and_nothing_for_what_was_not_measured(study):
    lines = list(csv.DictReader(io.StringIO(csv_text(study))))
    assert len(lines) == len(study.rows) == 27
    crashed = next(line for line in lines if line["status"] == "crashed")
    empty = ["images", "top1", "top1_drop", "agreement", "latency_ms_median", "peak_rss_bytes", "load_ms", "stability"]
    assert [crashed[name] for name in empty] == [""] * len(empty)
    measured = next(line for line in lines if line["variant"] == "tflite:float32" and line["device"] == "cpu")
    integers = ["size_bytes", "images", "threads", "batch", "peak_rss_bytes", "model_rss_bytes"]
    assert [measured[name] for name in integers] == ["640000", "500", "1", "1", "59600000", "19600000"]
    assert measured["emulated"] == "False"


def test_csv_keeps_spreadsheets_from_running_text():
    text = csv_text(build_report([make_failed(reason='=HYPERLINK("http://x")')]))
    assert next(csv.DictReader(io.StringIO(text)))["reason"] == '\'=HYPERLINK("http://x")'


def test_json_holds_rows_and_their_origin_without_raw_samples(study):
    value = json.loads(json_text(study))
    assert value["version"] == 2
    assert len(value["rows"]) == len(value["results"]) == 27
    first = value["results"][0]
    assert first["artifact"]["sha256"] and first["latency"]["samples"] == 450 and first["environment"]["cores"] == 2
    assert "latency_ns" not in json_text(study)
    assert value["rejected"] == ["/somewhere/broken.json is not an edgebench record"]


def test_a_report_keeps_the_figures_and_not_the_samples():
    whole = make_result()
    report = build_report(iter([whole]))
    (kept,) = report.results
    assert [run.latency_ns for run in kept.runs] == [()] * 4 and kept.runs[0].memory == whole.runs[0].memory
    assert report.rows[0].of.latency == latency_summary(whole.runs)
    found = json.loads(json_text(report))["results"][0]
    assert found["latency"]["median_ns"] == latency_summary(whole.runs).median_ns
    assert found["evaluations"] == json.loads(json.dumps([dataclasses.asdict(one) for one in whole.evaluations]))


def test_markdown_has_tables_failures_and_what_was_left_out(study):
    text = markdown_text(study)
    assert "| digits-cnn | tflite:dynamic | **179 kB** | 97.0% | -0.2 | undecided | 99.8% | **0.322 ms** |" in text
    assert "- digits-cnn onnx:int8 on cpu: crashed: the process ended with signal 11 (SIGSEGV) while loading" in text
    assert "- /somewhere/broken.json is not an edgebench record" in text
    emulated = [line for line in text.splitlines() if line.startswith("| digits-cnn") and "emulated" in line]
    assert len(emulated) == 4 and not any(" ms" in line for line in emulated)


def test_markdown_escapes_what_it_is_told(hostile):
    text = markdown_text(hostile)
    assert "<script" not in text and "<img" not in text and "\x1b" not in text
    assert not re.search(r"(?<!\\)\]\(|(?<!\\)`a", text)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.M):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_page_asks_no_network_for_anything(page):
    reader = Reader(page)
    links = [value for name, value in reader.attributes if name in ("href", "src", "action", "data")]
    assert {link for link in links if not link.startswith("#")} == {"report.csv", "report.json"}
    assert not {"link", "iframe", "object", "img", "base"} & set(reader.tags)
    assert "default-src 'none'" in page and "@import" not in page and "url(" not in page.split("</style>")[0]


def test_page_says_the_essentials(page):
    text = Reader(page).text
    for words in (
        "digits-cnn and mobilenet_v2 on cpu and virtual-pi",
        "27 results · 3 failed · 500 images",
        "Smallest with no loss shown",
        "the process ended with signal 11 (SIGSEGV) while loading",
        "times as long:",
        "Could not be read and is left out: /somewhere/broken.json",
        "Top-1 accuracy against latency",
        "How to read the columns",
    ):
        assert words in text


def test_no_emulated_latency_is_drawn_or_printed(page, study):
    drawn = re.findall(r'<svg class="plot".*?</svg>', page, re.S)
    # Of the real device two models x (latency, size, bars, boxes, memory), and the models against three costs.
    assert len(drawn) == 13
    slow = [row for row in study.rows if row.emulated]
    assert slow and all(f"{row.latency_ms_median:.3g}" not in Reader(page).text for row in slow)


def test_page_escapes_every_untrusted_text(hostile):
    page = html_text(hostile)
    reader, harmless = Reader(page), Reader(html_text(build_report(make_study())))
    assert set(reader.tags) <= {*harmless.tags, "ul", "li", "tr", "td", "b"}
    assert not any(name.startswith("on") for name, _ in reader.attributes)
    assert HOSTILE in reader.text
    assert "svg" in reader.tags


def test_operators_are_in_every_output(hostile):
    run = dataclasses.replace(
        make_result().runs[0],
        kind="operators",
        operators=tuple(
            OperatorTime(f"{HOSTILE}{n}", "Conv", (12 - n) * 1_000_000, "CPU" if n else "CUDA") for n in range(12)
        ),
        environment={"xnnpack_partitions": 3, "operators_off_xnnpack": "SOFTMAX x1"},
    )
    result = make_result()
    report = build_report([dataclasses.replace(result, runs=(*result.runs, run))])
    console = Console(width=110, file=io.StringIO())
    print_report(report, console)
    for text in (Reader(html_text(report)).text, markdown_text(report), console.file.getvalue()):
        assert "12.000 ms" in text and "15.4%" in text and "2.000 ms" not in text.replace("12.000 ms", "")
        assert "and 2 more, 78.000 ms in all" in text
        assert "in 3 partitions; off its fast path: SOFTMAX x1" in text
        assert "CUDA: 1 operators, 12.000 ms" in text and "\x1b[31m" not in text
    assert "<script" not in markdown_text(report)
    assert "Where the time goes" not in html_text(hostile)


def test_what_meets_the_requirements_stands_before_the_verdict():
    wish = Wish((parse("top1_drop < 0.01", frozenset(FIGURES)),), "size_bytes")
    results = [make_result(), make_result(variant="tflite:int8", accuracy=make_accuracy(both=400, lost=90))]
    text = Reader(html_text(build_report(results, wish=wish))).text
    assert (
        text.index("What meets your requirements") < text.index("Ship digits tflite:float32") < text.index("Which file")
    )
    assert "fails" in text and "Shaded: what the requirements allow" in text
    assert "What meets your requirements" not in Reader(html_text(build_report(results))).text


def test_without_images_there_is_a_sentence_in_place_of_a_chart():
    speed_only = dataclasses.replace(make_result(), evaluations=())
    text = Reader(html_text(build_report([speed_only]))).text
    assert "No images were given, so there is no accuracy to draw." in text
    assert "against latency" not in text and "Latency" in text


def test_an_empty_report_is_still_a_page():
    page = html_text(build_report([]))
    assert "No results yet" in page and len(page) < 40_000  # no Plotly where there is nothing to draw
    assert "No results yet" in markdown_text(build_report([]))
