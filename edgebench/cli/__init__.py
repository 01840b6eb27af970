"""The command line: one file a command, each loaded only when it is called."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from typing import NoReturn

import click

from edgebench import __version__
from edgebench.cli.streams import forgive
from edgebench.errors import EdgebenchError

# name -> (module in this package, one line for --help). The line stands here so that --help loads no command.
COMMANDS = {
    "train": ("train", "Train a classifier on your photos: a pretrained base with a new head, or a small net."),
    "convert": ("convert", "Convert trained models to SavedModel, TFLite and ONNX in every precision."),
    "profile": ("profile", "Measure artifacts on a device: accuracy drift, latency, memory, size."),
    "init": ("init", "Write a commented suite for the models and images of a folder."),
    "run": ("run", "Run a whole study from one TOML file, resumable."),
    "report": ("report", "Merge results from any device and day into one comparison."),
    "compare": ("compare", "Compare two sets of results and fail where a condition holds: a gate for CI."),
    "recommend": ("recommend", "Say which file to ship to each device, why not the others, what would decide."),
    "explain": ("explain", "Say what is inside a file, which layers lose what, and whether its label is true."),
    "ship": ("ship", "Write a folder with the file, its labels and a predict.py that answers as measured."),
    "devices": ("devices", "List, check and prepare the devices reached over SSH."),
    "demo": ("demo", "See the whole job on real images, from training to the report."),
}


# What the user's disk may say to any command that writes; every other OSError is a bug and shows its traceback.
DISK_ERRORS = {errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOTDIR, errno.EISDIR}
DISK_ADVICE = "make room or name another folder with --out; what was finished is kept"


class LazyGroup(click.Group):
    """A click group that imports a command's module when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the commands in the order a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command, or None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"edgebench.cli.{COMMANDS[cmd_name][0]}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgebench")
def cli() -> None:
    """Which file to ship to which device, in which format and precision, and what you lose.

    \b
    edgebench demo                                                 see the whole job in a few minutes
    edgebench convert model.keras --to all --data photos/          make every variant
    edgebench profile edgebench-out/artifacts --data photos/       measure them here
    edgebench report edgebench-out/results                         compare
    """


def _leave_at_once(code: int) -> NoReturn:
    """End the process now. Everything held is given back by `with`; taking the libraries down takes a second more."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # closed, or nobody reads it any more
            stream.flush()
    os._exit(code)


def main() -> None:
    """Run the command line: one clear line and an exit code for what the user can mend."""
    forgive()
    try:
        code = cli.main(standalone_mode=False)
    except EdgebenchError as error:
        click.echo(f"edgebench: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("edgebench: interrupted; what was finished is kept, the same command goes on from there", err=True)
        _leave_at_once(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        click.echo(f"edgebench: cannot write {error.filename or 'a file'}: {error.strerror}; {DISK_ADVICE}", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
