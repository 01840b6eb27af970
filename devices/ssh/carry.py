"""Carries to a device the runtimes it lacks: resolved, fetched and trimmed here; there it only unpacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgebench.devices.base import Carried, Progress
from edgebench.devices.provision.facts import Facts, read_facts
from edgebench.devices.provision.plan import CARRIED, Candidate, Plan, make_plan, missing_families
from edgebench.devices.provision.wheels import NoWheelError, Package, fetch
from edgebench.devices.returns import signal_name
from edgebench.devices.ssh.connection import Connection
from edgebench.devices.ssh.upload import Thing, send
from edgebench.devices.text import clean_text

NATIVE = {name: f"{name}.interpreter" for name in ("ai_edge_litert", "tflite_runtime")}  # the package loads no library
IMPORT_SECONDS = 330.0  # a little more than the agent gives it


class UnusableRuntimeError(NoWheelError):
    """A runtime was carried over, and the device cannot import it."""


@dataclass(frozen=True)
class Provision:
    """What to carry: the formats, whether newer versions are looked for, and the versions the user has pinned."""

    families: tuple[str, ...] | None = None  # None: those that lack a runtime
    refresh: bool = False
    pins: Mapping[str, str] = field(default_factory=dict)


def provision(connection: Connection, facts: Facts, progress: Progress, wanted: Provision) -> dict[str, str]:
    """Install a runtime for each format; return format -> why it has none still."""
    plan = make_plan(facts, wanted.pins)
    families = missing_families(facts, wanted.pins) if wanted.families is None else wanted.families
    reasons = {}
    for family in families:
        reason = _install_first(connection, facts, plan, family, progress, wanted.refresh)
        if reason is not None:
            reasons[family] = reason
    return reasons


def _install_first(
    connection: Connection, facts: Facts, plan: Plan, family: str, progress: Progress, refresh: bool
) -> str | None:
    """Install the first candidate that has wheels and can be imported there; return why there is none."""
    reasons = []
    for candidate in plan.candidates.get(family, ()):
        try:
            packages = [fetch(requirement, facts, refresh) for requirement in candidate.requirements]
            _install(connection, candidate, packages, progress)
            _try_out(connection, facts.name, candidate, packages[0])
        except NoWheelError as error:
            reasons.append(str(error))
            continue
        return None
    return plan.reasons.get(family) or "; ".join(reasons)


def _install(connection: Connection, candidate: Candidate, packages: list[Package], progress: Progress) -> None:
    progress(Carried(packages[0].distribution, packages[0].version))
    for package in packages:
        thing = Thing("packages", package.sha256, package.sha256, "", unpack=True)
        send(connection, package.path, thing, progress)
    value = {
        "version": packages[0].version,
        "packages": [package.sha256 for package in packages],
        "names": [f"{package.distribution} {package.version}" for package in packages],
    }
    connection.request("set_environment", runtime=candidate.runtime, value=value)


def _try_out(connection: Connection, name: str, candidate: Candidate, package: Package) -> None:
    """Import the runtime there once; where that fails, forget it and raise UnusableRuntimeError with the reason."""
    facts = read_facts(connection.request("facts")[0], name)
    there = facts.environments.get(candidate.runtime)
    package_name = CARRIED[candidate.runtime].package
    module = NATIVE.get(package_name, package_name)
    paths = list(there.paths) if there else []
    answer, _ = connection.request("try_import", patience=IMPORT_SECONDS, module=module, paths=paths)
    code = answer.get("code")
    if code == 0:
        return
    connection.request("set_environment", runtime=candidate.runtime, value={})
    died = f"it died of {signal_name(-code)}" if type(code) is int and -65 < code < 0 else ""
    said = died or clean_text(answer.get("said", ""), 300) or "no message"
    raise UnusableRuntimeError(
        f"{package.distribution} {package.version} was carried over, and {name} cannot import it: {said}"
    )
