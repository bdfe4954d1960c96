"""What waits is shown, in the order in which it comes, and an idea that nobody reads is told at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.errors import UserError
from bot.loop.promoting import promote
from bot.rules import events as ev
from bot.rules.queue import coming_out, queue_of
from bot.tell.figures.campaign import Figures, figures
from bot.tell.page import report_html
from bot.tell.views.queue import next_line
from tests.bot.campaigns import NOW, SIGMA, Night, night_of
from tests.bot.repositories import git, make_repository, nocturne
from tests.bot.scripted import WINS, Loop
from tests.bot.telling import report_markdown, said, standing, status_text


def next_said(known: Figures) -> str:
    return said(next_line(known))


def night() -> Night:
    made = night_of(3, hostile=False)
    made.add(ev.CommandGiven(1, "revert", 1))
    made.add(ev.CommandGiven(2, "retry", 2))
    made.add(ev.IdeaGiven(1, "make it faster", "command:1"))
    made.add(ev.IdeaGiven(2, "DEPTH = 6", "command:2"))
    made.add(ev.IdeaPassed(1, "offline"))
    return made


def test_what_waits_is_shown_everywhere_in_its_order() -> None:
    campaign = night().campaign()
    waiting = queue_of(campaign, None)
    assert [(each.kind, each.number) for each in waiting] == [
        ("revert", 1), ("retry", 2), ("idea", 1), ("idea", 2),
    ]  # fmt: skip
    assert coming_out(campaign) == [1]
    known = figures(campaign, now=NOW, prior_sigma=SIGMA)
    assert next_said(known).startswith("experiment 1 is taken out again.")
    for text in (report_markdown(known), standing(known), status_text(known, 400), report_html(known)):
        at = [text.index(each) for each in ("to be taken out", "to be tried again", "idea 1", "idea 2")]
        assert at == sorted(at)
        assert "could not follow it" in text and "offline is asked next" in text


def test_an_idea_that_was_passed_over_does_not_come_next() -> None:
    made = night_of(2, hostile=False)
    made.add(ev.IdeaGiven(1, "make it faster", "command:1"))
    assert next_said(figures(made.campaign(), now=NOW)).startswith("idea 1 is tried.")
    made.add(ev.IdeaPassed(1, "offline"))
    assert next_said(figures(made.campaign(), now=NOW)).startswith("a change of the proposer's own (offline)")
    assert next_said(figures(made.campaign(), now=NOW, proposer="claude")).startswith("idea 1 is tried.")
    made.add(ev.CommandGiven(1, "pause"))
    assert "nocturne resume" in next_said(figures(made.campaign(), now=NOW))


def test_the_command_says_at_once_that_nobody_reads_an_idea(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo")
    Loop(top, WINS).run(1)
    told = nocturne(top, "idea", "make it faster").stdout
    assert "idea 1 is noted, and waits: the proposer at work, offline, can't follow it" in told
    assert "`proposer: claude` reads any words" in told
    assert "idea 2 is noted: the next experiments try it" in nocturne(top, "idea", "DROPOUT = 0.31").stdout
    shown = json.loads(nocturne(top, "status", "--json").stdout)["queue"]
    assert [(each["kind"], each["number"]) for each in shown] == [("idea", 1), ("idea", 2)]


def test_nothing_is_promoted_that_is_to_be_taken_out(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo")
    loop = Loop(top, WINS)
    loop.run(1)
    assert loop.campaign.landed_as, "the first of these changes wins"
    before = git(top, "rev-parse", "main")
    nocturne(top, "revert", "1")
    told = nocturne(top, "promote", "--merge", code=2).stderr
    assert "experiment 1 is to be taken out before that: `nocturne run -n 1` does it" in told
    with pytest.raises(UserError, match="is to be taken out"):
        promote(loop.context, merge=True)
    assert git(top, "rev-parse", "main") == before
