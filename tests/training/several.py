"""Trains one request after the other in one process, each as a worker does: `python -m tests.training.several`."""

import json
import os
import sys

from edgebench.errors import EdgebenchError
from edgebench.training.events import Event, Step
from edgebench.training.worker import Worker


class Stopping(Worker):
    """Hears Ctrl-C after a step that is given, so that it happens at one place however busy the machine is."""

    after: list[int] | None = None

    def tell(self, event: Event) -> None:
        """Pass the event on."""
        super().tell(event)
        if isinstance(event, Step) and [event.epoch, event.step] == self.after:
            self._stop.set()


def main() -> None:
    """Read requests line by line and write each one's events."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        worker = Stopping(asked["request"], stream)
        worker.after = asked["stop"]
        try:
            worker.run()
        except EdgebenchError as error:
            worker.emit({"event": "error", "message": str(error)})
        else:
            worker.emit({"event": "done"})


if __name__ == "__main__":
    main()
