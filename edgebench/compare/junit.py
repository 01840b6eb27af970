"""Gate outcomes as JUnit XML, which every CI system shows."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from edgebench.compare.gates import Outcome


def to_junit(outcomes: Sequence[Outcome]) -> bytes:
    """Return one test suite, one test case a cell and gate; what the intervals cannot decide is in system-out."""
    failures = sum(not outcome.passed for outcome in outcomes)
    suite = ET.Element("testsuite", name="edgebench compare", tests=str(len(outcomes)), failures=str(failures))
    for outcome in outcomes:
        case = ET.SubElement(suite, "testcase", classname=_clean(outcome.cell), name=_clean(f"fail if {outcome.gate}"))
        if outcome.passed:
            ET.SubElement(case, "system-out").text = _clean(outcome.reason)
        else:
            ET.SubElement(case, "failure", message=_clean(outcome.reason)).text = _clean(outcome.reason)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True).encode()


def _clean(text: str) -> str:
    """Drop what XML 1.0 cannot hold: a runtime's message may contain anything."""
    return "".join(letter for letter in text if letter in "\t\n" or (letter >= " " and letter not in "\ufffe\uffff"))
