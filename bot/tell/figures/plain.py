"""A campaign's figures and an experiment's facts as plain data, for scripts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bot.base.text import clean_data
from bot.rules.confirming import Confirmation
from bot.tell.figures.campaign import Figures
from bot.tell.figures.gains import Measured
from bot.tell.figures.rows import Row


def status_json(figures: Figures) -> dict[str, Any]:
    """Return the figures that scripts ask for, ready for `json.dumps` and for whoever prints it."""

    def plain(of: Measured | None) -> dict[str, Any] | None:
        return None if of is None else {"commit": of.commit, "score": of.score, "runs": of.runs}

    gain = figures.gain
    made: dict[str, Any] = {
        "campaign": figures.name,
        "metric": figures.metric,
        "direction": figures.direction,
        "state": figures.state,
        "stop_reason": figures.stop_reason,
        "stop_detail": figures.stop_detail,
        "baseline": plain(figures.baseline),
        "incumbent": plain(figures.incumbent),
        "best": plain(figures.best),
        "gain": None if gain is None else {"value": gain.value, "half_width": gain.half_width},
        "corrected_gain": None
        if figures.corrected is None
        else {"value": figures.corrected.value, "half_width": figures.corrected.half_width},
        "told": None if figures.told is None else asdict(figures.told),
        "device": figures.device,
        "confirmation": _confirmation(figures.confirmation),
        "base_taken_in": figures.taken_in,
        "base_left_out": None if figures.left_out is None else figures.left_out.reason,
        "experiments": {**figures.verdicts, "total": figures.total, "open": figures.open},
        "landed": figures.landed,
        "runs": figures.runs,
        "failed_runs": figures.failed_runs,
        "doubted_runs": figures.doubted_runs,
        "unjailed": figures.unjailed,
        "gaps": list(figures.gaps),
        "rule_changes": [asdict(each) for each in figures.rule_changes],
        "rungs": [each.to_json() for each in figures.rungs],
        "cuts": dict(figures.cut),
        "self_reported": figures.self_reported,
        "gpu_seconds": figures.gpu_seconds,
        "cost_usd": figures.cost_usd,
        "rejections": {
            "by_model": figures.rejections.rejected,
            "trained": figures.rejections.trained,
            **dict(figures.rejections.outcomes),
        },
        "noise": {"sigma": figures.noise.sigma, "runs": figures.noise.runs},
        "unreviewed": {
            "merges": figures.debt.merges,
            "lines": figures.debt.lines,
            "limit": figures.debt.limit,
            "held": list(figures.debt.held),
            "reading": [row.number for row in figures.debt.reading],
            "minutes": figures.debt.minutes,
        },
        "queue": [asdict(each) for each in figures.queue],
        "wished": dict(figures.wished),
        "imported": {
            "claims": figures.claims.total,
            "kept": figures.claims.kept,
            "tried": figures.claims.tried,
        },
        "mended": list(figures.mended),
    }
    said: dict[str, Any] = clean_data(made)
    return said


def experiment_json(row: Row) -> dict[str, Any]:
    """Return an experiment's facts, as `status_json` does a campaign's; its curve and conversations are left out."""
    apart = ("curve", "curve_against", "talks", "experiment", "numbers")
    told = {key: value for key, value in asdict(row).items() if key not in apart}
    made: dict[str, Any] = clean_data(told | {"explanation": asdict(row.explanation)})
    return made


def _confirmation(found: Confirmation | None) -> dict[str, Any] | None:
    """Return what head and baseline showed side by side, as scripts read it."""
    if found is None:
        return None
    made = {"baseline": [one for one, _ in found.pairs], "head": [other for _, other in found.pairs]}
    return {
        **made,
        "gain": found.gain,
        "half_width": found.half_width,
        "least": found.least,
        "holds": found.holds,
    }
