"""The two ways a run can end without a score: the user's mistake, and the candidate's."""

from __future__ import annotations

from collections.abc import Mapping


class UserError(Exception):
    """Something the user can put right: one line, exit code 2, no traceback."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class CandidateFailed(Exception):
    """The candidate got no score.

    `kind` is one of syntax, import, out_of_memory, nan, timeout, killed, unportable (a model that can't be rebuilt
    in a fresh process), refused, error, or infrastructure if the machine failed and not the candidate; `reason` is
    one line. `defence` names what spoke, where it was one of ours: jail, limits, clock, protocol, audit, cuts, scoring
    or leak. `audit` are the audit's figures, if it was that.
    """

    def __init__(
        self,
        kind: str,
        reason: str,
        traceback: str | None = None,
        *,
        defence: str | None = None,
        audit: Mapping[str, float] | None = None,
    ) -> None:
        self.kind = kind
        self.audit = audit
        self.defence = defence
        self.reason = " ".join(reason.split())[:500]
        self.traceback = traceback
        super().__init__(self.reason)


class Interrupted(BaseException):
    """Asked to stop by a signal, or nobody reads what we say any more: clean up and leave (exit code 130)."""
