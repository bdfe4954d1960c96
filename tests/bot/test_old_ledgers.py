"""Ledgers that earlier code wrote: they fold to the state that it saw, are shown, and go on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from bot.rules.campaign import Campaign, fold
from bot.rules.events import read
from tests.bot.repositories import events, git, nocturne, status

LEDGERS = Path(__file__).parent / "ledgers"
NAMES = ("formula", "claude", "every-kind")


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (LEDGERS / f"{name}.jsonl").read_text().splitlines()]


def folded(name: str) -> Campaign:
    return fold(read(line) for line in lines(name))


def state(campaign: Campaign) -> dict[str, Any]:
    """Return what a campaign knows, in words that no change of the code may change."""
    c = campaign
    started = c.started
    assert started is not None
    return {
        "began": [started.campaign, started.base_branch, started.base_commit, c.metric, c.direction, c.started_at],
        "experiments": [
            {
                "number": e.number,
                "claimed": [e.claimed_at, e.claimed_on, e.claimed_by],
                "asked": [e.reverts, e.retries],
                "title": e.title,
                "reason": e.proposal.reason if e.proposal else None,
                "cost": [e.proposal.cost_usd, e.proposal.input_tokens] if e.proposal else None,
                "changes": list(e.proposal.changes) if e.proposal else [],
                "round": [e.round, e.revisions, e.carried, e.repairs, e.held, e.landing, e.carried_over],
                "states": [e.is_held, e.drawn, e.sent_back is not None, e.asked_for],
                "commits": [e.parent, *e.commits],
                "pull": [e.pull.pull, e.pull.branch, e.comment] if e.pull else None,
                "review": [e.review.approved, e.review.revise, list(e.review.reasons)] if e.review else None,
                "decision": {n: v for n, v in dataclasses.asdict(e.decision).items() if n != "defence"}
                if e.decision
                else None,
                "decided_by": e.decided_by,
                "measured": e.measured.outcome if e.measured else None,
                "landed": e.landed.commit if e.landed else None,
                "finished_at": e.finished_at,
                "bill": dataclasses.asdict(c.bills.of_experiment(e.number)),
            }
            for e in c.experiments.values()
        ],
        "order": c.order,
        "open": [e.number for e in c.open_experiments()],
        "landed": [e.number for e in c.landed()],
        "incumbents": c.incumbents,
        "of incumbents": {commit: e.number for commit in c.incumbents if (e := c.experiment_of(commit))},
        "reference": c.reference,
        "moves": [c.moves, c.taken_in, sorted(c.absorbed), c.left_out.reason if c.left_out else None],
        "runs": [[r.run, r.commit, r.experiment, r.score, r.failure, c.run_times[r.run]] for r in c.runs.values()],
        "runs of incumbents": {commit: [r.run for r in c.runs_of(commit)] for commit in c.incumbents},
        "scores of incumbents": {commit: c.scores_of(commit) for commit in c.incumbents},
        "scored": {
            commit: [dataclasses.astuple(run) for run in runs] for commit, runs in c.scored(*c.scale).items()
        }
        if c.scale
        else {},
        "scale": c.scale,
        "best": c.best(),
        "costs": [c.gpu_seconds(), c.cost_usd(), dataclasses.asdict(c.bills.total)],
        "drafts": [c.drafts.turns, c.drafts.seconds],
        # nothing was taken over from elsewhere then
        "history": [
            {name: value for name, value in dataclasses.asdict(past).items() if name != "claim"} for past in c.history()
        ],
        # nobody audited a head then
        "promotions": [
            {name: value for name, value in dataclasses.asdict(p).items() if name != "audit"} for p in c.promotions
        ],
        "commands": [c.commands, sorted(c.said), c.paused, c.stop_asked, c.resumed_after, c.resumed_at_runs],
        "waiting": [c.reverts_waiting, c.retries_waiting, sorted(c.read), c.refused],
        "stops": [[s.reason, s.detail, at] for s, at in c.stops],
        "stopped": c.stopped.reason if c.stopped else None,
        "leases": {subject: dataclasses.asdict(lease) for subject, lease in c.leases.items()},
        "turns": c.lease_turns,
        "messages": [
            {name: m.outcome for name, m in c.messages.ended.items()}, sorted(c.messages.told), c.messages.charts,
            c.messages.refusals, c.messages.begun_at,
        ],
        "ideas": {n: [i.waits, i.trying, i.withdrawn, i.ended, list(i.experiments)] for n, i in c.ideas.known.items()},
        "passed": {n: list(i.passed_by) for n, i in c.ideas.known.items()},
        "wishes": c.wishes.counts(),
        "mended": c.mended,
        "asked": dataclasses.asdict(c.asked) if c.asked else None,
        "count": [c.event_count, c.asks, c.last_at, c.self_reported],
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_old_ledger_folds_to_the_state_that_was_seen_when_it_was_written(name: str) -> None:
    seen = json.loads((LEDGERS / f"{name}.state.json").read_text())
    assert json.loads(json.dumps(state(folded(name)))) == seen


def old_repository(above: Path) -> Path:
    """Make the repository of the formula ledger as earlier code left it, with one experiment before its training."""
    folder = above / "repo"
    forge, bundle = folder / ".git/nocturne/forge.git", str(LEDGERS / "formula.bundle")
    git(folder.parent, "init", "--quiet", "--initial-branch=main", str(folder))
    git(folder, "init", "--quiet", "--bare", str(forge))
    git(forge, "fetch", "--quiet", bundle, "+refs/*:refs/*")
    git(folder, "pull", "--quiet", bundle, "main")
    return folder


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return old_repository(tmp_path_factory.mktemp("old"))


def test_old_repository_is_shown_and_goes_on(repository: Path) -> None:
    before = folded("formula")
    known = status(repository)
    assert events(repository, "refs/remotes/nocturne/ledger") == lines("formula")
    assert known["experiments"]["total"] == len(before.experiments) and known["experiments"]["open"] == 1
    assert known["incumbent"]["commit"] == before.incumbent and known["runs"] == len(before.runs)
    assert "Set DROPOUT 0.05" in nocturne(repository, "status").stdout
    for number in (3, 11, 14):
        assert before.experiments[number].title in nocturne(repository, "show", str(number)).stdout
    assert "# " in nocturne(repository, "report").stdout

    nocturne(repository, "run", "-n", "2")
    after = status(repository)["experiments"]
    assert after["total"] == len(before.experiments) + 1 and after["open"] == 0
    went_on = events(repository, "refs/remotes/nocturne/ledger")
    assert went_on[: len(lines("formula"))] == lines("formula")
    claimed = [event["experiment"] for event in went_on if event["kind"] == "experiment_claimed"]
    assert claimed == list(range(1, len(before.experiments) + 2))
