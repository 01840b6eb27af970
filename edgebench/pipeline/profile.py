"""Measure artifacts on one device: fresh processes, interleaved, each kept once finished; a result for every cell."""

from __future__ import annotations

from pathlib import Path

from edgebench import leftovers
from edgebench.devices.base import Device, Notice, OnDevice
from edgebench.pipeline import completion
from edgebench.pipeline.cell_results import place_of, write_result
from edgebench.pipeline.events import Resumed, Tell
from edgebench.pipeline.journal import Journal, exclusive
from edgebench.pipeline.request import Request
from edgebench.pipeline.sweep import Sweep
from edgebench.records import Result, to_dict


def profile(request: Request, device: Device, tell: Tell) -> list[Result]:
    """As `profile_files`, the results alone."""
    return list(profile_files(request, device, tell).values())


def profile_files(request: Request, device: Device, tell: Tell) -> dict[Path, Result]:
    """Measure every artifact of the request on `device` and write one result file for each; return them by its path.

    Finished runs are kept at once, so an interrupted profile goes on where it stopped. Raises UsageError for input
    that no cell could use; whatever breaks in one cell is that cell's status.
    """
    folder = request.out / "results" / device.name
    with exclusive(folder, device.name):
        leftovers.drop(folder, deep=True)
        journal = Journal(folder / "runs", only_ok=request.only_failed)
        if request.fresh:
            journal.clear()
        key = _key(request, device.name)
        kept = completion.find_results(folder / "runs", key, request.out) if key and not request.only_failed else None
        if kept is not None:
            text = f"finished before and not measured again: {len(kept)} results (--fresh measures all)"
            tell(OnDevice(device.name, Notice(text)))
            return kept
        with device:
            results = _measure(request, device, journal, tell)
        if key:
            completion.add_results(folder / "runs", key, [str(path.relative_to(request.out)) for path in results])
        else:
            journal.clear()
    return results


def _key(request: Request, device: str) -> str:
    """Hash of the whole request, by which its finished results are found again; empty: they are not kept."""
    if request.data_key is None:
        return ""
    what = [[one.group, one.artifact.label, one.artifact.sha256, one.artifact.status] for one in request.found]
    rule = request.preprocessing and to_dict(request.preprocessing)
    limits = [request.images, request.budget_seconds, request.runtime]
    return completion.key_of(device, what, to_dict(request.settings), request.data_key, rule, limits)


def _measure(request: Request, device: Device, journal: Journal, tell: Tell) -> dict[Path, Result]:
    """Return the results by their files, in the order of the request."""
    info = device.info()
    if len(journal):
        tell(Resumed(device.name, len(journal)))
    sweep = Sweep(request, device, info, journal, tell)
    cells = [sweep.plan(found) for found in request.found]
    places = [place_of(cell, request, info) for cell in cells]
    good: dict[Path, Result] = {}
    if request.only_failed:
        good = completion.good_results(zip(places, cells, strict=True), request.settings)
    sweep.measure([cell for cell, place in zip(cells, places, strict=True) if place not in good])
    places = [p if p in good else place_of(cell, request, info) for p, cell in zip(places, cells, strict=True)]
    return {
        place: good[place] if place in good else write_result(cell, request, info, place)
        for cell, place in zip(cells, places, strict=True)
    }
