"""What is said to be measured: "nothing" stands above no runs that have a score."""

from __future__ import annotations

from bot.rules import events as ev
from bot.tell.document import Line
from bot.tell.views.verdict import measured
from tests.bot.campaigns import Night, commit_of


def words(line: Line) -> str:
    return "".join(part.text for part in line)


def test_runs_without_a_verdict_on_them_are_told_by_their_mean() -> None:
    night = Night()
    night.baseline()
    night.add(ev.ExperimentClaimed(1, night.incumbent))
    night.add(ev.ExperimentProposed(1, "Warm up", "schedule", "", "", "", "offline"))
    commit = commit_of("candidate")
    night.add(ev.CandidateBuilt(1, 1, night.incumbent, commit, 1, 1))
    experiment = night.campaign().experiments[1]
    assert words(measured(night.campaign(), experiment)) == "not measured yet"
    reason = "the incumbent could not be measured often enough"
    undecided = ev.ExperimentDecided(
        1, 1, "inconclusive", False, None, None, None, None, None, 0, 0, reason, ""
    )
    nothing = Night()
    nothing.recorded = [*night.recorded]
    nothing.add(undecided)
    campaign = nothing.campaign()
    assert words(measured(campaign, campaign.experiments[1])) == f"nothing: {reason}"
    for score in (0.991, 0.992, 0.993, 0.994, 0.995):
        night.run(commit, 1, score=score)
    night.add(undecided)
    campaign = night.campaign()
    assert (
        words(measured(campaign, campaign.experiments[1])) == f"0.993 in 5 runs, and no difference: {reason}"
    )
