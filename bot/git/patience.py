"""Repeats a command over the network that failed for a passing reason."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import Any

from bot.base.patience import OutOfPatience, Passing, Patience
from bot.base.process import ProcessFailed
from bot.git.command import failure_text

TRIES = 3
PAUSE = 1.0  # seconds before the second try; it doubles
# A server that is busy, restarts or hangs up. GitHub also says 403 to somebody who asks too often.
_PASSING = re.compile(
    r"returned error: (403|408|429|5\d\d)|HTTP (403|408|429|5\d\d)|RPC failed|early EOF|unexpected disconnect"
    r"|hung up unexpectedly|Connection (reset|refused|closed|timed out)|Empty reply|Recv failure|Send failure"
    r"|Failed to connect|Couldn't connect|Could not resolve|TLS connection was non-properly terminated"
    r"|SSL_ERROR_SYSCALL|Operation timed out|Operation too slow|HTTP/2 stream"
)


def patient(run: Callable[..., bytes]) -> Callable[..., bytes]:
    """Return `run`, which runs one git command, made to try again if the network or the server failed.

    A push may be repeated like a fetch: a ref that is where it shall be counts as pushed, one that is
    deleted as gone, and the lease keeps what others pushed meanwhile.
    """

    def run_patiently(*arguments: Any, **options: Any) -> bytes:
        failed: list[ProcessFailed] = []

        def attempt() -> bytes:
            try:
                return run(*arguments, **options)
            except ProcessFailed as error:
                # Without an exit code it took too long already.
                if error.returncode is None or not _PASSING.search(failure_text(error)):
                    raise
                failed.append(error)
                raise Passing(str(error)) from None

        try:
            return Patience(time.sleep, longest_wait=math.inf).ask(attempt, tries=TRIES, pause=PAUSE)
        except OutOfPatience:
            raise failed[-1] from None

    return run_patiently
