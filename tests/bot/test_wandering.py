"""What drift adds to the uncertainty of a difference between commits that ran at different times."""

from __future__ import annotations

import pytest

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.tracking import track
from bot.rules.wandering import wandered
from tests.bot.campaigns import SIGMA, Night

SCALE = "1x H100", "f1"


def walked(*shifts: float, metric_noise: bool = True) -> Campaign:
    """Return a campaign whose incumbent ran once after each of these shifts of the machine, in deviations of a run."""
    night = Night()
    for place, shift in enumerate(shifts):
        noise = 0.5 * SIGMA * (-1) ** (place * (place - 1) // 2) if metric_noise else 0.0
        night.run(night.incumbent, None, score=1.0 + shift * SIGMA + noise)
    return night.campaign()


def sides(campaign: Campaign, *places: list[int]) -> list[list[RunFinished]]:
    runs = list(campaign.runs.values())
    return [[runs[place] for place in side] for side in places]


def test_it_grows_with_the_time_between_and_is_little_for_runs_that_take_turns() -> None:
    campaign = walked(*(0.0,) * 24)
    near, far, turns = (
        wandered(campaign, SCALE, *sides(campaign, one, other))
        for one, other in (([0, 1], [2, 3]), ([0, 1], [22, 23]), ([0, 2], [1, 3]))
    )
    assert 0 < turns < near < far
    known = track(campaign, campaign.incumbent, *SCALE)
    assert known is not None and sum(likely for _, likely in known.drifts) == pytest.approx(1.0)
    rate = sum(drift * likely for drift, likely in known.drifts)
    assert wandered(campaign, SCALE, *sides(campaign, [3], [13])) == pytest.approx(10 * rate)


def test_a_machine_that_walks_adds_more_and_an_exact_metric_nothing() -> None:
    still, walking = walked(*(0.0,) * 16), walked(*(1.5 * (place // 2) for place in range(16)))
    ends = [0, 1], [14, 15]
    assert wandered(walking, SCALE, *sides(walking, *ends)) > 3 * wandered(still, SCALE, *sides(still, *ends))
    exact = walked(*(0.0,) * 8, metric_noise=False)
    assert wandered(exact, SCALE, *sides(exact, [0], [7])) == 0.0
    assert wandered(still, ("another", "f1"), *sides(still, *ends)) == 0.0
