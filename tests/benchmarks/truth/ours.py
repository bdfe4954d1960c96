"""This project's own rule, as `bot.rules.simulated.driver` drives it, and what its reports say of the gain."""

from __future__ import annotations

from bot.rules.campaign import Campaign
from bot.rules.confirming import confirmation_of
from bot.rules.decision import Rule
from bot.rules.simulated.driver import Ways, by_rule
from bot.rules.simulated.play import Play, Procedure
from bot.rules.statistics import pooled_noise
from bot.tell.figures.gains import gains_of, yardstick_of


def ours(play: Play, ways: Ways | None = None) -> None:
    """Let the project's own rule decide."""
    by_rule(play, ways or Ways(Rule()), _told)


def _told(campaign: Campaign) -> tuple[float, float | None] | None:
    """Return what people are told of the gain, as the reports work it out."""
    yardstick = yardstick_of(campaign)
    if yardstick is None:
        return None
    noise = pooled_noise(campaign.score_groups(*yardstick), prior_sigma=0.001, prior_degrees=3.0)
    beside = confirmation_of(campaign, yardstick, noise)
    if beside is not None:
        return beside.gain, beside.least
    every, fresh = gains_of(campaign, yardstick, sigma=noise.sigma, degrees=noise.degrees, since=0)
    told = fresh or every
    return None if told is None else (told.value, told.least)


def _with(ways: Ways) -> Procedure:
    return lambda play: ours(play, ways)


PARTS: dict[str, Procedure] = {
    "ours, careful": _with(Ways(Rule("careful"))),
    "ours, fast": _with(Ways(Rule("fast"))),
    "ours, no rungs": _with(Ways(Rule(), rungs=())),
    "ours, no control": _with(Ways(Rule(control=False))),
    "ours, two runs": _with(Ways(Rule(min_runs=2))),
    "ours, one look": _with(Ways(Rule(max_runs=1))),
    "ours, one first run": _with(Ways(Rule(), incumbent_runs=1)),
    "ours, noise known": lambda play: ours(play, Ways(Rule(), prior_sigma=play.world.sigma or None)),
}
"""What each part of the rule adds: ours without it, or set otherwise."""
