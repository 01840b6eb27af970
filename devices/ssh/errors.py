"""What the OpenSSH client says when it ends, turned into what to do about it."""

from __future__ import annotations

from edgebench.devices.config import DeviceConfig
from edgebench.devices.ssh.payload import OLDEST_PYTHON
from edgebench.devices.text import SHORT, clean_bytes, clean_text
from edgebench.errors import DeviceError

NOT_EXECUTABLE, NOT_FOUND, SSH_FAILED = 126, 127, 255
SIGNALS = 128
EATEN = ("invalid literal for int()", "incorrect header check", "StopIteration", "zlib.error")
READS = (
    "something in its login (~/.bashrc, ~/.profile, ~/.zshenv) reads from standard input, which carries edgebench's "
    "agent: let that happen only where a person sits, behind `[ -t 0 ] || return`"
)


def explain(
    config: DeviceConfig, code: int | None, said: str, noise: bytes = b"", greeted: bool = True
) -> tuple[str, bool]:
    """Return a message, and whether trying again cannot help. `noise` is what was printed in place of a greeting."""
    known = _known_failure(config, said, code)
    if known is not None:
        return known
    lines = [clean_text(line, 500) for line in said.splitlines() if line.strip() and not line.startswith("@@")]
    last = lines[-1] if lines else "no message"
    heard = clean_bytes(noise, SHORT)
    if not greeted and (code not in (SSH_FAILED, None) or not lines):
        return _never_started(config, code, last, heard), code != SSH_FAILED
    if code == SSH_FAILED or code is None or code < 0:
        # A login that dies by a signal gives ssh's own code too: what it printed may be all that is in `last`.
        hint = "" if greeted else f"; if the login printed that, {_try_it(config)}"
        return f"the connection to {config.name} ({config.address}) broke or could not be made: {last}{hint}", False
    return f"the agent on {config.name} ended with exit code {code}: {last}", True


def explain_hello(config: DeviceConfig, hello: dict[str, object]) -> None:
    """Raise DeviceError where the agent's first words are that it cannot work there."""
    if "too_old" in hello:
        raise DeviceError(
            f"{config.name} has Python {clean_text(hello['too_old'], 40)}; edgebench needs "
            f"{'.'.join(map(str, OLDEST_PYTHON))} or newer there: install one and name it as python = "
            f'"..." in devices.toml'
        )
    if "store_error" in hello:
        raise DeviceError(
            f"{config.name} cannot keep edgebench's folder (store = {config.store!r}): "
            f"{clean_text(hello['store_error'], 500)}. Name another in devices.toml: a folder of its own on a disk "
            "that this user may write to"
        )


def explain_silence(config: DeviceConfig, heard: bytes, said: str, seconds: float) -> str:
    """Say what to do about a login that neither ends nor starts the command."""
    text = clean_bytes(heard, SHORT) or clean_text(said, SHORT)
    printed = f"; it printed {text!r}" if text else ""
    return (
        f"{config.name} ({config.address}) did not start edgebench's agent in {seconds:.0f} s{printed}: perhaps {READS}"
    )


def _known_failure(config: DeviceConfig, said: str, code: int | None) -> tuple[str, bool] | None:
    """Return what ssh's own well-known words mean."""
    login = f"ssh {config.address}" + (f" -p {config.port}" if config.port else "")
    last = clean_text(next((line for line in reversed(said.splitlines()) if line.strip()), "no message"), 500)
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
    return None


def _never_started(config: DeviceConfig, code: int | None, last: str, heard: str) -> str:
    """Say why the agent never greeted: the login did not start it, or its Python could not."""
    printed = f" It printed {heard!r}." if heard else ""
    advice = _try_it(config)
    if any(words in last for words in EATEN):
        return f"the agent on {config.name} got other words than edgebench sent: {READS}.{printed}"
    if code == NOT_EXECUTABLE:
        return f"{config.python} on {config.name} cannot be run ({last}): name another as python in devices.toml"
    if (code is not None and SIGNALS < code < SSH_FAILED) or code == SSH_FAILED:
        died = f"with signal {code - SIGNALS}" if code and code != SSH_FAILED else "without a word"
        return (
            f"{config.python} on {config.name}, or the login, ended {died} before it said anything: {advice}.{printed}"
        )
    if last == "no message":
        last = "without a message; its login may allow no commands (nologin, a menu, a restricted shell)"
    return (
        f"{config.python} on {config.name} did not start (exit code {code}): {last}.{printed} To see it, {advice}, or "
        'name another Python as python = "..." in devices.toml'
    )


def _known_name(config: DeviceConfig) -> str:
    return f"[{config.host}]:{config.port}" if config.port else config.host


def _try_it(config: DeviceConfig) -> str:
    return f"try `ssh {config.address} {config.python} -V`"
