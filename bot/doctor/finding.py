"""What a check found: green, amber or red, what was measured, and the fix."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.base.process import ProcessFailed
from bot.errors import UserError
from bot.forge.github_client import Refused
from bot.git import Damaged

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


def examine(condition: str, check: Callable[[], Sequence[Finding]]) -> list[Finding]:
    """Return what `check` finds; if it can't be made at all, that is the finding, and it is red.

    The errors that a check may meet name their fix themselves.
    """
    try:
        return list(check())
    except (UserError, Damaged, ProcessFailed, Refused, OSError, subprocess.SubprocessError) as error:
        said = " ".join(str(error).split())
        return [red(condition, said or type(error).__name__)]
