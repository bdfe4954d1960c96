"""Runs git so that nobody's settings change the result, and turns what it says into typed errors."""

from __future__ import annotations

import errno
import functools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.base.patience import Passing
from bot.base.process import ProcessFailed, run
from bot.errors import NotAllowed, UserError

NETWORK_TIMEOUT = 120.0  # seconds: a push or a fetch that says nothing for longer will not end
_DISK_FULL = ("No space left on device", "Disk quota exceeded", "no space left")
_NO_PERMISSION = (
    "insufficient permission for adding an object",
    "Read-only file system",
    "unable to create temporary file: Permission denied",
    "unable to create temporary object directory",
    "Unable to create",
)
# What git says of an object that a power cut left empty, short, or missing.
_DAMAGE = re.compile(
    r"object file .* is empty|loose object .* is corrupt|garbage at end of loose object|bad object"
    r"|unable to read|[Cc]ould not read [0-9a-f]{40}|missing (blob|tree|commit)|bad tree object"
    r"|inflate: data|unable to unpack|unable to parse|hash mismatch|unresolved deltas"
    r"|missing necessary objects|remote unpack failed|unpacker error|not a valid object|bad pack"
    r"|did not send all necessary objects|upload-pack: not our ref|not a tree object|invalid sha1 pointer"
    r"|cannot read existing object|corrupt object|Failed to traverse parents|packed object"
    r"|unable to resolve reference .*reference broken"
)


# A server that is busy, restarts or hangs up. GitHub also says 403 to somebody who asks too often.
_PASSING = re.compile(
    r"returned error: (403|408|429|5\d\d)|HTTP (403|408|429|5\d\d)|RPC failed|early EOF|unexpected disconnect"
    r"|hung up unexpectedly|Connection (reset|refused|closed|timed out)|Empty reply|Recv failure|Send failure"
    r"|Failed to connect|Couldn't connect|Could not resolve|TLS connection was non-properly terminated"
    r"|SSL_ERROR_SYSCALL|Operation timed out|Operation too slow|HTTP/2 stream"
)


class RemoteUnreachable(UserError):
    """The remote could not be reached; nothing was lost, and the same command may run again."""


class LoginRefused(RemoteUnreachable, NotAllowed):
    """The remote answers, and does not let us in."""


class Damaged(Exception):
    """An object that must be there is missing or unreadable: what a power cut or a full disk leaves."""


class Hindered(ProcessFailed, Passing):
    """A command over the network failed for a passing reason: it may be tried again."""


class Missing(Damaged):
    """An object that is not here."""


class Locked(Damaged):
    """A ref's lock file stays: its holder was killed, or takes long."""


@functools.cache
def git_version() -> tuple[int, int]:
    """Return git's version as (major, minor); raise `UserError` if git is not installed."""
    try:
        said = run(["git", "--version"]).decode()
    except FileNotFoundError:
        raise UserError("git is not installed: install git 2.34 or newer") from None
    found = re.search(r"(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


@functools.cache
def durable_config() -> tuple[tuple[str, str], ...]:
    """Return the settings that put an object and a ref on the disk before git says it is done."""
    # https://git-scm.com/docs/git-config#Documentation/git-config.txt-corefsync: 2.36 has core.fsync
    # and warns at the older key.
    if git_version() >= (2, 36):
        return (("core.fsync", "committed,loose-object,reference"),)
    return (("core.fsyncObjectFiles", "true"),)


@functools.cache
def environment() -> dict[str, str]:
    """Return the variables every git command of ours runs with."""
    config = (
        *durable_config(),
        ("commit.gpgsign", "false"),
        ("push.gpgSign", "false"),
        ("push.followTags", "false"),
        ("push.recurseSubmodules", "no"),
        ("fetch.recurseSubmodules", "no"),
        ("fetch.prune", "false"),
        ("core.hooksPath", os.devnull),
        ("core.fsmonitor", "false"),
        ("core.quotePath", "true"),
        ("core.logAllRefUpdates", "always"),
        ("core.warnAmbiguousRefs", "false"),
        ("advice.objectNameWarning", "false"),
        ("protocol.ext.allow", "never"),
        ("color.ui", "false"),
        ("log.showSignature", "false"),
        ("i18n.logOutputEncoding", "UTF-8"),
    )
    variables = {
        "LC_ALL": "C",
        "LANGUAGE": "",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        # A reflog entry needs a name; without one git refuses to write it.
        "GIT_COMMITTER_NAME": "Nocturne",
        "GIT_COMMITTER_EMAIL": "nocturne@users.noreply.github.com",
        "GIT_CONFIG_COUNT": str(len(config)),
    }
    for number, (key, value) in enumerate(config):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def git_output(
    arguments: Sequence[str],
    *,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 600.0,
) -> bytes:
    """Run `git ARGUMENTS` and return its output.

    Raises `UserError` for a full disk or a missing permission, `Damaged` for an unreadable object,
    `Hindered` for a network that fails, and `ProcessFailed` for anything else.
    """
    try:
        return run(
            ["git", *arguments], cwd=cwd, stdin=stdin, env=environment() | dict(env or {}), timeout=timeout
        )
    except FileNotFoundError:
        raise UserError("git is not installed: install git 2.34 or newer") from None
    except OSError as error:
        raise_for_disk(error)
        raise
    except ProcessFailed as error:
        said = failure_text(error)
        raise_for_text(said)
        if _DAMAGE.search(said):
            raise Damaged(last_line(said)) from error
        # Without an exit code it took too long already.
        if error.returncode is not None and _PASSING.search(said):
            raise Hindered(error.command, error.returncode, error.stdout, error.stderr) from None
        raise


def failure_text(error: ProcessFailed) -> str:
    """Return everything a failed command wrote, credentials blotted out."""
    return blot((error.stderr + b"\n" + error.stdout).decode(errors="replace"))


def blot(text: str) -> str:
    """Return `text` without the user and password part of any URL in it."""
    return re.sub(r"(\w+://)[^/\s@']+@", r"\1", text)


def last_line(said: str) -> str:
    """Return the line of git's message that says why: the first `fatal:` or `error:`, else the last one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for line in lines:
        if line.startswith(("fatal:", "error:", "ERROR:", "remote: error:")):
            return line.split(":", 1)[1].strip()
    return lines[-1] if lines else "no reason given"


def raise_for_text(said: str) -> None:
    """Raise `UserError` if git's words tell of a full disk or a missing permission."""
    if any(words in said for words in _DISK_FULL):
        raise UserError(
            "the disk is full: free some space and run again; nothing already recorded is lost"
            f" (git: {last_line(said)})"
        )
    for words in _NO_PERMISSION:
        if words in said and ("ermission" in said or "Read-only" in said):
            raise UserError(
                f"git may not write: {last_line(said)}: give this user write permission to the repository"
            )


def raise_for_disk(error: OSError) -> None:
    """Raise `UserError` if a Python file operation met a full disk or a missing permission."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" ({error.filename})" if error.filename else ""
        raise UserError(
            f"the disk is full{where}: free some space and run again; nothing already recorded is lost"
        ) from None
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        raise UserError(
            f"cannot write {error.filename}: give this user write permission to the repository"
        ) from None
