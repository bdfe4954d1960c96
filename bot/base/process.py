"""The one door to subprocesses: captured output, scrubbed environment, errors that carry what was said."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# Git sets these for its hooks; inherited, they would turn our commands on another repository.
# https://git-scm.com/docs/githooks and pre-commit's no_git_env
_KEEP_GIT_VARIABLES = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_SSL_NO_VERIFY", "GIT_EXEC_PATH")


class ProcessFailed(Exception):
    """A command ended with another exit code than zero, or ran out of time (`returncode` is then None)."""

    def __init__(self, command: Sequence[str], returncode: int | None, stdout: bytes, stderr: bytes) -> None:
        self.command = tuple(command)
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr
        said = (stderr or stdout).decode(errors="replace").strip()
        how = "timed out" if returncode is None else f"exit code {returncode}"
        super().__init__(f"{' '.join(command[:4])}: {how}: {said[-2000:]}")


def scrubbed_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return our environment without inherited `GIT_*` variables, plus `extra`."""
    kept = dict(os.environ)
    for name in os.environ:
        if name.startswith("GIT_") and name not in _KEEP_GIT_VARIABLES:
            del kept[name]
    return kept | dict(extra or {})


def in_actions(environ: Mapping[str, str]) -> bool:
    """Whether a workflow job runs us."""
    return environ.get("GITHUB_ACTIONS") == "true"


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 600.0,
) -> bytes:
    """Run `command` and return its standard output; raise `ProcessFailed` if it fails.

    `env` is added to the scrubbed environment; `timeout` is in seconds.
    """
    began = time.monotonic()
    try:
        done = subprocess.run(
            list(command),
            cwd=cwd,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env=scrubbed_environment(env),
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProcessFailed(command, None, error.stdout or b"", error.stderr or b"") from None
    finally:
        if logging.getLogger("nocturne").isEnabledFor(logging.DEBUG):
            _say(command, time.monotonic() - began)
    if done.returncode != 0:
        raise ProcessFailed(command, done.returncode, done.stdout, done.stderr)
    return done.stdout


def _say(command: Sequence[str], seconds: float) -> None:
    """Tell who asked for it by `-v` which program was run."""
    from bot.base.text import clean  # rarely needed

    print(f"{seconds:.3f} s  {clean(' '.join(command))[:200]}", file=sys.stderr)
