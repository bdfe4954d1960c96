"""What counts as a gain: nothing that the base branch brought, and nothing by the runs that picked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.forge import BODY_LIMIT
from bot.rules import events as ev
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.tell.figures.campaign import Figures, figures
from bot.tell.figures.plain import status_json
from bot.tell.figures.promotion import promotion_figures
from bot.tell.views.change import FileLines
from bot.tell.views.promotion import promotion_title
from bot.tell.words import gain_words
from tests.bot.campaigns import HOSTILE, NOW, SIGMA, Night, commit_of, night_of
from tests.bot.telling import promotion_body, report_markdown

RULE = Rule()


def seen(campaign: Campaign) -> Figures:
    return figures(campaign, now=NOW, prior_sigma=SIGMA)


def take_in(night: Night, level: float, name: str = "merge") -> str:
    """Let the campaign take in a base branch that brings it to `level`."""
    commit, previous = commit_of(name), night.incumbent
    moves = night.campaign().moves
    night.add(ev.IncumbentMoved(commit, previous, moves + 1, "base"))
    night.level[commit], night.incumbent = level, commit
    return commit


def body_of(campaign: Campaign, since: int = 0, files: tuple[FileLines, ...] = ()) -> str:
    of = seen(campaign)
    told = promotion_figures(campaign, of, since, set(campaign.incumbents))
    return promotion_body(
        campaign, of, told, files, rule=RULE, base="main", branch="nocturne/main", on_github=True
    )


def test_what_the_base_branch_brought_is_no_gain() -> None:
    night = Night()
    night.baseline(2, score=1.0)
    night.experiment(1, "improved", "Warm up", score=0.9)
    take_in(night, 0.5)
    night.baseline(2, score=0.5)
    night.experiment(2, "improved", "Cool down", score=0.45)
    of = seen(night.campaign())
    # The last run of each winner is a draw around its level; the picked ones are as told.
    assert of.gain is not None and of.gain.value == pytest.approx(0.1 + 0.05, abs=0.12)
    assert of.baseline is not None and of.baseline.score == 1.0
    assert of.taken_in == 1 and status_json(of)["base_taken_in"] == 1
    assert "taken in 1 time meanwhile" in report_markdown(of)
    human = night.campaign()
    human.taken_in.clear()
    other = seen(human)
    assert other.gain is not None and other.gain.value > of.gain.value + 0.2, "a human's move is in it"


def test_a_base_that_changes_the_test_begins_a_new_baseline() -> None:
    night = Night()
    night.baseline(2, score=1.0)
    night.experiment(1, "improved", "Warm up", score=0.9)
    commit = take_in(night, 3.0)
    night.baseline(2, score=3.0)
    night.experiment(2, "improved", "Cool down", score=2.5)
    after = {commit, night.incumbent}
    night.recorded = [
        replace(item, event=replace(item.event, fingerprint="f2"))
        if isinstance(item.event, ev.RunFinished) and item.event.commit in after
        else item
        for item in night.recorded
    ]
    of = seen(night.campaign())
    assert of.baseline is not None and (of.baseline.commit, of.baseline.score) == (commit, 3.0)
    assert of.gain is not None and of.gain.value > 0 and of.taken_in == 0
    # A promotion of both can lay no two scores side by side.
    told = promotion_figures(night.campaign(), of, 0, set(night.campaign().incumbents))
    assert told.gain is None and "→" not in promotion_title(of, told)


def test_a_baseline_that_moved_on_before_its_first_run_is_not_missed() -> None:
    night = Night()
    take_in(night, 0.99)
    night.baseline(2)
    night.experiment(1, "improved", "Warm up")
    of = seen(night.campaign())
    assert of.baseline is not None and of.baseline.commit == commit_of("merge")
    assert of.gain is not None and "better by" in report_markdown(of)


def test_the_corrected_gain_counts_no_run_that_picked() -> None:
    night = Night()
    night.baseline(2, score=1.0)
    night.experiment(1, "improved", "Warm up", score=0.8)
    of = seen(night.campaign())
    own = [run for run in night.campaign().runs_of(night.incumbent) if run.experiment is None]
    assert of.corrected is not None and of.gain is not None and len(own) == 1
    assert of.corrected.value == pytest.approx(1.0 - (own[0].score or 0))
    assert of.corrected.value < of.gain.value and of.corrected.uncounted == 0
    assert of.told is not None and (of.told.how, of.told.value) == ("fresh", of.corrected.value)
    assert of.told.first - of.told.last == pytest.approx(of.told.value)
    assert "flatter" not in report_markdown(of)


def test_a_corrected_gain_is_told_only_with_all_merges_in_it() -> None:
    night = Night()
    night.baseline(2, score=1.0)
    night.experiment(1, "improved", "Warm up", score=0.8)
    night.experiment(2, "improved", "Cool down", score=0.6)
    dropped = next(
        i for i, item in reversed(list(enumerate(night.recorded))) if isinstance(item.event, ev.RunFinished)
    )
    del night.recorded[dropped]
    of = seen(night.campaign())
    assert of.gain is not None and of.corrected is None and status_json(of)["corrected_gain"] is None
    assert gain_words(of).endswith(
        "(by the runs that picked the winners, which flatter; not measured anew yet)"
    )
    assert "not corrected for bias yet" in body_of(night.campaign())
    assert "bias-corrected" not in report_markdown(of)
    night.run(night.incumbent, None, score=0.7)
    known = seen(night.campaign())
    assert known.corrected is not None and gain_words(known).startswith("better by 0.3")
    assert "1 run made after all merges" in gain_words(known)
    night = Night()
    night.baseline(2, score=1.0)
    night.experiment(1, "improved", "Warm up", score=0.8)
    del night.recorded[-1]
    assert "not corrected for bias yet" in body_of(night.campaign())


def test_a_base_left_out_is_a_warning_everywhere() -> None:
    night = night_of(3)
    night.add(ev.BaseLeftOut(commit_of("theirs"), "train.py: both changed <b>it</b> @octocat", 0))
    of = seen(night.campaign())
    assert status_json(of)["base_left_out"] == "train.py: both changed <b>it</b> @octocat"
    text = report_markdown(of)
    assert "goes on without that" in text and "<b>" not in text and "@octocat" not in text
    take_in(night, 0.9)
    assert seen(night.campaign()).left_out is None


def test_old_ledgers_are_read() -> None:
    record = {"kind": "incumbent_moved", "commit": "a", "previous": "b", "move": 1, "at": "", "by": ""}
    event = ev.from_json(record).event
    assert isinstance(event, ev.IncumbentMoved) and (event.why, event.absorbed) == ("human", None)


@pytest.mark.long
def test_a_promotion_fits_and_does_nothing_whatever_it_holds() -> None:
    night = Night()
    night.baseline(2)
    for number in range(1, 401):
        night.experiment(number, "improved", HOSTILE[number % len(HOSTILE)] * 20)
    files = tuple(FileLines(f"{HOSTILE[i % len(HOSTILE)]}/{i}.py", i, i) for i in range(200))
    of = seen(night.campaign())
    told = promotion_figures(night.campaign(), of, 0, set(night.campaign().incumbents))
    text = body_of(night.campaign(), files=files)
    assert len(told.changes) == 400 and len(text) < BODY_LIMIT - 1000, len(text)
    assert "320 earlier changes not listed" in text and "and 170 more files" in text
    for armed in ("<img", "</script", "@octocat", "closes #1", "https://evil", "www.evil", "\x1b", "<!--"):
        assert armed not in text, armed
    assert promotion_title(of, told).endswith(", 400 changes, not confirmed")
