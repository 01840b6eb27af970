"""Carries to a device the runtimes it lacks: resolved, fetched and trimmed here; there it only unpacks."""

from __future__ import annotations

from edgebench.devices.base import Carried, Progress
from edgebench.devices.provision.facts import Facts
from edgebench.devices.provision.plan import Candidate, Plan, make_plan, missing_families
from edgebench.devices.provision.wheels import NoWheelError, Package, fetch
from edgebench.devices.ssh.connection import Connection
from edgebench.devices.ssh.upload import Thing, send


def provision(
    connection: Connection,
    facts: Facts,
    progress: Progress,
    families: tuple[str, ...] | None = None,
    refresh: bool = False,
) -> dict[str, str]:
    """Install a runtime for each format that has none (or for `families`); return format -> why it has none still."""
    plan = make_plan(facts)
    wanted = missing_families(facts) if families is None else families
    reasons = {}
    for family in wanted:
        reason = _install_first(connection, facts, plan, family, progress, refresh)
        if reason is not None:
            reasons[family] = reason
    return reasons


def _install_first(
    connection: Connection, facts: Facts, plan: Plan, family: str, progress: Progress, refresh: bool
) -> str | None:
    """Install the first candidate that has wheels; return why there is none."""
    reasons = []
    for candidate in plan.candidates.get(family, ()):
        try:
            packages = [fetch(requirement, facts, refresh) for requirement in candidate.requirements]
        except NoWheelError as error:
            reasons.append(str(error))
            continue
        _install(connection, candidate, packages, progress)
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
