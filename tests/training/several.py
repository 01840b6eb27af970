"""Trains one request after the other in one process, each as a worker does: `python -m tests.training.several`."""

from dataclasses import dataclass

from edgebench.errors import EdgebenchError
from edgebench.messages import Done, Host, Refused
from edgebench.training.events import Event, Request, Step
from edgebench.training.worker import Worker


@dataclass(frozen=True)
class Asked:
    """A training, and the epoch and the step (from 1) after which the user asks for an end."""

    request: Request
    stop: tuple[int, int] | None


class Stopping(Worker):
    """Hears Ctrl-C after a step that is given, so that it happens at one place however busy the machine is."""

    after: tuple[int, int] | None = None

    def tell(self, event: Event) -> None:
        """Pass the event on."""
        super().tell(event)
        if isinstance(event, Step) and (event.epoch, event.step) == self.after:
            self._stop.set()


def main() -> None:
    """Read requests line by line and write each one's events."""
    host = Host()
    while (asked := host.hear(Asked)) is not None:
        worker = Stopping(asked.request, host)
        worker.after = asked.stop
        try:
            worker.run()
        except EdgebenchError as error:
            host.tell(Refused(str(error), error.exit_code))
        else:
            host.tell(Done())


if __name__ == "__main__":
    main()
