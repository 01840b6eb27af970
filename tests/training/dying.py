"""A training's worker that dies of -9 in the middle of epoch 3: `python -m tests.training.dying REQUEST.json`."""

import os
import signal
import sys

from edgebench.training import worker
from edgebench.training.events import Event, Step


class Dying(worker.Worker):
    """Kills its own process, so that it happens at one place however busy the machine is."""

    def tell(self, event: Event) -> None:
        """Pass the event on; after the second batch of epoch 3 there is no more."""
        super().tell(event)
        if isinstance(event, Step) and (event.epoch, event.step) == (3, 2):
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    worker.Worker = Dying
    sys.exit(worker.main(sys.argv[1:]))
