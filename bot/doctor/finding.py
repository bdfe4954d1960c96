"""What a check found: green, amber or red, what was measured, and the fix."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from bot.base.process import ProcessFailed
from bot.errors import UserError
from bot.forge.github_client import Refused
from bot.git import Damaged

T = TypeVar("T")
Colour = Literal["green", "amber", "red"]


@dataclass(frozen=True)
class Finding:
    """One line of the examination. `mend` is the fix, empty if there is nothing to fix."""

    condition: str
    colour: Colour
    measured: str
    mend: str = ""


def green(condition: str, measured: str) -> Finding:
    return Finding(condition, "green", measured)


def amber(condition: str, measured: str, fix: str) -> Finding:
    return Finding(condition, "amber", measured, fix)


def red(condition: str, measured: str, fix: str = "") -> Finding:
    return Finding(condition, "red", measured, fix)


def attempt(condition: str, look: Callable[[], T]) -> tuple[T | None, list[Finding]]:
    """Return what `look` returns; if it can't look at all, that is a finding, and it is red.

    The errors that it may meet name their fix themselves.
    """
    try:
        return look(), []
    except (UserError, Damaged, ProcessFailed, Refused, OSError, subprocess.SubprocessError) as error:
        said = " ".join(str(error).split())
        return None, [red(condition, said or type(error).__name__)]


def examine(condition: str, check: Callable[[], Sequence[Finding]]) -> list[Finding]:
    """Return what `check` finds, or that it can't be made."""
    found, failed = attempt(condition, check)
    return [*(found or ()), *failed]
