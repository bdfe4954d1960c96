"""A landing begins on what the ledger and the branch say at that moment, not on what the stage saw before."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.loop import land as landing
from bot.loop.commits import ensure_commit
from bot.loop.context import Context
from bot.rules import events as ev
from bot.rules.experiment import Experiment
from tests.bot.repositories import git, make_repository
from tests.bot.scripted import WHEN, Loop
from tests.bot.test_unreviewed import begun, stand_by, with_limit


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    """Two experiments stand where they would land, and one merge may be unread."""
    made = with_limit(begun(make_repository(tmp_path / "repo")), 1)
    stand_by(made, 1, "LEARNING_RATE", "0.002")
    stand_by(made, 2, "BATCH_SIZE", "32")
    return made


@pytest.mark.parametrize("told", ["a rejection", "another merge", "nothing"])
def test_what_comes_between_the_look_and_the_landing_counts(
    loop: Loop, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = loop.campaign
    second = before.experiments[2].candidate
    assert second is not None
    events: dict[str, list[ev.Event]] = {
        "a rejection": [ev.CommandGiven(1, "reject", 1)],
        "another merge": [ev.ExperimentLanded(2, second.commit, before.incumbent)],
        "nothing": [],
    }

    def meanwhile(context: Context, experiment: Experiment) -> None:
        ensure_commit(context, experiment)
        context.ledger.append(lambda _: events[told])

    monkeypatch.setattr(landing, "ensure_commit", meanwhile)
    done = landing.land(loop.context, before, before.experiments[1])
    first = loop.campaign.experiments[1]
    assert (first.landing == 1) == bool(done.events) == (told == "nothing")
    assert first.candidate is not None
    is_there = git(loop.top, "rev-parse", "nocturne/main") == first.candidate.commit
    assert is_there == (told == "nothing")


def test_a_branch_that_somebody_else_has_moved_is_left_alone(loop: Loop) -> None:
    before = loop.campaign
    theirs = loop.context.git.commit_files(before.incumbent, {"notes.md": b"By hand"}, "By hand", WHEN)
    loop.context.forge.push_branch("nocturne/main", theirs)
    assert not landing.land(loop.context, before, before.experiments[1]).events
    assert loop.campaign.experiments[1].landed is None and loop.campaign.incumbent == before.incumbent
    assert git(loop.top, "rev-parse", "nocturne/main") == theirs
