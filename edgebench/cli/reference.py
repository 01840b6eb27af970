"""The page of all commands, from the commands themselves: `python -m edgebench.cli.reference > docs/commands.md`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from edgebench.cli import cli

HEAD = "# Commands\n\nWritten by `make docs` from the commands themselves.\n"


def page() -> str:
    """Return the page as Markdown; the same on every machine, whatever other packages are installed."""
    return "\n".join([HEAD, *_sections(cli, click.Context(cli, info_name="edgebench", **cli.context_settings))])


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## {context.command_path}\n\n```\n{_help(command, context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _sections(inner, click.Context(inner, info_name=name, parent=context))


def _help(command: click.Command, context: click.Context) -> str:
    """Return the help without its epilog, which tells of this installation."""
    formatter = click.HelpFormatter(width=100)
    command.format_usage(context, formatter)
    command.format_help_text(context, formatter)
    command.format_options(context, formatter)
    return formatter.getvalue().rstrip()


if __name__ == "__main__":
    click.echo(page(), nl=False)
