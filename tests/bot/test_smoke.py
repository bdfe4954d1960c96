"""Smoke runs of drafts: the maker hears whether its change runs, never what it scores, and only where it may run."""

from __future__ import annotations

import io
import json
import re
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.agents.proposers.offline import OfflineProposer
from bot.loop.agents import with_agents
from bot.loop.context import open_context
from bot.loop.jobs import propose_next
from bot.loop.reconciling import reconcile
from bot.loop.start import ensure_started
from bot.loop.working import begin, work_on
from bot.rules.campaign import Campaign
from bot.rules.events import DraftTried, Recorded, from_json, to_json
from bot.rules.schedule import Begin
from bot.tell.display import PlainDisplay
from tests.bot.repositories import CONFIG, SCORE, events, make_repository, start, wait_for
from tests.bot.telling import cost_text
from tests.bot.thinking import Request, both, constant, results, turn
from tests.evaluator.runs import processes_with
from tests.messages.minds import Said, use
from tests.messages.server import serve

# Says nothing of the score where it fails, and something of everybody's words where it does not.
SPEAKING = SCORE.replace('print("METRIC', 'print("the loss it is"); print("METRIC')
MORE = "stop: {experiments: 1}\nproposer: claude\n"


def smoke(request: Request, name: str, new: str) -> Said:
    return use("smoke_run", {"edits": constant(request, name, new)["edits"]})


def names(request: Request) -> set[str]:
    return {tool["name"] for tool in request["tools"]}


@pytest.mark.long
def test_a_draft_is_tried_twice_and_never_scored(tmp_path: Path) -> None:
    told: list[str] = []

    def maker(request: Request, number: int) -> Said:
        told.extend(results(request) if turn(request) else [])
        match turn(request):
            case 0:
                return smoke(request, "LEARNING_RATE", "undefined")
            case 1:
                return use("smoke_run", {"edits": [{"path": "score.py", "old": "", "new": "x = 1\n"}]})
            case 2:
                return smoke(request, "BATCH_SIZE", "48")
            case 3:
                return smoke(request, "BATCH_SIZE", "32")
        return use("propose", constant(request, "BATCH_SIZE", "48", "batch"))

    folder = make_repository(tmp_path / "repo", config=CONFIG + MORE, files={"score.py": SPEAKING})
    with serve(both(maker)) as api:
        context = open_context(folder, None, PlainDisplay(io.StringIO()), {}, OfflineProposer())
        context = replace(with_agents(context, api.environ), may_run=True)
        ensure_started(context)
        assert begin(context, reconcile(context), Begin(1, None)) == 1
        assert not work_on(context, 1, ("propose",))
        campaign = context.ledger.refresh()
    assert api.refusals == []
    failed, refused, fine, spent = told
    assert failed.startswith("It failed.") and "NameError" in failed and "<data " in failed
    assert "No score was taken" in failed and "1 more smoke run." in failed
    assert "It was not run" in refused and "score.py is not an editable file" in refused
    assert fine.startswith("Sound so far: it came to its end.") and "peak_memory_mb" in fine
    assert "No more smoke runs." in fine and "seconds" not in fine
    assert spent.startswith("No smoke run is left")
    for said in told:
        assert not re.search(r"METRIC|loss|1\.\d{4}", said), said
    tried = [event for event in events(folder) if event["kind"] == "draft_tried"]
    assert [(event["turn"], event["outcome"]) for event in tried] == [(1, "error"), (2, "ended")]
    # Its time counts, as the experiment's.
    seconds = sum(event["seconds"] for event in tried)
    assert seconds > 0 and campaign.gpu_seconds() == pytest.approx(seconds)
    assert campaign.runs == {}
    assert "in 2 smoke runs of drafts" in cost_text(campaign, campaign.experiments[1])
    experiment = campaign.experiments[1]
    assert experiment.proposal is not None and experiment.proposal.proposer == "claude-sonnet-5-5"
    assert list((folder / ".git/nocturne/main/scratch").iterdir()) == []


def test_a_job_that_only_proposes_has_no_such_tool(tmp_path: Path) -> None:
    def maker(request: Request, number: int) -> Said:
        if turn(request) == 0:
            return use("smoke_run", {"edits": constant(request, "BATCH_SIZE", "48")["edits"]}, wild=True)
        return use("propose", constant(request, "BATCH_SIZE", "48", "batch"))

    folder = make_repository(tmp_path / "repo", config=CONFIG + MORE)
    with serve(both(maker)) as api:
        context = open_context(folder, None, PlainDisplay(io.StringIO()), {}, OfflineProposer())
        assert propose_next(with_agents(context, api.environ)) == 1
    assert all("smoke_run" not in names(call.request) for call in api.calls)
    assert "There is no tool of that name" in results(api.calls[1].request)[0]
    assert not [event for event in events(folder) if event["kind"] == "draft_tried"]


@pytest.mark.long
def test_an_interrupt_ends_the_draft_and_gives_the_experiment_back(tmp_path: Path) -> None:
    marker = f"draft-{tmp_path.name}"
    slow = SCORE + 'time.sleep(60 if c["BATCH_SIZE"] == 48 else 0)\n'
    config = CONFIG.replace("score.py]", f"score.py, {marker}]") + MORE
    folder = make_repository(tmp_path / "repo", config=config, files={"score.py": slow})

    def maker(request: Request, number: int) -> Said:
        return smoke(request, "BATCH_SIZE", "48")

    with serve(both(maker)) as api:
        process = start(folder, "run", env=api.environ)
        said: list[str] = []
        reader = threading.Thread(target=lambda: said.append(process.stdout.read()))  # type: ignore[union-attr]
        reader.start()
        wait_for(lambda: len(api.made) == 1 and processes_with(marker))
        process.send_signal(signal.SIGINT)
        process.wait(timeout=40)
        reader.join(timeout=10)
    wait_for(lambda: not processes_with(marker))
    assert "Traceback" not in said[0]
    known = events(folder)
    assert not [event for event in known if event["kind"] == "draft_tried"]
    leases = [event for event in known if event.get("subject") == "experiment:1"]
    assert leases[-1]["until"] <= leases[-1]["at"]
    assert list((folder / ".git/nocturne/main/scratch").glob("run-*")) == []


def test_the_event_comes_back_as_it_was_and_counts_once() -> None:
    tried = DraftTried(3, 2, 12.5, "handed_in")
    read: dict[str, Any] = json.loads(json.dumps(to_json(tried, at="2026-11-23T12:00:00+00:00", by="h")))
    assert from_json(read).event == tried and tried.key == "draft:3:2"
    campaign = Campaign()
    for event in (tried, replace(tried, turn=1, seconds=2.5)):
        campaign.apply(Recorded(event, "2026-11-23T12:00:00+00:00", "h"))
    assert (campaign.drafts.turns[3], campaign.gpu_seconds()) == (2, 15.0)
