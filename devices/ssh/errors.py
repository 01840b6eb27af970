"""What the OpenSSH client says when it ends, turned into what to do about it."""

from __future__ import annotations

from edgebench.devices.config import DeviceConfig

NOT_FOUND, SSH_FAILED = 127, 255


def explain(config: DeviceConfig, code: int | None, said: str) -> tuple[str, bool]:
    """Return a message, and whether trying again cannot help."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith("@@")]
    last = lines[-1] if lines else "no message"
    login = f"ssh {config.address}" + (f" -p {config.port}" if config.port else "")
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in said:
        return (
            f"the host key of {config.name} ({config.address}) has CHANGED since it was first seen: if it was set up "
            f"anew, remove the old key with `ssh-keygen -R {_known_name(config)}` and log in once; if not, do not",
            True,
        )
    if "Host key verification failed" in said:
        return (
            f"the host key of {config.name} ({config.address}) is not known: log in once with `{login}`, compare the "
            "fingerprint it shows, and try again",
            True,
        )
    if "Permission denied" in said and code == SSH_FAILED:
        return (
            f"{config.name} refused the login ({last}): edgebench uses keys only; copy yours with "
            f'`ssh-copy-id {config.address}`, or name it as identity = "..." in devices.toml',
            True,
        )
    if code == NOT_FOUND or ("not found" in last and config.python in last):
        return (
            f"there is no {config.python} on {config.name}: install it there (`sudo apt install python3`), or name "
            'another as python = "..." in devices.toml',
            True,
        )
    if "Could not resolve hostname" in said:
        return f"cannot find {config.host!r} ({config.name}): {last}", False  # .local names go while a device restarts
    if code == SSH_FAILED or code is None or code < 0:
        return f"the connection to {config.name} ({config.address}) broke or could not be made: {last}", False
    return f"the agent on {config.name} ended with exit code {code}: {last}", True


def _known_name(config: DeviceConfig) -> str:
    return f"[{config.host}]:{config.port}" if config.port else config.host
