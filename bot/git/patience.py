"""Repeats a command over the network that failed for a passing reason."""

from __future__ import annotations

import functools
import math
import time
from typing import Any

from bot.base.patience import OutOfPatience, Patience
from bot.git.command import git_output

TRIES = 3
PAUSE = 1.0  # seconds before the second try; it doubles


def over_network(*arguments: Any, **options: Any) -> bytes:
    """As `git_output`, and try again if the network or the server failed.

    A push may be repeated like a fetch: a ref that is where it shall be counts as pushed, one that is
    deleted as gone, and the lease keeps what others pushed meanwhile.
    """
    once = functools.partial(git_output, *arguments, **options)
    try:
        return Patience(time.sleep, longest_wait=math.inf).ask(once, tries=TRIES, pause=PAUSE)
    except OutOfPatience as over:
        raise over.failure from None
