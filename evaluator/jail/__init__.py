"""Jails: what a process of the candidate can see, and how it is started so that it sees nothing else."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

from evaluator.errors import UserError
from evaluator.jail.bubblewrap import Bubblewrap, find_bubblewrap
from evaluator.jail.credentials import refuse_credentials
from evaluator.jail.namespaces import Namespaces
from evaluator.jail.unjailed import Unjailed
from evaluator.jail.view import Jail, Limits, View

_TRIAL_SECONDS = 20.0
_OR_NONE = "or set `jail: none`, which marks every score as unjailed"


def choose(wanted: str) -> Jail:
    """Return the jail that `wanted` (auto, bubblewrap, namespaces or none) stands for, after a trial of it.

    auto is bubblewrap, else namespaces; but a bubblewrap too old for quotas comes second. "none" is for a
    machine whose owner said so.

    Raises `UserError` with the mend where it can't be had, and for none where credentials are in sight.
    """
    if wanted == "none":
        refuse_credentials()
        return Unjailed()
    bubblewrap = find_bubblewrap() if wanted in ("auto", "bubblewrap") else None
    namespaces = Namespaces() if wanted in ("auto", "namespaces") else None
    jails: list[Bubblewrap | Namespaces] = [each for each in (bubblewrap, namespaces) if each is not None]
    if bubblewrap is not None and not bubblewrap.holds_quota:
        jails.reverse()
    complaints = []
    for jail in jails:
        complaint = _try(jail)
        if complaint is None:
            return jail
        complaints.append(complaint)
    mends = _mends() if complaints else []
    if bubblewrap is None and wanted != "namespaces":
        mends.insert(0, "apt install bubblewrap")
    why = "; ".join(complaints) or "bubblewrap is not installed"
    raise UserError(f"no jail can be made ({why}): {'; '.join(mends)}; {_OR_NONE}")


@functools.cache
def _try(jail: Bubblewrap | Namespaces) -> str | None:
    """Run a shell in the jail; return None, or why that did not work. Asked once per process."""
    scratch = Path("/tmp/scratch")
    view = View(read_only=(), scratch=scratch, scratch_bytes=1 << 20)
    command = ("/bin/sh", "-c", "exit 7")
    launch = jail.launch(command, env={}, folder=scratch, view=view, limits=Limits())
    try:
        done = subprocess.run(
            launch.argv, env=launch.env, pass_fds=launch.fds, capture_output=True, timeout=_TRIAL_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        launch.close()
    if done.returncode == 7:
        return None
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return said[0][:200] if said else f"exit code {done.returncode}"


def _mends() -> list[str]:
    """Say what this machine forbids, as commands that would allow it."""
    mends = []
    if _setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        mends.append(
            "let AppArmor allow user namespaces to bubblewrap: apt install apparmor-profiles && "
            "ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/ && "
            "systemctl reload apparmor"
        )
    if _setting("kernel/unprivileged_userns_clone") == "0":
        mends.append("sysctl -w kernel.unprivileged_userns_clone=1")
    if _setting("user/max_user_namespaces") == "0":
        mends.append("sysctl -w user.max_user_namespaces=15000")
    if _in_container():
        mends.append(
            "start this container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
            "--security-opt systempaths=unconfined"
        )
    return mends or ["let this user make user namespaces (user_namespaces(7))"]


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return ""


def _in_container() -> bool:
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()
