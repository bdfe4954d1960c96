"""The verdict rule: what it says of given scores, and how often it errs on simulated campaigns."""

from __future__ import annotations

import random

import pytest

from bot.rules.decision import Decided, NeedRun, Rule, decide
from bot.rules.statistics import Noise

NOISE = Noise(0.001, 12, 12)
RULE = Rule()


def verdict(candidate: list[float], incumbent: list[float], **others: object) -> Decided | NeedRun:
    chosen: dict[str, object] = {"direction": "minimize", "rule": RULE, **others}
    return decide(candidate, incumbent, NOISE, **chosen)  # type: ignore[arg-type]


def test_incumbent_is_measured_first() -> None:
    assert verdict([0.9], [1.0]) == NeedRun("incumbent", "the incumbent needs 2 runs, it has 1")


def test_worse_after_one_run_ends_the_experiment() -> None:
    outcome = verdict([1.002], [1.0, 1.0])
    assert isinstance(outcome, Decided)
    assert outcome.verdict == "discarded"


def test_one_good_run_is_never_enough() -> None:
    outcome = verdict([0.5], [1.0, 1.0])
    assert isinstance(outcome, NeedRun)
    assert outcome.of == "candidate"


def test_confirmed_by_a_replicate() -> None:
    outcome = verdict([0.990, 0.991], [1.0, 1.0])
    assert isinstance(outcome, Decided)
    assert outcome.verdict == "improved"
    assert outcome.comparison.effect == pytest.approx(-0.0095)
    assert (outcome.comparison.candidate_runs, outcome.comparison.incumbent_runs) == (2, 2)


def test_higher_is_better_where_the_metric_says_so() -> None:
    up = verdict([0.990, 0.991], [1.0, 1.0], direction="maximize")
    down = verdict([1.010, 1.011], [1.0, 1.0], direction="maximize")
    assert isinstance(up, Decided) and up.verdict == "discarded"
    assert isinstance(down, Decided) and down.verdict == "improved"


def test_incumbent_keeps_up_with_its_challenger() -> None:
    outcome = verdict([0.9985, 0.9985, 0.9985], [1.0, 1.0], rule=Rule(confidence=0.99, max_runs=6))
    assert outcome == NeedRun("incumbent", "measured as often as its challenger")


def test_within_the_noise_after_all_runs_is_inconclusive() -> None:
    outcome = verdict([0.9995] * 4, [1.0] * 4)
    assert isinstance(outcome, Decided)
    assert outcome.verdict == "inconclusive"


def test_hopeless_effect_costs_no_further_runs() -> None:
    outcome = verdict([0.9999, 0.9999], [1.0, 1.0])
    assert isinstance(outcome, Decided)
    assert outcome.verdict == "inconclusive"


def test_gain_below_the_smallest_that_counts_does_not_merge() -> None:
    outcome = verdict([0.995, 0.995], [1.0, 1.0], rule=Rule(min_effect=0.02))
    assert isinstance(outcome, Decided)
    assert outcome.verdict == "inconclusive"


def test_fewer_lines_at_an_equal_score_is_an_improvement() -> None:
    assert isinstance(verdict([1.0002], [1.0, 1.0], net_lines=-8), NeedRun)
    outcome = verdict([0.9992, 0.9994], [1.0, 1.0, 1.0], net_lines=-8)
    more = verdict([0.9998, 0.9999], [1.0, 1.0, 1.0], net_lines=8)
    assert isinstance(outcome, Decided) and outcome.verdict == "improved"
    assert "8 lines fewer" in outcome.reason
    assert isinstance(more, Decided) and more.verdict == "inconclusive"


def test_fewer_lines_at_a_worse_score_is_not() -> None:
    outcome = verdict([1.004], [1.0, 1.0], net_lines=-8)
    assert isinstance(outcome, Decided)
    assert outcome.verdict == "discarded"


def _experiment(draw: random.Random, effect: float, sigma: float) -> tuple[str, int]:
    """Play one experiment to its verdict and return it with the candidate's runs."""
    incumbent = [draw.gauss(1, sigma) for _ in range(2)]
    candidate: list[float] = []
    for _ in range(20):
        outcome = decide(candidate, incumbent, Noise(sigma, 30, 30), direction="minimize", rule=RULE)
        if isinstance(outcome, Decided):
            return outcome.verdict, len(candidate)
        if outcome.of == "candidate":
            candidate.append(draw.gauss(1 + effect, sigma))
        else:
            incumbent.append(draw.gauss(1, sigma))
    raise AssertionError("the rule does not come to an end")


def test_rule_errs_rarely_and_sees_what_is_there() -> None:
    draw = random.Random(3)
    nothing = [_experiment(draw, 0.0, 0.001) for _ in range(3000)]
    large = [_experiment(draw, -0.005, 0.001) for _ in range(1000)]
    worse = [_experiment(draw, +0.005, 0.001) for _ in range(1000)]
    assert sum(v == "improved" for v, _ in nothing) / 3000 < 0.08
    assert sum(v == "improved" for v, _ in large) / 1000 > 0.95
    assert sum(v == "improved" for v, _ in worse) == 0
    assert sum(runs for _, runs in worse) / 1000 < 1.05
