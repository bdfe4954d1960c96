"""Scores of two scales: what measures changes on the base branch, and nothing is subtracted across."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

from bot.rules.campaign import Campaign
from bot.rules.events import CampaignStarted, IncumbentMoved, Recorded, RunFinished
from bot.rules.noise import campaign_noise, prior_sigma
from bot.rules.schedule import next_replicate
from bot.tell.figures.campaign import figures
from bot.tell.words import gain_words, noise_words
from tests.bot.campaigns import NOW

OLD, NEW = "a" * 40, "b" * 40


def campaign(*runs: tuple[str, str, float], why: str = "base", at: str = "") -> Campaign:
    """Return a campaign whose incumbent moved from OLD to NEW, with runs of a commit, fingerprint and score."""
    made = Campaign()
    made.apply(
        Recorded(CampaignStarted("main", "main", OLD, "m", "minimize", 1), "2026-03-08T21:00:00+00:00")
    )
    made.apply(Recorded(IncumbentMoved(NEW, OLD, 1, why), "2026-03-08T21:00:01+00:00"))  # type: ignore[arg-type]
    for place, (commit, print_, score) in enumerate(runs, 1):
        run = RunFinished(
            f"{commit[:12]}-{place}",
            commit,
            place,
            place,
            None,
            score,
            None,
            {},
            print_,
            "bubblewrap",
            "cpu",
            60.0,
            60.0,
        )
        made.apply(Recorded(run, at or f"2026-03-08T22:{place:02d}:00+00:00"))
    return made


def test_noise_and_prior_are_of_one_scale() -> None:
    both = campaign((OLD, "ms", 1000.0), (OLD, "ms", 1010.0), (NEW, "s", 1.0), (NEW, "s", 1.001))
    assert campaign_noise(both, None, "cpu", "s").sigma < 0.002
    assert campaign_noise(both, None, "cpu", "ms").sigma > 1
    assert prior_sigma(both, None, "s") == 0.001


def test_the_best_is_sought_on_the_newest_scale() -> None:
    both = campaign((OLD, "s", 0.5), (OLD, "s", 0.5), (NEW, "ms", 900.0), (NEW, "ms", 902.0))
    assert both.best() == (NEW, 901.0)
    assert both.scale == ("cpu", "ms")


def test_no_gain_and_no_stair_lead_from_one_scale_to_another() -> None:
    for why in ("base", "human"):
        both = campaign((OLD, "s", 18.0), (OLD, "s", 18.1), (NEW, "half", 9.0), (NEW, "half", 9.1), why=why)
        known = figures(both, now=NOW)
        assert "better" not in gain_words(known)
        assert {stair.commit for stair in known.staircase} == {NEW}


def test_an_exact_metric_is_said_to_be_one() -> None:
    known = figures(campaign(*((NEW, "f", 100032.0),) * 3), now=NOW, prior_sigma=100.0)
    assert noise_words(known) == "none, repeats exactly (3 runs)"


def test_runs_that_were_recorded_at_once_ended_one_after_the_other() -> None:
    once = campaign((OLD, "f", 1.0), (OLD, "f", 1.1), (OLD, "f", 1.2), at="2026-03-08T22:00:00+00:00")
    times = [run.at for run in once.scored("cpu", "f")[OLD]]
    assert [later - sooner for sooner, later in pairwise(times)] == [60.0, 60.0]
    assert dataclasses.astuple(once.scored("cpu", "f")[OLD][0])[:2] == (1.0, 1)


def test_a_short_run_counts_in_cost_and_numbering_and_in_no_score() -> None:
    full = campaign((OLD, "f", 1.0), (NEW, "f", 0.9))
    run = dataclasses.replace(
        next(iter(full.runs.values())), run="short-3", commit=NEW, replicate=3, score=5.0
    )
    full.apply(Recorded(dataclasses.replace(run, share=0.25), "2026-03-08T23:00:00+00:00"))
    assert full.scores_of(NEW) == [0.9] and full.best() == (NEW, 0.9)
    assert full.score_groups("cpu", "f") == [[1.0], [0.9]]
    assert [len(runs) for runs in full.scored("cpu", "f").values()] == [1, 1]
    assert next_replicate(full, NEW) == 4 and full.gpu_seconds() == 180.0
    shown = figures(full, now=NOW, prior_sigma=0.001)
    assert shown.runs == 3 and [dot.score for dot in shown.dots] == [1.0, 0.9]
    assert shown.best is not None and shown.best.score == 0.9
