"""What the evaluator's last event says of a run, cleaned and within bounds: the words in it are a candidate's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.base.text import clean, one_line
from bot.rules.bounds import LONGEST, audit_figures, is_number, measurable, too_large


@dataclass(frozen=True)
class RunOutcome:
    """What came back. `score` is None if the candidate failed; `failure` then says class and reason. `gaps` says what
    the jail could not close on its machine, `reference` what a run of the reference took, `audit` what it found."""

    score: float | None
    failure: dict[str, str] | None
    metrics: dict[str, float]
    fingerprint: str | None
    jail: str
    seconds: float
    curve: tuple[tuple[float, float, float], ...]
    log_tail: str
    gaps: tuple[str, ...] = ()
    reference: dict[str, Any] | None = None
    audit: dict[str, float] | None = None
    late: float = 0.0
    """Seconds from its end until this process took note of it, busy with something else."""


def outcome_of(event: Mapping[str, Any], *, seconds: float, late: float = 0.0) -> RunOutcome:
    """Return what a final event says. The words in it are a candidate's, and so is what was measured: cleaned, and
    within bounds."""
    failed = event.get("event") == "failed"
    failure = {
        "class": one_line(str(event.get("class", "error")), 40),
        "reason": one_line(str(event.get("reason", "")), 500),
    }
    if event.get("defence"):
        failure["defence"] = one_line(str(event["defence"]), 40)
    score = event.get("score")
    if not failed and not measurable(score):
        failed, failure = (
            True,
            {"class": "nan", "reason": too_large(score) if is_number(score) else "no number"},
        )
    metrics = {
        one_line(name, 200): float(value)
        for name, value in dict(event.get("metrics") or {}).items()
        if measurable(value)
    }
    return RunOutcome(
        score=float(score) if not failed and is_number(score) else None,
        failure=failure if failed else None,
        metrics=metrics,
        fingerprint=event.get("fingerprint"),
        jail=one_line(str(event.get("jail", "none")), 80),
        seconds=min(LONGEST, max(0.0, metrics.get("total_seconds", seconds))),
        curve=_points(event),
        log_tail=clean(str(event.get("log_tail") or "")),
        gaps=tuple(one_line(str(each), 300) for each in list(event.get("gaps") or ())[:8]),
        reference=dict(event["reference"]) if isinstance(event.get("reference"), dict) else None,
        audit=audit_figures(event.get("audit")),
        late=min(LONGEST, max(0.0, late)),
    )


def _points(event: Mapping[str, Any]) -> tuple[tuple[float, float, float], ...]:
    """Return the learning curve: step, training seconds, loss; without points that are no measurement."""
    points = event.get("curve") or ()
    return tuple((float(a), float(b), float(c)) for a, b, c in points if all(map(measurable, (a, b, c))))
