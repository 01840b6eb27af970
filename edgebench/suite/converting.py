"""The second stage: conversions side by side, each in a process of its own; nothing is measured meanwhile."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from edgebench.errors import EdgebenchError
from edgebench.pipeline.convert import convert
from edgebench.pipeline.events import ConversionEvent, ConversionFinished
from edgebench.pipeline.manifests import Order
from edgebench.records import Artifact
from edgebench.suite import steps
from edgebench.suite.events import CONVERT, StageStarted, StepDone
from edgebench.suite.journal import CONVERTED, Line
from edgebench.suite.plan import ConvertStep
from edgebench.suite.study import Study

POLL_SECONDS = 0.2
Converter = Callable[[Study, Order], Sequence[Artifact]]
"""Makes every variant of an order in the study's output folder. Raises EdgebenchError where the model is of no use."""


def convert_all(study: Study, converter: Converter | None = None, jobs: int = 0) -> None:
    """Convert what is not converted. Raises KeyboardInterrupt at once when the user stops it."""
    todo: list[tuple[ConvertStep, Order]] = []
    total = 0
    for step in study.plan.conversions:
        order = study.order(step)
        total += len(step.variants)
        left = tuple(v for v in step.variants if order and not study.is_done(study.find_variant(step, v)))
        if order is not None and left:
            again = any(study.find_variant(step, variant) for variant in left)  # failed, and to be tried once more
            todo.append((step, dataclasses.replace(order, variants=left, force=again)))
        elif order is None:
            study.problems.setdefault(step.name, _why_not(study, step))
    left_over = sum(len(order.variants) for _, order in todo)
    if total:
        lost = sum(len(step.variants) for step in study.plan.conversions if step.name in study.problems)
        study.tell(StageStarted(CONVERT, total, total - left_over - lost))
    _side_by_side(study, todo, converter or _Here(), jobs or study.wishes.jobs)


def _why_not(study: Study, step: ConvertStep) -> str:
    assert step.trained is not None
    return study.problems.get(step.trained.name, "it is not trained")


class _Here:
    """Converts on this machine; `stop` ends what goes on at its next word."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def __call__(self, study: Study, order: Order) -> Sequence[Artifact]:
        def tell(event: ConversionEvent) -> None:
            if self._stopped.is_set():
                raise KeyboardInterrupt
            if isinstance(event, ConversionFinished):
                note(study, order, event.artifact)
            study.tell(event)

        return convert(order, tell)

    def stop(self) -> None:
        """Interrupt the others at their next event; what they run ends with this process."""
        self._stopped.set()


def note(study: Study, order: Order, artifact: Artifact) -> None:
    """Write down one variant, as it lies on the disk."""
    step = next(one for one in study.plan.conversions if one.name == order.name)
    study.journal.add(
        Line(
            CONVERTED,
            steps.place_of(step, order, artifact.variant),
            steps.variant_key(order.name, order, artifact.variant),
            artifact.status,
            artifact.reason,
            artifact.sha256,
            steps.subject(artifact),
            f"{artifact.variant} {artifact.model}",
            artifact.seconds,
        )
    )


def _side_by_side(study: Study, todo: Sequence[tuple[ConvertStep, Order]], converter: Converter, jobs: int) -> None:
    pool = ThreadPoolExecutor(max(1, jobs))
    waiting: dict[Future[Sequence[Artifact]], ConvertStep] = {}
    try:
        for step, order in todo:
            waiting[pool.submit(converter, study, order)] = step
        while waiting:
            done, _ = wait(waiting, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
            for future in done:
                _collect(study, waiting.pop(future), future)
    except BaseException:
        if isinstance(converter, _Here):
            converter.stop()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _collect(study: Study, step: ConvertStep, future: Future[Sequence[Artifact]]) -> None:
    try:
        future.result()
        study.tell(StepDone(CONVERT, step.name))
    except EdgebenchError as error:
        study.problems[step.name] = str(error)
        study.tell(StepDone(CONVERT, step.name, str(error)))
