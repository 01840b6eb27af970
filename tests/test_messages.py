"""What crosses the pipe between two processes comes out as it went in, or is refused in one line."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.converters import protocol
from edgebench.errors import UsageError
from edgebench.messages import Done, Refused, from_line, to_line
from edgebench.records import Perturbation, Preprocessing, Source
from edgebench.training import events
from edgebench.training.settings import Training

ODD = Path(os.fsdecode(b"/tmp/caf\xe9 100%41/a\nb"))
SOURCE = Source("keras", "/m.keras", "ab", (("input_size", "8x8"),))
RULE = Preprocessing("none", mean=(0.5, 0.5), resize=(8,))
MESSAGES = [
    protocol.Conversion(SOURCE, RULE, ("onnx", "tflite"), ODD, (ODD / "layers.py",)),
    protocol.Quantisation(ODD, ("onnx:int8",), ODD, RULE, protocol.NamedImages(ODD, ODD), "logits", "arm", 0.01),
    protocol.Conversion(SOURCE, None, (), ODD),
    protocol.Prediction(SOURCE, RULE, ODD, None, ((Perturbation("noise", 0.5, 3), ODD),)),
    protocol.Loaded((8, 9, 3), 2, ("cat", "chien \u00e9"), 12, RULE, ("a note",)),
    protocol.NamedImages(ODD, None, ODD, (1, -1)),
    protocol.Started("onnx:int8"),
    protocol.Converted("onnx:int8", ODD, "in words", ("a note",), 0.25),
    protocol.Failed("onnx:int8", "why", 0.0),
    protocol.ReferenceMade(ODD),
    events.Request(Training("cnn:8", "photos", head=(256, 64), augment=("flip",), seed=3), ODD, True),
    events.Stop(),
    events.Epoch("head", 1, 2, math.inf, 0.5, 1e-300, 1.0, 3.5, True),
    events.Finished(ODD, ODD, False),
    Done(),
    Refused("why", 2),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_a_message_comes_out_as_it_went_in(message):
    line = to_line(message)
    assert line.isascii() and "\n" not in line
    assert from_line([Done, type(message)], line, "the worker") == message


def test_every_message_of_a_protocol_is_tried():
    tried = {type(message) for message in MESSAGES}
    assert {*protocol.REQUESTS, *protocol.EVENTS, protocol.NamedImages, protocol.Quantisation} <= tried


def test_not_a_number_stays_one():
    read = from_line([protocol.Failed], to_line(protocol.Failed("a:b", "c", math.nan)), "the worker")
    assert math.isnan(read.seconds)


def test_bytes_in_a_reason_that_are_no_text_are_shown():
    read = from_line([Refused], to_line(Refused(f"no {ODD}", 2)), "the worker")
    assert read.reason == "no /tmp/caf\\udce9 100%41/a\nb"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "the worker said something unknown: ''"),
        ("Segmentation fault", "the worker said something unknown: 'Segmentation fault'"),
        ("[" * 100_000, "the worker said something unknown"),
        ("[]", "the worker said something unknown"),
        ("{}", "the worker said something unknown"),
        ('{"kind": []}', "the worker said something unknown"),
        ('{"kind": "Failed", "variant": "a:b"}', "the worker said something unknown"),
        ('{"kind": "Started"}', "the worker is not a valid Started record: variant: Field required"),
        ('{"kind": "Started", "variant": 1}', "variant: Input should be a valid string"),
        ('{"kind": "Started", "variant": "a:b", "more": 1}', "more: Unexpected keyword argument"),
    ],
    ids=range(10),
)
def test_what_is_no_message_is_refused(line, said):
    with pytest.raises(UsageError) as refused:
        from_line([protocol.Started, Done], line, "the worker")
    assert said in str(refused.value)


def served(code: str) -> tuple[list[object], int]:
    """What a worker whose work is `code` says, and its exit code."""
    imports = "import os, sys\nfrom edgebench.errors import UsageError\nfrom edgebench.messages import Done, serve\n"
    done = subprocess.run([sys.executable, "-c", imports + code], input="", capture_output=True, text=True)
    return [from_line([Done, Refused], line, "the worker") for line in done.stdout.splitlines()], done.returncode


def test_a_worker_ends_with_one_last_word():
    assert served("def work(host): print('loud'); os.system('echo loud')\nsys.exit(serve(work))") == ([Done()], 0)
    refuse = "def work(host): raise UsageError('no')\nsys.exit(serve(work))"
    assert served(refuse) == ([Refused("no", 2)], 2)
    assert served("def work(host): assert host.hear(Done) is None\nsys.exit(serve(work))") == ([Done()], 0)
