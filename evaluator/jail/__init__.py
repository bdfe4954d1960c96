"""Jails: what a process of the candidate can see, and how it is started so that it sees nothing else."""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import UserError
from evaluator.jail import install
from evaluator.jail.bubblewrap import Bubblewrap, find_bubblewrap
from evaluator.jail.credentials import refuse_credentials
from evaluator.jail.file_system import FileSystem
from evaluator.jail.landlock import Landlock, find_landlock
from evaluator.jail.launch import Jail
from evaluator.jail.limits import ProcessLimits
from evaluator.jail.unjailed import Unjailed

_TRIAL_SECONDS = 20.0
_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000  # linux/sched.h
_OR_NONE = "or set `jail: none`, which marks every score as unjailed"


def choose(wanted: str) -> Jail:
    """Return the jail that `wanted` (auto, bubblewrap, landlock or none) stands for, after a trial of it.

    auto is bubblewrap; if this machine has none, the distribution's package is unpacked into the user's cache. If it
    can't work, it is Landlock, which leaves more open (`Jail.gaps`). "none" is for a machine whose owner said so.

    Raises `UserError` with what to do if it can't be had, and for none if credentials are in sight.
    """
    if wanted == "none":
        refuse_credentials()
        return Unjailed()
    if wanted == "landlock":
        jail = _landlock()
        if isinstance(jail, str):
            raise UserError(f"no jail can be made ({jail}): set `jail: auto`, {_OR_NONE}")
        return jail
    found = _bubblewrap(fetch=wanted == "bubblewrap" or namespaces_are_allowed())
    if isinstance(found, Bubblewrap):
        return found
    instead = _landlock() if wanted == "auto" else None
    if isinstance(instead, Landlock):
        _say(f"bubblewrap can't make a jail here ({found.why}): Landlock makes one, which leaves more open")
        return instead
    both = f"{found.why}; {instead}" if instead else found.why
    raise UserError(f"no jail can be made ({both}): {found.fix}; {_OR_NONE}")


@dataclass(frozen=True)
class _Missing:
    """Why there is no bubblewrap that works, and what to do."""

    why: str
    fix: str


def _bubblewrap(*, fetch: bool) -> Bubblewrap | _Missing:
    jail: Bubblewrap | _Missing | None = find_bubblewrap()
    if jail is None:
        if not fetch:
            return _Missing(
                "it is missing, and this user may make no user namespaces", "; ".join(_remedies())
            )
        jail = _unpacked()
    if isinstance(jail, _Missing):
        return jail
    complaint = _try(jail)
    if complaint is not None:
        return _Missing(complaint, "; ".join(_remedies()))
    if not jail.holds_quota:
        _say(f"{jail.bwrap}: holds no quota of what a run writes; bubblewrap 0.7 and later do")
    return jail


def _landlock() -> Landlock | str:
    """Return the jail of Landlock if it works, or why it does not."""
    jail = find_landlock()
    if jail is None:
        return "this kernel has no Landlock (Linux 5.13), it is turned off, or the container refuses it"
    complaint = _try(jail)
    return jail if complaint is None else f"Landlock: {complaint}"


def namespaces_are_allowed() -> bool:
    """Whether a process of ours may make a user namespace, or needs none to make others."""
    return _may_unshare(_NEW_USERS) or _may_unshare(_NEW_MOUNTS)


def _may_unshare(flag: int) -> bool:
    child = os.fork()
    if child == 0:
        os._exit(1 if ctypes.CDLL(None).unshare(flag) else 0)
    return os.waitpid(child, 0)[1] == 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _unpacked() -> Bubblewrap | _Missing:
    _say("bubblewrap is not installed: unpacking the distribution's package ...")
    try:
        install.unpack(install.cached())
    except UserError as error:
        return _Missing("bubblewrap is missing", str(error))
    found = find_bubblewrap()
    assert found is not None
    return found


@functools.cache
def _try(jail: Bubblewrap | Landlock) -> str | None:
    """Run a shell in the jail; return None, or why that did not work. Asked once per process."""
    if not jail.in_place:
        return _tried(jail, Path("/tmp/scratch"))
    with tempfile.TemporaryDirectory(prefix="nocturne-trial-") as folder:
        return _tried(jail, Path(folder, "scratch"))


def _tried(jail: Jail, scratch: Path) -> str | None:
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
