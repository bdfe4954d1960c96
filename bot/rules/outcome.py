"""How a verdict is written down."""

from __future__ import annotations

from bot.rules.events import ExperimentDecided, Verdict
from bot.rules.experiment import Experiment
from bot.rules.statistics import Comparison


def decision_of(
    experiment: Experiment, verdict: Verdict, *, reason: str, lesson: str, land: bool = False,
    comparison: Comparison | None = None,
) -> ExperimentDecided:  # fmt: skip
    return ExperimentDecided(
        experiment=experiment.number,
        round=experiment.round,
        verdict=verdict,
        land=land,
        effect=comparison.effect if comparison else None,
        half_width=comparison.half_width if comparison else None,
        sigma=comparison.sigma if comparison else None,
        score=comparison.candidate if comparison else None,
        against=comparison.incumbent if comparison else None,
        candidate_runs=comparison.candidate_runs if comparison else 0,
        incumbent_runs=comparison.incumbent_runs if comparison else 0,
        reason=reason,
        lesson=lesson,
    )
