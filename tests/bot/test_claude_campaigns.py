"""Whole campaigns with maker and checker on a script: whatever the mind does, each experiment comes to its end."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.agents.proposers.offline import OfflineProposer
from bot.loop.agents import with_agents
from bot.loop.context import open_context
from bot.loop.runner import Until, run_loop
from bot.rules.campaign import Campaign
from bot.tell.display import PlainDisplay
from tests.bot.repositories import CONFIG, events, git, make_repository, nocturne
from tests.bot.thinking import INJECTION, MINDS, both, shown
from tests.messages.server import Api, serve


@dataclass
class Told:
    """What became of a campaign."""

    folder: Path
    campaign: Campaign
    api: Api
    notes: str

    @property
    def proposers(self) -> list[str]:
        return [e.proposal.proposer for e in self.campaign.finished() if e.proposal]


def campaign(tmp_path: Path, mind: str, experiments: int) -> Told:
    config = f"{CONFIG}stop: {{experiments: {experiments}}}\nproposer: claude\nreviewer: claude\n"
    folder = make_repository(tmp_path / "repo", config=config)
    notes = io.StringIO()
    with serve(both(MINDS[mind]())) as api:
        context = open_context(folder, None, PlainDisplay(notes), {}, OfflineProposer())
        context = with_agents(context, api.environ)
        run_loop(context, Until())
        done = context.ledger.refresh()
    assert api.refusals == []
    assert len(done.order) == experiments
    # Whatever it was: the measurement is as it was, and no key was sent or written down.
    assert git(folder, "diff", "--name-only", "main", "nocturne/main") in ("", "train.py")
    assert api.key not in api.seen() + json.dumps(events(folder))
    return Told(folder, done, api, notes.getvalue())


@pytest.mark.long
def test_a_good_mind_makes_progress_and_is_read(tmp_path: Path) -> None:
    told = campaign(tmp_path, "good", 4)
    assert told.proposers == ["claude-sonnet-5-5"] * 4
    assert told.campaign.landed()
    # What was carried to a newer incumbent before it trained is not read again.
    assert {e.reviews[0].reviewer for e in told.campaign.finished()} == {"claude-opus-5-5"}
    bills = told.campaign.bills
    assert set(bills.by_role) == {"proposer", "reviewer"} and bills.total.usd > 0
    said = nocturne(told.folder, "show", "1").stdout
    assert "proposed by: claude-sonnet-5-5" in said and "success, claude-opus-5-5: It does what" in said
    transcripts = list((told.folder / ".git/nocturne/main/conversations").glob("000001-*.md"))
    assert {path.name.split("-")[1] for path in transcripts} == {"proposer", "reviewer"}
    assert all(told.api.key not in path.read_text() for path in transcripts)


@pytest.mark.long
def test_a_mind_that_repeats_itself_does_not_repeat_experiments(tmp_path: Path) -> None:
    told = campaign(tmp_path, "repeats itself", 3)
    assert told.proposers[0] == "claude-sonnet-5-5"
    trees = {
        git(told.folder, "rev-parse", f"{e.candidate.commit}:train.py")
        for e in told.campaign.finished()
        if e.candidate
    }
    assert len(trees) == 3


@pytest.mark.long
def test_broken_code_comes_back_or_crashes_and_the_loop_goes_on(tmp_path: Path) -> None:
    told = campaign(tmp_path, "broken code", 2)
    for experiment, name in zip(told.campaign.finished(), told.proposers, strict=True):
        came_back = name.startswith("offline (Claude: what it handed in came back")
        assert came_back or experiment.verdict == "crashed"  # what only shows when it runs
    assert "does not parse" in told.api.seen() and "does not occur in train.py" in told.api.seen()


@pytest.mark.long
def test_cheating_gets_nowhere(tmp_path: Path) -> None:
    told = campaign(tmp_path, "cheats", 2)
    assert all(name.startswith("offline (Claude: ") for name in told.proposers)
    assert "score.py is not an editable file" in told.api.seen()


@pytest.mark.long
def test_rambling_ends(tmp_path: Path) -> None:
    told = campaign(tmp_path, "rambles", 2)
    assert all(name.startswith("offline (Claude: ") for name in told.proposers)
    assert max(told.campaign.bills.of_experiment(n).calls for n in (1, 2)) <= 20
    assert "the offline search does" in told.notes


@pytest.mark.long
def test_instructions_in_a_log_reach_nothing_even_if_they_are_obeyed(tmp_path: Path) -> None:
    told = campaign(tmp_path, "obeys logs", 2)
    first, second = told.campaign.finished()
    assert first.verdict == "crashed" and second.proposal is not None
    assert second.proposal.proposer.startswith("offline (Claude: ")
    requests = [call.request for call in told.api.made if INJECTION in shown(call.request)]
    assert requests  # the mind has read the log
    for text in map(shown, requests):
        before = text[: text.index(INJECTION)]
        fence = before.rsplit("<data ", 1)[1].split()[0]
        assert f"</data {fence}>" not in before and f"</data {fence}>" in text
