"""The verdict rule: what it says of given scores, and how often it errs on campaigns whose truth is known."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from bot.rules import events as ev
from bot.rules.aims import AIMS, Aim
from bot.rules.decision import NULL_MERGES, Decided, Measured, NeedRun, Rule, decide
from bot.rules.tracking import Control, Track
from tests.bot.judged import Judged

SIGMA = 0.001
DEGREES = 1000.0  # sigma is known


def track(level: float = 1.0, *, fresh: Sequence[float] = (), variance: float = 0.2) -> Track:
    """Return an incumbent whose noise is known, and that ran again after its challenger began."""
    controls = [Control(level, place) for place in (0, 1, 2)]
    controls += [Control(score, 100 + place) for place, score in enumerate(fresh)]
    return Track(level, variance, SIGMA, DEGREES, 0.01, tuple(controls))


def verdict(scores: Sequence[float], incumbent: Track | None = None, **others: object) -> Decided | NeedRun:
    """Decide on a candidate that ran after the incumbent's first runs."""
    mine = [Measured(score, 10 + place) for place, score in enumerate(scores)]
    chosen: dict[str, object] = {"direction": "minimize", "rule": Rule(), **others}
    return decide(mine, incumbent or track(fresh=[1.0]), **chosen)  # type: ignore[arg-type]


def decided(*given: object, **others: object) -> Decided:
    outcome = verdict(*given, **others)  # type: ignore[arg-type]
    assert isinstance(outcome, Decided), outcome
    return outcome


def test_incumbent_is_measured_first() -> None:
    needed = decide([Measured(0.9, 0)], None, direction="minimize", rule=Rule())
    assert needed == NeedRun("incumbent", "it needs its first run here")
    assert isinstance(verdict([0.9], track(variance=4.0)), NeedRun)


@pytest.mark.parametrize(
    ("scores", "end"),
    [
        ([1.002], "discarded"),
        ([0.9995], "inconclusive"),
        ([0.9985], None),
        ([0.995], "improved"),
        ([0.9985, 0.9979], None),
        ([0.9985, 0.996], "improved"),
        ([0.9985, 1.0005], "inconclusive"),
        ([0.9987] * 5, "inconclusive"),
    ],
)
def test_the_bar_is_lower_the_more_runs_there_are(scores: list[float], end: str | None) -> None:
    outcome = verdict(scores)
    assert (outcome.verdict if isinstance(outcome, Decided) else None) == end, outcome


def test_a_reason_says_how_far_and_what_was_asked() -> None:
    assert decided([0.995]).reason == "better by 5.0 sigma after 1 run; 3.5 are enough"
    little = "within the noise after 1 run: better by 0.5 sigma, and 1 are needed to go on"
    assert decided([0.9995]).reason == little
    assert decided([0.995]).comparison.effect == pytest.approx(-0.005)
    assert verdict([0.998]) == NeedRun("candidate", "better by 2.0 sigma: a replicate is due")


def test_higher_is_better_where_the_metric_says_so() -> None:
    assert decided([0.990], direction="maximize").verdict == "discarded"
    assert decided([1.010], direction="maximize").verdict == "improved"


def test_nothing_is_merged_that_was_compared_with_older_runs_alone() -> None:
    needed = NeedRun("incumbent", "once more after its challenger: the machine may have changed")
    assert verdict([0.990], track()) == needed
    assert decided([0.990], track(), rule=Rule(control=False)).verdict == "improved"


def test_gain_below_the_smallest_that_counts_does_not_merge() -> None:
    outcome = decided([0.995] * 5, rule=Rule(min_effect=0.02))
    assert outcome.verdict == "inconclusive" and "by less than 0.02" in outcome.reason


def test_few_replicates_make_sigma_a_doubtful_figure() -> None:
    known = track(fresh=[1.0])
    doubtful = Track(known.level, known.variance, SIGMA, 2.0, 0.01, known.controls)
    assert isinstance(verdict([0.9955], doubtful), NeedRun)
    assert decided([0.9955]).verdict == "improved"


def test_fewer_lines_may_cost_what_is_left_of_the_budget() -> None:
    few = [0.9992] * 4
    outcome = decided(few, net_lines=-8)
    assert outcome.verdict == "improved" and outcome.reason.startswith("8 lines fewer at an equal score")
    assert decided(few, net_lines=8).verdict == "inconclusive"
    assert decided(few, net_lines=-8, budget=0.1).verdict == "inconclusive"
    assert decided([1.004], net_lines=-8).verdict == "discarded"
    assert isinstance(verdict([0.9999], net_lines=-8), NeedRun)  # shorter ones get the runs that tell


# On campaigns in memory: the real fold, the incumbent's runs as the loop schedules them


@pytest.mark.parametrize("aim", AIMS)
def test_what_changes_nothing_merges_as_rarely_as_is_said(aim: Aim) -> None:
    """All looks together, with a noise that is known, and a level as uncertain as three runs leave it."""
    draw, merged, tries = random.Random(1), 0, 6000
    for _ in range(tries):
        variance = 1 / 3  # of the level, in sigma squared
        level, controls = draw.gauss(0, variance**0.5), [Control(0.0, 0)]
        mine = [Measured(draw.gauss(0, 1), 1)]
        while True:
            incumbent = Track(level, variance, 1.0, DEGREES, 0.01, tuple(controls))
            outcome = decide(mine, incumbent, direction="minimize", rule=Rule(aim))
            if isinstance(outcome, Decided):
                break
            if outcome.of == "candidate":
                mine.append(Measured(draw.gauss(0, 1), len(mine) + len(controls)))
            else:
                score = draw.gauss(0, 1)
                level += variance / (variance + 1) * (score - level)
                variance /= variance + 1
                controls.append(Control(score, len(mine) + len(controls)))
        merged += outcome.verdict == "improved"
    assert merged / tries <= NULL_MERGES[aim]


def test_a_large_gain_costs_few_runs_and_a_loss_one() -> None:
    draw = random.Random(3)
    night = Judged(lambda level, seed, made: level + draw.gauss(0, SIGMA))
    night.rest()
    began = night.runs
    ends = [night.try_(night.levels[night.campaign.incumbent] + 0.01).verdict for _ in range(10)]
    assert ends == ["discarded"] * 10 and night.runs - began <= 12
    won = [night.try_(night.levels[night.campaign.incumbent] - 0.015) for _ in range(4)]
    assert [each.verdict for each in won] == ["improved"] * 4
    assert sum(each.candidate_runs for each in won) <= 6


@pytest.mark.parametrize("trend", [0.003, 0.01, -0.003, -0.01])
def test_a_steady_trend_merges_nothing(trend: float) -> None:
    for seed in range(3):
        draw = random.Random(seed)
        night = Judged(lambda level, _, made: level + draw.gauss(0, SIGMA) - trend * made)  # noqa: B023
        assert [night.try_(1.0).verdict for _ in range(6)].count("improved") == 0


@pytest.mark.parametrize("change", [0.005, 0.05, 0.3])
def test_a_neighbour_that_comes_and_goes_merges_nothing(change: float) -> None:
    merged = 0
    for seed in range(4):
        draw = random.Random(seed)
        night = Judged(
            lambda level, _, made: level + draw.gauss(0, SIGMA) + change * (made // 6 % 2)  # noqa: B023
        )
        merged += [night.try_(1.0).verdict for _ in range(10)].count("improved")
    assert merged <= 1


def test_a_machine_that_has_changed_is_told() -> None:
    draw = random.Random(2)
    night = Judged(lambda level, _, made: level + draw.gauss(0, SIGMA) - 0.02 * (made >= 6))
    for _ in range(3):
        night.try_(1.02)
    told = night.try_(1.0)
    assert told.verdict != "improved" and "the machine drifts" in told.reason


def test_a_hard_seed_discards_nothing_that_beats_it() -> None:
    """Each commit has seeds of its own: none is met by all candidates first."""
    hard: dict[int, float] = {}
    draw = random.Random(5)

    def score(level: float, seed: int, made: int) -> float:
        return level + hard.setdefault(seed, 0.02 if seed % 1000 == 1 else draw.gauss(0, 0.002))

    night = Judged(score)
    ends = [night.try_(night.levels[night.campaign.incumbent] - 0.03).verdict for _ in range(5)]
    assert ends == ["improved"] * 5


def test_a_metric_that_repeats_exactly_has_no_noise() -> None:
    night = Judged(lambda level, seed, made: 100_000 + 32 * level)
    better, equal, worse = night.try_(0.5), night.try_(0.5), night.try_(0.75)
    assert (better.verdict, better.reason) == ("improved", "better, and the metric repeats exactly")
    assert (better.effect, better.half_width, better.sigma) == (-16, 0, 0)
    assert better.candidate_runs == 1
    assert (equal.verdict, worse.verdict) == ("discarded", "discarded")
    rounded = night.try_(0.5 - 1e-9)  # the order of additions, no gain
    assert (rounded.verdict, rounded.reason) == (
        "discarded",
        "no better than the incumbent: the metric repeats exactly",
    )
    fewer = night.try_(0.5, lines=-8)
    assert (fewer.verdict, fewer.reason) == ("improved", "8 lines fewer at an equal score")


def test_a_metric_of_few_values_needs_more_to_be_believed() -> None:
    night = Judged(lambda level, seed, made: round(level * 200) / 200, direction="maximize")
    first = night.try_(1.005)
    assert first.candidate_runs > 1  # three equal runs in steps of 0.005 say little
    assert night.try_(1.01).candidate_runs == 1


def test_maximised_is_the_mirror_of_minimised() -> None:
    nights = []
    for direction, sign in (("minimize", 1), ("maximize", -1)):
        draw, levels = random.Random(7), random.Random(8)
        night = Judged(lambda level, _, made: level + sign * draw.gauss(0, SIGMA), direction=direction)  # type: ignore[arg-type]  # noqa: B023
        steps = [levels.gauss(0.002, 0.004) for _ in range(12)]
        nights.append(
            [night.try_(night.levels[night.campaign.incumbent] + sign * step).verdict for step in steps]
        )
    assert nights[0] == nights[1] and "improved" in nights[0]


def test_a_failed_replicate_ends_the_experiment_as_a_crash() -> None:
    night = Judged(lambda level, seed, made: level)
    night.rest()
    number = night.propose(0.9)
    candidate = night.campaign.experiments[number].candidate
    assert candidate is not None
    night.run(candidate.commit, number)
    night.fail(candidate.commit, number)
    end = night.judged()
    assert isinstance(end, ev.ExperimentDecided) and end.verdict == "crashed"
    assert end.reason == "error: it broke"


def test_the_noise_is_learned_from_unpicked_runs_whatever_was_assumed() -> None:
    for sigma in (0.0001, 0.03):  # a tenth and thirty times of what is assumed
        draw = random.Random(4)
        night = Judged(lambda level, _, made: level + draw.gauss(0, sigma))  # noqa: B023
        for number in range(60):
            night.try_(night.levels[night.campaign.incumbent] + (0, 4, 9)[number % 3] * sigma)
        night.rest()
        last = night.try_(night.levels[night.campaign.incumbent] + 4 * sigma)
        assert last.sigma is not None and 0.3 * sigma < last.sigma < 4 * sigma


def test_one_bad_run_of_the_incumbent_does_not_make_the_machine_a_noisy_one() -> None:
    draw = random.Random(6)
    night = Judged(lambda level, _, made: level + draw.gauss(0, SIGMA) + 0.05 * (made == 12))
    for _ in range(14):
        night.try_(1.02)
        night.run(night.campaign.incumbent)
    last = night.try_(1.02)
    assert last.sigma is not None and last.sigma < 2 * SIGMA
    assert last.against == pytest.approx(1.0, abs=2 * SIGMA)


def test_scores_of_two_scales_are_never_subtracted() -> None:
    draw = random.Random(9)
    night = Judged(lambda level, _, made: level + draw.gauss(0, SIGMA))
    night.try_(1.02)
    for runner, print_ in (("box", "g"), ("other", "g")):
        night.runner, night.print = runner, print_
        night.draw = lambda level, _, made: level - 5 + draw.gauss(0, SIGMA)
        end = night.try_(1.0)
        assert end.verdict != "improved" and end.against == pytest.approx(-4, abs=4 * SIGMA)
