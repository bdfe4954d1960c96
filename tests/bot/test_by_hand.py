"""A human's deed on a pull request is a word: closed, deleted or pushed onto, an experiment is never merged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.loop.gestures import hear_reviews
from bot.loop.reconciling import reconcile
from bot.loop.start import ensure_started
from bot.loop.working import work_on
from bot.rules import events as ev
from bot.rules.experiment import Experiment
from tests.bot.campaigns import NOW
from tests.bot.forge_readers import noting, readable
from tests.bot.repositories import make_repository
from tests.bot.scripted import Loop, win
from tests.bot.test_promotion import Home, embedded, on_github
from tests.bot.test_unreviewed import stand_by, with_limit

pytestmark = pytest.mark.long  # a GitHub on loopback for each; that a local remote tells the same is `slow`


@pytest.fixture(params=[pytest.param("embedded", marks=pytest.mark.slow), "github"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    if request.param == "embedded":
        noting(monkeypatch)
        yield embedded(tmp_path)
    else:
        with on_github(tmp_path, monkeypatch) as made:
            made.github.repository("octo/models").collaborator("alice", "write")  # type: ignore[union-attr]
            yield made


def opened(home: Home, number: int) -> ev.PullOpened:
    pull = home.loop.campaign.experiments[number].pull
    assert pull is not None
    return pull


def close(home: Home, number: int) -> str:
    """Close as a human does; return what is said of it."""
    pull = opened(home, number).pull
    if home.github is None:
        home.again().context.forge.edit_pull(pull, close=True)
        return "closed by a human"
    human = home.again_as(home.github.token("alice", kind="pat"))
    human.request("PATCH", f"/pulls/{pull}", {"state": "closed"})
    return "closed by alice"


def push(home: Home, number: int) -> str:
    """Push a commit onto the experiment's branch as a human does; return it."""
    forge, git = home.again().context.forge, home.loop.context.git
    head = forge.branch_head(opened(home, number).branch)
    mine = git.commit_files(head, {"train.py": b"MINE = 1\n"}, "By hand", NOW)
    forge.push_branch(opened(home, number).branch, mine)
    sync(home)
    return mine


def sync(home: Home) -> None:
    if home.github is not None:
        home.github.repository("octo/models").sync()


def ended(home: Home, number: int) -> Experiment:
    """Let the loop go on with the experiment, and see that nothing of it was merged."""
    loop = home.again()
    before = loop.campaign.incumbent
    reconcile(loop.context)
    assert work_on(loop.context, number)
    loop.context.ledger.flush()
    sync(home)
    campaign = home.again().campaign
    experiment = campaign.experiments[number]
    forge = home.again().context.forge
    assert experiment.landed is None and campaign.incumbent == before == forge.branch_head("nocturne/main")
    assert experiment.verdict == "rejected" and experiment.finished_at is not None
    assert readable(forge).get_pull(opened(home, number).pull).state == "closed"
    assert not any(
        "**Merged**" in comment.body for comment in readable(forge).comments(opened(home, number).pull)
    )
    return experiment


def test_closed_while_it_waits_to_land(home: Home) -> None:
    stand_by(home.loop, 1, "LEARNING_RATE", "0.004")
    said = close(home, 1)
    experiment = ended(home, 1)
    assert experiment.decision is not None and experiment.decision.reason == said
    body = readable(home.again().context.forge).get_pull(opened(home, 1).pull).body
    assert said in body and "**rejected**" in body
    assert home.again().context.forge.branch_head(opened(home, 1).branch) is None


def test_closed_between_the_word_and_the_landing(home: Home) -> None:
    stand_by(home.loop, 1, "LEARNING_RATE", "0.004")
    home.loop.context.ledger.append(lambda _: [ev.LandingBegun(1, 1)])
    close(home, 1)
    ended(home, 1)


def test_its_branch_was_deleted(home: Home) -> None:
    stand_by(home.loop, 1, "LEARNING_RATE", "0.004")
    home.again().context.forge.delete_branch(opened(home, 1).branch)
    sync(home)
    decision = ended(home, 1).decision
    assert decision is not None and ("deleted" in decision.reason or "closed by" in decision.reason)


@pytest.mark.parametrize("also_closed", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_commit_of_a_human_is_kept(home: Home, also_closed: bool) -> None:
    stand_by(home.loop, 1, "LEARNING_RATE", "0.004")
    mine = push(home, 1)
    if also_closed:
        close(home, 1)
    decision = ended(home, 1).decision
    assert decision is not None and mine[:12] in decision.reason and "is kept" in decision.reason
    forge = home.again().context.forge
    assert forge.branch_head(opened(home, 1).branch) == mine
    assert any(mine[:12] in comment.body for comment in readable(forge).comments(opened(home, 1).pull))


def test_a_carried_round_throws_no_commit_away(home: Home) -> None:
    stand_by(home.loop, 1, "DROPOUT", "0.1")
    mine = push(home, 1)
    win(home.loop, 2, "LEARNING_RATE", "0.002", score=0.7)
    sync(home)
    decision = ended(home, 1).decision
    assert decision is not None and mine[:12] in decision.reason
    assert home.again().context.forge.branch_head(opened(home, 1).branch) == mine


def test_one_that_waits_for_a_reader_is_looked_at(home: Home) -> None:
    win(home.loop, 1, "LEARNING_RATE", "0.002", score=1.0)
    stand_by(home.loop, 2, "DROPOUT", "0.1")
    home.loop.context.ledger.append(lambda _: [ev.LandingHeld(2, 1, 1, 1)])
    sync(home)
    close(home, 2)
    loop = with_limit(home.again(), 1)
    assert 2 in hear_reviews(loop.context, loop.context.ledger.refresh()).refused
    ended(home, 2)


@pytest.mark.parametrize("deed", ["delete", "push"])
def test_on_a_local_remote_that_nobody_reads(tmp_path: Path, deed: str) -> None:
    loop = embedded(tmp_path).loop
    stand_by(loop, 1, "LEARNING_RATE", "0.004")
    context, branch = loop.context, "nocturne/exp/main/1"
    head = context.forge.branch_head(branch) or ""
    if deed == "delete":
        context.forge.delete_branch(branch)
    else:
        mine = context.git.commit_files(head, {"train.py": b"MINE = 1\n"}, "By hand", NOW)
        context.forge.push_branch(branch, mine)
    again = Loop(loop.top, [])
    reconcile(again.context)
    assert work_on(again.context, 1)
    again.context.ledger.flush()
    experiment = again.campaign.experiments[1]
    assert experiment.landed is None and experiment.verdict == "rejected" and experiment.decision is not None
    said = "was deleted" if deed == "delete" else f"{mine[:12]}, was pushed onto {branch}, which is kept"
    assert said in experiment.decision.reason
    assert context.forge.branch_head(branch) == (None if deed == "delete" else mine)


@pytest.mark.parametrize("deed", ["close", "push"])
@pytest.mark.usefixtures("people_read")
def test_while_it_trains(tmp_path: Path, deed: str) -> None:
    home = embedded(tmp_path)
    loop = Loop(home.top, [{"LEARNING_RATE": "0.004", "BATCH_SIZE": "16"}])
    said: list[str] = []
    begin: Callable[..., None] = loop.context.display.run_started

    def run_started(*, title: str, replicate: int, seed: int) -> None:
        if not said and not title.startswith("incumbent"):
            said.append(close(home, 1) if deed == "close" else push(home, 1))
        begin(title=title, replicate=replicate, seed=seed)

    loop.context.display.run_started = run_started  # type: ignore[method-assign]
    loop.run(1)
    campaign = home.again().campaign
    decision = campaign.experiments[1].decision
    assert said and decision is not None and campaign.experiments[1].landed is None
    assert decision.verdict == "rejected" and said[0][:12] in decision.reason
    assert len(campaign.incumbents) == 1


def test_an_experiment_that_nobody_touched_lands(tmp_path: Path) -> None:
    loop = Loop(make_repository(tmp_path / "repo"), [])
    ensure_started(loop.context)
    loop.context.forge.push_branch("nocturne/main", loop.campaign.incumbent)
    stand_by(loop, 1, "LEARNING_RATE", "0.004")
    reconcile(loop.context)
    assert work_on(loop.context, 1) and loop.campaign.experiments[1].landed is not None
