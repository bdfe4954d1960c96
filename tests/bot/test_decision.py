"""The verdict rule: what it says of given scores, and how often it errs on simulated campaigns."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from bot.rules.decision import Decided, NeedRun, Rule, decide
from bot.rules.variation import Known, Scored

RULE = Rule()
SPREAD = (-0.0007, 0.0007)  # of two runs, for a noise of 0.001
PAST = tuple(
    tuple(Scored(2 + level + SPREAD[(seed + turn) % 2], seed, -100.0 + 2 * level + seed) for seed in (1, 2))
    for turn, level in enumerate((1, 2, 3, 4, 5, 7, 8, 9, 11, 12))
)
KNOWN = Known(PAST, 0.001, 3)


def runs(scores: Sequence[float], began: float, *, every: float = 1.0) -> list[Scored]:
    """Return runs with the seeds 1, 2, ..., one after the other."""
    return [Scored(score, seed, began + every * seed) for seed, score in enumerate(scores, 1)]


def verdict(
    candidate: list[float], incumbent: list[float], beside: Sequence[float] = (), **others: object
) -> Decided | NeedRun:
    """Decide on a candidate that ran after the `incumbent`, which ran again `beside` it afterwards."""
    chosen: dict[str, object] = {"direction": "minimize", "rule": RULE, **others}
    old = runs(incumbent, 0.0)
    mine = runs(candidate, float(len(old)))
    again = [
        Scored(score, len(old) + place, float(len(old) + len(mine) + place))
        for place, score in enumerate(beside, 1)
    ]
    return decide(mine, [*old, *again], KNOWN, **chosen)  # type: ignore[arg-type]


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
    outcome = verdict([0.990, 0.991], [1.0, 1.0], [1.0])
    assert isinstance(outcome, Decided)
    assert outcome.verdict == "improved"
    assert outcome.comparison.effect == pytest.approx(-0.0095)
    assert (outcome.comparison.candidate_runs, outcome.comparison.incumbent_runs) == (2, 3)


def test_higher_is_better_where_the_metric_says_so() -> None:
    up = verdict([0.990, 0.991], [1.0, 1.0], [1.0], direction="maximize")
    down = verdict([1.010, 1.011], [1.0, 1.0], [1.0], direction="maximize")
    assert isinstance(up, Decided) and up.verdict == "discarded"
    assert isinstance(down, Decided) and down.verdict == "improved"


def test_incumbent_keeps_up_with_its_challenger() -> None:
    outcome = verdict([0.9985, 0.9985, 0.9985], [1.0, 1.0], rule=Rule(confidence=0.99, max_runs=6))
    assert outcome == NeedRun("incumbent", "measured beside its challenger")


def test_within_the_noise_after_all_runs_is_inconclusive() -> None:
    outcome = verdict([0.9995] * 4, [1.0] * 4)
    assert isinstance(outcome, Decided)
    assert outcome.verdict == "inconclusive"


def test_what_could_still_be_told_from_noise_ends_with_the_last_run_allowed() -> None:
    """The gain would pay for more runs: it's the number that ends them, not how little is left to be seen."""
    outcome = verdict([0.999] * 4, [1.0] * 4)
    assert isinstance(outcome, Decided)
    assert (outcome.verdict, outcome.reason) == ("inconclusive", "within the noise after 4 runs")
    assert verdict([0.999] * 3, [1.0] * 3) == NeedRun("candidate", "looks better: a replicate is due")


def test_what_rounding_may_make_is_no_gain() -> None:
    known = Known(
        tuple(tuple(Scored(level, seed, 0.0) for seed in (1, 2)) for level in (2.0, 3.0, 4.0, 5.0)), 0.001, 3
    )
    mine, theirs = runs([1 - 2e-16] * 2, 2.0), [*runs([1.0, 1.0], 0.0), Scored(1.0, 3, 5.0)]
    fewer = decide(mine, theirs, known, direction="minimize", rule=RULE, net_lines=-8)
    same = decide(mine, theirs, known, direction="minimize", rule=RULE)
    assert isinstance(fewer, Decided) and fewer.reason == "8 lines fewer at an equal score"
    assert isinstance(same, Decided) and same.verdict == "discarded"


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
    outcome = verdict([0.9992, 0.9994], [1.0, 1.0], [1.0], net_lines=-8)
    more = verdict([0.9998, 0.9999], [1.0, 1.0], [1.0], net_lines=8)
    assert isinstance(outcome, Decided) and outcome.verdict == "improved"
    assert "8 lines fewer" in outcome.reason
    assert isinstance(more, Decided) and more.verdict == "inconclusive"


def test_fewer_lines_at_a_worse_score_is_not() -> None:
    outcome = verdict([1.004], [1.0, 1.0], net_lines=-8)
    assert isinstance(outcome, Decided)
    assert outcome.verdict == "discarded"


def test_nothing_is_merged_that_was_compared_with_older_runs_alone() -> None:
    assert verdict([0.990, 0.991], [1.0, 1.001]) == NeedRun(
        "incumbent", "once more after its challenger: the machine may have changed"
    )
    asked = verdict([0.990, 0.991], [1.0, 1.001], rule=Rule(control=False))
    assert isinstance(asked, Decided) and asked.verdict == "improved"


def play(machine: Callable[[int], float], gain: float, known: Known, rule: Rule = RULE) -> Decided:
    """Play one experiment to its verdict: run after run, of which the one at the time `at` meets the `machine`."""
    incumbent = [Scored(machine(at), at + 1, at) for at in (0, 1)]
    candidate: list[Scored] = []
    for at in range(2, 22):
        outcome = decide(candidate, incumbent, known, direction="minimize", rule=rule)
        if isinstance(outcome, Decided):
            return outcome
        side = candidate if outcome.of == "candidate" else incumbent
        side.append(Scored(machine(at) - gain * (side is candidate), len(side) + 1, at))
    raise AssertionError("the rule does not come to an end")


@pytest.mark.parametrize("known", [KNOWN, Known((), 0.001, 3)], ids=["replicates", "nothing"])
@pytest.mark.parametrize(("change", "most"), [(0.01, 2), (0.05, 0), (0.3, 0)])
def test_a_neighbour_that_ends_merges_nothing(known: Known, change: float, most: int) -> None:
    merged = 0
    for seed in range(8):
        draw = random.Random(seed)
        noise = [draw.gauss(0, 0.001) for _ in range(30)]
        outcome = play(lambda at: 1 + noise[at] - change * (at >= 2), 0.0, known)  # noqa: B023
        merged += outcome.verdict == "improved"
    assert merged <= most


@pytest.mark.parametrize("known", [KNOWN, Known((), 0.001, 3)], ids=["replicates", "nothing"])
@pytest.mark.parametrize("trend", [0.003, 0.01, -0.01])
def test_a_steady_trend_merges_nothing(known: Known, trend: float) -> None:
    for seed in range(5):
        draw = random.Random(seed)
        noise = [draw.gauss(0, 0.001) for _ in range(30)]
        outcome = play(lambda at: 1 + noise[at] - trend * at, 0.0, known)  # noqa: B023
        assert outcome.verdict != "improved", (seed, outcome)


def test_a_drift_that_is_seen_is_told() -> None:
    outcome = play(lambda at: 1 - 0.01 * at, 0.0, Known((), 0.001, 3))
    assert "the machine drifts" in outcome.reason
    assert abs(outcome.comparison.effect) < 0.002


def test_a_gain_is_seen_through_a_trend() -> None:
    gain = 0.03
    mine = [Scored(1 - 0.01 * at - gain, seed, at) for seed, at in ((1, 2.0), (2, 3.0), (3, 5.0), (4, 7.0))]
    theirs = [Scored(1 - 0.01 * at, seed, at) for seed, at in enumerate((0.0, 1.0, 4.0, 6.0, 8.0), 1)]
    outcome = decide(mine, theirs, KNOWN, direction="minimize", rule=RULE)
    assert isinstance(outcome, Decided) and outcome.verdict == "improved"
    assert outcome.comparison.effect == pytest.approx(-gain, rel=0.1)
    score = outcome.comparison.incumbent + outcome.comparison.effect
    assert score == pytest.approx(outcome.comparison.candidate)


def test_a_hard_first_seed_does_not_discard_what_beats_it() -> None:
    none = Known((), 0.001, 3)
    theirs = [Scored(0.91, 1, 0), Scored(0.89, 2, 1)]
    first = decide([Scored(0.904, 1, 2)], theirs, none, direction="minimize", rule=RULE)
    assert isinstance(first, NeedRun)
    hard = {1: 0.91, 2: 0.89, 3: 0.91, 4: 0.89, 5: 0.91}
    mine = [Scored(hard[seed] - 0.006, seed, at) for seed, at in ((1, 2), (2, 3), (3, 5), (4, 6))]
    again = [*theirs, Scored(hard[3], 3, 4), Scored(hard[4], 4, 7)]
    outcome = decide(mine, again, none, direction="minimize", rule=RULE)
    assert isinstance(outcome, Decided) and outcome.verdict == "improved"
    assert "runs of one seed are compared" in outcome.reason
    assert outcome.comparison.effect == pytest.approx(-0.006, rel=0.05)


def test_a_metric_that_repeats_exactly_has_no_noise() -> None:
    known = Known((), 100.0, 3)
    theirs, mine = runs([100032.0] * 2, 0), runs([100016.0] * 2, 2)
    assert decide(mine, theirs, known, direction="minimize", rule=RULE) == NeedRun(
        "incumbent", "once more after its challenger: the machine may have changed"
    )
    theirs.append(Scored(100032.0, 3, 5))
    outcome = decide(mine, theirs, known, direction="minimize", rule=RULE)
    assert isinstance(outcome, Decided) and outcome.verdict == "improved"
    assert "repeats exactly" in outcome.reason
    assert (outcome.comparison.effect, outcome.comparison.half_width, outcome.comparison.sigma) == (-16, 0, 0)
    worse = decide(runs([100033.0], 5), theirs, known, direction="minimize", rule=RULE)
    equal = decide(runs([100032.0], 5), theirs, known, direction="minimize", rule=RULE)
    for end in (worse, equal):
        assert isinstance(end, Decided) and end.verdict == "discarded"
    rounded = decide(runs([100032.00000001], 5), theirs, known, direction="maximize", rule=RULE)
    assert isinstance(rounded, Decided) and rounded.verdict == "discarded"


def test_a_metric_of_few_values_needs_more_to_be_believed() -> None:
    known = Known((), 0.0009, 3)
    theirs, mine = [*runs([0.905] * 2, 0), Scored(0.905, 3, 5)], runs([0.91] * 2, 2)
    assert isinstance(decide(mine, theirs, known, direction="maximize", rule=RULE), NeedRun)
    theirs, mine = [*theirs, Scored(0.905, 4, 7)], [*mine, Scored(0.91, 3, 6)]
    outcome = decide(mine, theirs, known, direction="maximize", rule=RULE)
    assert isinstance(outcome, Decided) and outcome.verdict == "improved"


def _experiment(draw: random.Random, effect: float, sigma: float) -> tuple[str, int]:
    """Play one experiment to its verdict and return it with the candidate's runs."""
    incumbent = [Scored(draw.gauss(1, sigma), seed, seed) for seed in (1, 2)]
    candidate: list[Scored] = []
    for at in range(3, 23):
        outcome = decide(candidate, incumbent, KNOWN, direction="minimize", rule=RULE)
        if isinstance(outcome, Decided):
            return outcome.verdict, len(candidate)
        mine = outcome.of == "candidate"
        side, level = (candidate, 1 + effect) if mine else (incumbent, 1.0)
        side.append(Scored(draw.gauss(level, sigma), len(side) + 1, at))
    raise AssertionError("the rule does not come to an end")


@pytest.mark.long
def test_rule_errs_rarely_and_sees_what_is_there() -> None:
    draw = random.Random(3)
    nothing = [_experiment(draw, 0.0, 0.001) for _ in range(60)]
    large = [_experiment(draw, -0.005, 0.001) for _ in range(20)]
    worse = [_experiment(draw, +0.005, 0.001) for _ in range(20)]
    assert sum(v == "improved" for v, _ in nothing) / 60 < 0.1
    assert sum(v == "improved" for v, _ in large) / 20 >= 0.9
    assert sum(v == "improved" for v, _ in worse) == 0
    assert sum(runs for _, runs in worse) / 20 <= 1.1
