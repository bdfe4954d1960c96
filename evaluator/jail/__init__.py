"""Jails: what a process of the candidate can see, and how it is started so that it sees nothing else."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

from evaluator.errors import UserError
from evaluator.jail import install
from evaluator.jail.bubblewrap import Bubblewrap, find_bubblewrap
from evaluator.jail.credentials import refuse_credentials
from evaluator.jail.file_system import FileSystem
from evaluator.jail.launch import Jail
from evaluator.jail.limits import ProcessLimits
from evaluator.jail.unjailed import Unjailed

_TRIAL_SECONDS = 20.0
_OR_NONE = "or set `jail: none`, which marks every score as unjailed"


def choose(wanted: str) -> Jail:
    """Return the jail that `wanted` (auto, bubblewrap or none) stands for, after a trial of it.

    auto is bubblewrap; if this machine has none, the distribution's package is unpacked into the user's cache. "none"
    is for a machine whose owner said so.

    Raises `UserError` with what to do if it can't be had, and for none if credentials are in sight.
    """
    if wanted == "none":
        refuse_credentials()
        return Unjailed()
    jail = find_bubblewrap() or _unpacked()
    complaint = _try(jail)
    if complaint is not None:
        raise UserError(f"no jail can be made ({complaint}): {'; '.join(_remedies())}; {_OR_NONE}")
    if not jail.holds_quota:
        print(
            f"{jail.bwrap}: holds no quota of what a run writes; bubblewrap 0.7 and later do", file=sys.stderr
        )
    return jail


def _unpacked() -> Bubblewrap:
    print(
        "bubblewrap is not installed: unpacking the distribution's package ...", file=sys.stderr, flush=True
    )
    try:
        install.unpack(install.cached())
    except UserError as error:
        raise UserError(f"no jail can be made: {error}; {_OR_NONE}") from None
    found = find_bubblewrap()
    assert found is not None
    return found


@functools.cache
def _try(jail: Bubblewrap) -> str | None:
    """Run a shell in the jail; return None, or why that did not work. Asked once per process."""
    scratch = Path("/tmp/scratch")
    file_system = FileSystem(read_only=(), scratch=scratch, scratch_bytes=1 << 20)
    command = ("/bin/sh", "-c", "exit 7")
    launch = jail.launch(command, env={}, folder=scratch, file_system=file_system, limits=ProcessLimits())
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


def _remedies() -> list[str]:
    """Say what this machine forbids, as commands that would allow it."""
    remedies = []
    if _setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        remedies.append(
            "let AppArmor allow user namespaces to bubblewrap: apt install apparmor-profiles && "
            "ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/ && "
            "systemctl reload apparmor"
        )
    if _setting("kernel/unprivileged_userns_clone") == "0":
        remedies.append("sysctl -w kernel.unprivileged_userns_clone=1")
    if _setting("user/max_user_namespaces") == "0":
        remedies.append("sysctl -w user.max_user_namespaces=15000")
    if _in_container():
        remedies.append(
            "start this container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
            "--security-opt systempaths=unconfined"
        )
    return remedies or ["let this user make user namespaces (user_namespaces(7))"]


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return ""


def _in_container() -> bool:
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()
