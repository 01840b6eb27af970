"""`edgebench devices`: what can be reached, what it has, what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from edgebench.cli.display import Display
from edgebench.devices.config import FILE, config_files, find_device, read_devices
from edgebench.devices.provision.advice import advise, describe, what_runs
from edgebench.devices.ssh.device import SshDevice

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(name="devices")
def command() -> None:
    """List, check, prepare and clean the devices that `profile --device NAME` measures on.

    A device needs Python 3.9 or newer and sshd; everything else is carried over. NAME is a table in devices.toml, in
    the project folder or in ~/.config/edgebench, or ssh://user@host:port.

    \b
    Example (devices.toml):
      [kitchen-pi]
      host = "pi@kitchen.local"      # or user, port, identity, ssh_config, python, store
    """


@command.command(name="list")
@as_json_option
def list_devices(as_json: bool) -> None:
    """List the devices that have a name; nothing is connected.

    \b
    Example:
      edgebench devices list
    """
    devices = read_devices(Path.cwd())
    if as_json:
        click.echo(json.dumps([device.model_dump() for device in devices.values()], indent=1))
        return
    click.echo("cpu                  this machine")
    for device in devices.values():
        port = f" port {device.port}" if device.port else ""
        click.echo(f"{device.name:<20} {device.address}{port}    ({device.origin})")
    if not devices:
        places = " or ".join(str(path) for path in config_files(Path.cwd()))
        click.echo(f'No other device has a name yet: write [NAME] and host = "user@host" into {places}', err=True)


@command.command()
@click.argument("name")
@as_json_option
def check(name: str, as_json: bool) -> int:
    """Say whether NAME can be reached, what it is, what each variant will run on, and what to do about the rest.

    \b
    Example:
      edgebench devices check kitchen-pi
    """
    with _opened(name) as (device, display):
        facts = device.facts()
        usage = device.usage()
        del display
    runs, advice = what_runs(facts), advise(facts)
    if as_json:
        value: dict[str, object] = {**facts.model_dump(), "runs": runs, "advice": advice, "store": usage.model_dump()}
        click.echo(json.dumps(value, indent=1))
    else:
        click.echo(f"{name} is reachable.")
        _table(describe(facts))
        _table({"store": f"{usage.root}, {usage.size / 1e6:.1f} MB in {usage.files} files"})
        click.echo("\nWhat runs there:")
        _table(runs)
        for line in advice:
            click.echo(f"\n- {line}")
    return 0 if any(not line.startswith("nothing") for line in runs.values()) else 1


@command.command()
@click.argument("name")
@click.option("--upgrade", is_flag=True, help="Look for newer versions of what is there already.")
def install(name: str, upgrade: bool) -> int:
    """Carry to NAME the runtimes it lacks; the first profile does so by itself.

    The wheels are fetched and unpacked here and kept in a cache on both sides: the device needs no pip, no internet
    and no root.

    \b
    Example:
      edgebench devices install kitchen-pi
    """
    with _opened(name) as (device, _):
        reasons = device.install(upgrade)
        there = device.runtimes()
    for runtime, version in there.items():
        click.echo(f"{name}: {runtime} {version}")
    for family, reason in reasons.items():
        click.echo(f"{name}: nothing for {family}: {reason}", err=True)
    return 0 if there else 1


@command.command()
@click.argument("name")
def clean(name: str) -> None:
    """Remove from NAME everything edgebench keeps there: one folder. A measurement that runs there is ended.

    \b
    Example:
      edgebench devices clean kitchen-pi
    """
    with _opened(name) as (device, _):
        removed = device.remove_all()
    click.echo(f"{name}: removed {removed.root}, {removed.size / 1e6:.1f} MB in {removed.files} files")


@contextmanager
def _opened(name: str) -> Iterator[tuple[SshDevice, Display]]:
    """Connect to a device; `cpu` is not one."""
    if name in ("cpu", "gpu"):
        raise click.UsageError(f"{name} is this machine: nothing to check or carry over; name a device of {FILE}")
    config = find_device(name, Path.cwd())
    with Display() as display, SshDevice(config, tell=display.tell) as device:
        yield device, display


def _table(rows: dict[str, str]) -> None:
    for key, value in rows.items():
        click.echo(f"  {key:<12} {value}")
