"""The comprehension budget: what counts as read, what waits for a reader, how it lands, and how it is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.agents.constants import changes_between, rewrite
from bot.commands.steer import give_about
from bot.config import Config, NotifySettings
from bot.config import Stop as StopSettings
from bot.forge import BODY_LIMIT
from bot.forge.github import GitHubForge
from bot.loop.commits import kept_files
from bot.loop.gestures import hear_reviews
from bot.loop.promoting import promote, promote_at_stop
from bot.loop.reconciling import reconcile
from bot.loop.review import check
from bot.loop.start import ensure_started
from bot.loop.working import work_on
from bot.rules import events as ev
from bot.rules.campaign import Campaign
from bot.rules.commands import ExperimentCommand
from bot.rules.decision import Rule
from bot.rules.human import in_hand, objection, unread, waits
from bot.rules.proposal import Proposal
from bot.rules.schedule import Begin, Continue, Standing, next_step
from bot.rules.stages import STAGES
from bot.rules.stopping import Limits, Stop, is_fixed
from bot.tell.figures.campaign import figures
from bot.tell.figures.debt import debt_words, minutes_of
from bot.tell.figures.period import period
from bot.tell.figures.plain import status_json
from bot.tell.figures.promotion import promotion_figures
from bot.tell.page import report_html
from bot.tell.views.morning import morning_message
from bot.tell.views.news import noteworthy
from tests.bot.campaigns import HOSTILE, NOW, SIGMA, Night, commit_of
from tests.bot.forge_readers import readable
from tests.bot.repositories import CONFIG, make_repository
from tests.bot.scripted import WINS, Loop, recorded, win
from tests.bot.telling import (
    facts_of,
    lists_of,
    promotion_body,
    pull_body,
    report_markdown,
    standing,
    status_text,
)
from tests.bot.test_promotion import Home, on_github
from tests.github.records import TokenKind

pytestmark = pytest.mark.usefixtures("people_read")


def numbers(campaign: Campaign) -> list[int]:
    return [e.number for e in unread(campaign)]


def merged(count: int) -> Night:
    """Return a night in which every experiment was merged."""
    night = Night()
    night.baseline()
    for number in range(1, count + 1):
        night.experiment(number, "improved", f"Change {number}")
    return night


def confirmed(night: Night, number: int) -> None:
    """Record an experiment that is better and not merged yet."""
    night.experiment(number, "improved", f"Change {number}", finish=False)
    night.add(
        ev.ExperimentDecided(number, 1, "improved", True, -0.01, 0.001, SIGMA, 0.9, 0.91, 2, 2, "beyond it", "Yes.")
    )  # fmt: skip


def standing_with(**limits: object) -> Standing:
    return Standing(
        holder="me", now=NOW, runner="1x H100", fingerprint="f1", limits=Limits(**limits),  # type: ignore[arg-type]
        incumbent_runs=2, remeasure_every=10, is_dead=lambda holder: True,
    )  # fmt: skip


# What counts as read


def test_a_merge_is_unread_until_a_human_says_so_anywhere() -> None:
    night = merged(4)
    assert numbers(night.campaign()) == [1, 2, 3, 4]
    night.add(ev.CommandGiven(1, "approve", 2))
    night.add(ev.ExperimentRead(3, "review:7"))
    assert numbers(night.campaign()) == [1, 4]


@pytest.mark.parametrize(("state", "by", "left"), [
    ("merged", "human", [3]), ("merged", "bot", [1, 2, 3]), ("closed", "human", [1, 2, 3]),
    ("empty", "human", [1, 2, 3]),
])  # fmt: skip
def test_merging_the_promotion_pays_for_all_in_it(state: str, by: str, left: list[int]) -> None:
    night = merged(2)
    head = night.incumbent
    night.experiment(3, "improved", "Change 3")
    night.add(ev.PromotionOpened(50, "u"))
    night.add(ev.PromotionShown(50, head, "b", "d", 1))
    night.add(ev.PromotionEnded(50, state, head, by))  # type: ignore[arg-type]
    assert numbers(night.campaign()) == left


def test_what_was_taken_out_again_owes_nothing_and_neither_does_its_removal() -> None:
    night = merged(2)
    night.add(ev.CommandGiven(1, "revert", 1))
    night.add(ev.ExperimentClaimed(3, night.incumbent, reverts=1))
    night.add(ev.CandidateBuilt(3, 1, night.incumbent, commit_of("back"), 1, 1))
    night.add(ev.ExperimentDecided(3, 1, "discarded", True, 0.0, 0.1, SIGMA, 1.0, 1.0, 2, 2, "asked", "."))
    assert not waits(night.campaign(), night.campaign().experiments[3], 1), "a human asked for it"
    night.add(ev.ExperimentLanded(3, commit_of("back"), night.incumbent))
    assert numbers(night.campaign()) == [2]


def test_events_are_read_as_they_were_written() -> None:
    for event in (
        ev.LandingHeld(3, 1, 10, 10),
        ev.ExperimentRead(3, "review:7"),
        ev.PromotionEnded(5, "merged", "h", "bot"),
    ):
        assert ev.from_json(ev.to_json(event, at="t", by="x")).event == event
    old = ev.to_json(ev.PromotionEnded(5, "merged", "h"), at="t", by="x")
    del old["merger"]
    assert ev.from_json(old).event == ev.PromotionEnded(5, "merged", "h")


# What waits, and what the loop does meanwhile


def test_what_is_held_hinders_nothing_else() -> None:
    night = merged(2)
    confirmed(night, 3)
    assert isinstance(next_step(night.campaign(), standing_with(unread=2)), Continue), "nobody was told yet"
    night.add(ev.LandingHeld(3, 1, 2, 2))
    known = night.campaign()
    assert waits(known, known.experiments[3], 2) and in_hand(known, 2) == []
    assert next_step(known, standing_with(unread=2)) == Begin(4)
    # The limit was raised, or is none.
    assert next_step(known, standing_with(unread=3)) == Continue(3)
    assert next_step(known, standing_with()) == Continue(3)
    night.add(ev.ExperimentRead(1, "review:7"))
    assert next_step(night.campaign(), standing_with(unread=2)) == Continue(3)


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_a_word_on_the_held_one_itself_ends_its_waiting(command: ExperimentCommand) -> None:
    night = merged(2)
    confirmed(night, 3)
    assert objection(night.campaign(), "approve", 3, call="nocturne") is not None, "what is measured decides"
    night.add(ev.LandingHeld(3, 1, 2, 2))
    assert objection(night.campaign(), command, 3, call="nocturne") is None
    night.add(ev.CommandGiven(1, command, 3))
    assert next_step(night.campaign(), standing_with(unread=2)) == Continue(3)
    assert objection(night.campaign(), command, 3, call="nocturne") is not None, "once is enough"


def test_the_last_experiments_of_a_campaign_may_be_held() -> None:
    """No loop waits for ever for what only a human can let go on."""
    night = merged(2)
    confirmed(night, 3)
    night.add(ev.LandingHeld(3, 1, 2, 2))
    step = next_step(night.campaign(), standing_with(unread=2, experiments=3))
    assert isinstance(step, Stop) and step.reason == "experiments"
    assert step.detail == "2 done, and 1 improvement waits for a reader, stop.experiments is 3"


@pytest.mark.parametrize(("given", "most"), [
    ({}, None), ({"max_unreviewed_merges": 3}, 3), ({"max_unreviewed_merges": 0}, None),
    ({"when_unreviewed": "hold"}, 10), ({"when_unreviewed": "pause"}, 10),
    ({"when_unreviewed": "tell", "max_unreviewed_merges": 3}, None),
])  # fmt: skip
def test_nothing_is_held_unless_the_configuration_says_so(given: dict[str, Any], most: int | None) -> None:
    assert Config(**given).most_unread == most


def test_the_bot_promotes_nothing_that_nobody_has_read(tmp_path: Path) -> None:
    more = "promotion: {merge: bot}\nmax_unreviewed_merges: 1\nwhen_unreviewed: tell\n"
    home = Home(tmp_path, make_repository(tmp_path / "repo", config=CONFIG + more), {})
    base = home.base()
    home.win(1, 0.002, score=1.0)
    home.win(2, 0.004, score=0.9)
    running = replace(home.loop.context, may_run=True)
    end = Stop("experiments", "2 are done")
    promote_at_stop(running, home.loop.campaign, end)
    assert home.base() == base and "2 merges are unread, max_unreviewed_merges is 1" in home.loop.said
    home.loop.context.ledger.append(lambda _: [ev.ExperimentRead(1, "approve:1")])
    promote_at_stop(running, home.loop.campaign, end)
    assert home.base() == home.loop.campaign.incumbent


def test_it_pauses_where_the_configuration_says_so() -> None:
    night = merged(2)
    step = next_step(night.campaign(), standing_with(unread=2, pauses=True))
    assert isinstance(step, Stop) and step.reason == "unreviewed"
    assert "2 merged and not read by a human, max_unreviewed_merges is 2" in step.detail
    night.add(ev.ExperimentRead(1, "review:7"))
    assert next_step(night.campaign(), standing_with(unread=2, pauses=True)) == Begin(3)


def test_what_is_asked_stands_as_long_as_something_is_held() -> None:
    night = merged(2)
    confirmed(night, 3)
    night.add(ev.LandingHeld(3, 1, 2, 2))
    night.add(ev.HumanAsked(1, 1, "unreviewed", "2 merges"))
    night.add(ev.ExperimentClaimed(4, night.incumbent))
    assert not is_fixed(night.campaign().asked)  # type: ignore[arg-type]
    night.add(ev.LandingBegun(3, 1))
    night.add(ev.ExperimentClaimed(5, night.incumbent))
    assert is_fixed(night.campaign().asked)  # type: ignore[arg-type]


# A loop on a repository


@pytest.mark.long
def test_what_is_held_lands_once_somebody_has_read(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo", config=CONFIG + "max_unreviewed_merges: 1\n")
    loop = begun(top)
    win(loop, 1, "LEARNING_RATE", "0.002", score=1.0)
    stand_by(loop, 2, "LEARNING_RATE", "0.004")
    stand_by(loop, 3, "BATCH_SIZE", "32")
    assert loop.run(None).reason == "exhausted"
    known = loop.campaign
    assert [e.number for e in known.landed()] == [1]
    assert [e.number for e in known.open_experiments()] == [2, 3]
    assert [e.held for e in known.experiments.values()] == [0, 1, 1, 0]
    (asked,) = recorded(top, ev.HumanAsked)
    assert isinstance(asked, ev.HumanAsked) and asked.reason == "unreviewed"
    issue = readable(loop.context.forge).get_issue(known.asked.issue or 0)  # type: ignore[union-attr]
    assert issue.state == "open" and "merges wait for a reader" in issue.title
    assert "- experiment 2 is held: Set LEARNING\\_RATE" in issue.body
    second = known.experiments[2]
    assert second.candidate is not None and second.pull is not None
    (comment,) = readable(loop.context.forge).comments(second.pull.pull)
    assert comment.body.startswith("**Confirmed, and held.** 1 merge waits")
    (report,) = readable(loop.context.forge).reports(second.candidate.commit)
    assert report.conclusion == "success", "what was measured can be read meanwhile"
    # Nothing changes while nobody reads, and no lease is in the way of whoever goes on.
    runs, again = len(known.runs), Loop(top, [])
    assert again.run(None).reason == "exhausted"
    assert len(again.campaign.runs) == runs and len(recorded(top, ev.LandingHeld)) == 2
    give_about(loop.context, "approve", 1)
    again.run(None)
    known = again.campaign
    assert [e.number for e in known.landed()] == [1, 2] and known.incumbent == second.candidate.commit
    assert known.experiments[3].is_held, "landing the second one has spent the budget again"
    give_about(again.context, "approve", 2)
    again.run(None)
    third = again.campaign.experiments[3]
    assert third.finished_at is not None and third.round == 2, "carried to the newer incumbent"
    assert third.candidate is not None and again.campaign.runs_of(third.candidate.commit), (
        "and measured again"
    )


def test_what_a_human_must_look_at_waits_for_that_and_for_nothing_else(tmp_path: Path) -> None:
    loop = begun(make_repository(tmp_path / "repo", config=CONFIG))
    look = "train.py line 3 reads or writes files by their descriptors."
    stand_by(loop, 1, "LEARNING_RATE", "0.002", looks=(look,))
    assert loop.run(None).reason == "exhausted"
    (held,) = loop.campaign.open_experiments()
    assert held.is_held and held.pull is not None and loop.campaign.landed() == []
    (comment,) = readable(loop.context.forge).comments(held.pull.pull)
    assert comment.body.startswith("**Confirmed, and held: a human must look at it first.**")
    assert look in comment.body and "approve" in comment.body
    assert "a human must look at it first" in loop.campaign.asked.detail  # type: ignore[union-attr]
    assert figures(loop.campaign, now=NOW, max_unread=8).debt.held == (), (
        "no reading of other merges lets it land"
    )
    give_about(loop.context, "approve", 1)
    loop.run(None)
    assert [e.number for e in loop.campaign.landed()] == [1]


def test_the_review_by_rule_says_what_a_human_must_look_at(tmp_path: Path) -> None:
    loop = begun(make_repository(tmp_path / "repo", config=CONFIG))
    stand_by(loop, 1, "LEARNING_RATE", "0.002", more="\nimport os\n\nos.dup(1)\n")
    done = check(loop.context, loop.campaign, loop.campaign.experiments[1])
    (reviewed,) = [event for event in done.events if isinstance(event, ev.Reviewed)]
    assert reviewed.approved and "by their descriptors" in reviewed.looks[0]
    pull = loop.campaign.experiments[1].pull
    assert pull is not None
    (report,) = readable(loop.context.forge).reports(loop.campaign.experiments[1].candidate.commit)  # type: ignore[union-attr]
    assert "To be looked at by a human before it is merged" in report.summary


def begun(top: Path) -> Loop:
    """Return a loop that has nothing to propose, on a campaign that has begun."""
    loop = Loop(top, [])
    ensure_started(loop.context)
    loop.context.forge.push_branch("nocturne/main", loop.campaign.incumbent)
    return loop


def stand_by(
    loop: Loop, number: int, constant: str, value: str, *, looks: tuple[str, ...] = (), more: str = ""
) -> None:
    """Bring an experiment to where it would land, without training; `looks` are what a human must look at, `more` is
    put behind its train.py."""
    context, parent = loop.context, loop.campaign.incumbent
    files = {"train.py": (context.git.read_blob(parent, "train.py") or b"").decode()}
    new, said = (
        {"train.py": rewrite(files["train.py"], {constant: value}) + more},
        f"Set {constant} to {value}",
    )
    changes = changes_between(files, new)
    proposal = Proposal(said, "other", "Because.", "better", "low", new, changes, proposer="script")
    commit = context.git.commit_files(parent, {path: text.encode() for path, text in new.items()}, said, NOW)
    branch = context.experiment_branch(number)
    context.forge.replace_branch(branch, commit)
    pull = context.forge.open_pull(head=branch, base=context.branch, title=said, body=said, number=number)
    proposed = ev.ExperimentProposed(
        number, said, "other", "Because.", "better", "low", "script", tuple(vars(each) for each in changes),
        ("train.py",),
    )  # fmt: skip
    context.ledger.append(
        lambda _: [
            ev.ExperimentClaimed(number, parent),
            proposed,
            ev.CandidateBuilt(number, 1, parent, commit, 1, 1),
            ev.PullOpened(number, pull.number, branch, pull.url),
            ev.Reviewed(number, 1, True, (), f"f{number}", looks=looks),
            ev.ExperimentDecided(
                number, 1, "improved", True, -0.1, 0.01, 0.002, 0.8, 0.9, 2, 2, "beyond it", "Yes."
            ),
        ],
        lambda _: kept_files(number, 0, proposal),
    )


@pytest.fixture
def github_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with on_github(tmp_path, monkeypatch) as made:
        yield made


def with_limit(loop: Loop, limit: int, **more: object) -> Loop:
    config = loop.context.config.model_copy(update={"max_unreviewed_merges": limit, **more})
    loop.context = replace(loop.context, config=config)
    return loop


def review(home: Home, login: str, experiment: int, event: str = "COMMENT", kind: TokenKind = "pat") -> None:
    assert home.github is not None
    pull = home.loop.campaign.experiments[experiment].pull
    assert pull is not None
    issue = home.github.repository("octo/models").pull(pull.pull)
    before = issue.updated
    token = home.github.token(login, kind=kind)
    body = {"event": event, "body": "I see."}
    home.again_as(token).request("POST", f"/pulls/{pull.pull}/reviews", body)
    # As if it came later than it does in a test.
    issue.updated = before + timedelta(minutes=5)


@pytest.mark.long
def test_reviews_by_who_may_write_count_and_cost_little(github_home: Home) -> None:
    home, github = github_home, github_home.github
    assert github is not None
    repository = github.repository("octo/models")
    repository.collaborator("alice", "write")
    repository.collaborator("rita", "read")
    for number, rate in ((1, "0.002"), (2, "0.004"), (3, "0.005")):
        commit = win(home.loop, number, "LEARNING_RATE", rate, score=1.0 - number / 10)
        assert commit
    assert isinstance(home.loop.context.forge, GitHubForge)
    for number in (1, 2, 3):  # what the loop does at an experiment's end
        pull = home.loop.campaign.experiments[number].pull
        assert pull is not None
        home.loop.context.forge.edit_pull(pull.pull, labels=("nocturne", "nocturne:improved"))
    repository.sync()
    for experiment in home.loop.campaign.experiments.values():  # at once, however slow this machine is
        assert experiment.pull is not None and experiment.finished_at is not None
        repository.pull(experiment.pull.pull).updated = datetime.fromisoformat(experiment.finished_at)
    review(home, "rita", 1, "APPROVE")
    review(home, "alice", 3)
    context = home.again().context
    github.calls.clear()
    assert numbers(hear_reviews(context, context.ledger.refresh())) == [1, 2]
    # The list, the reviews of two pull requests, and what their two authors may do.
    assert len(github.calls) == 5, [call.path for call in github.calls]
    (seen,) = recorded(home.github.repository("octo/models").path, ev.ExperimentRead)  # type: ignore[union-attr]
    assert isinstance(seen, ev.ExperimentRead) and seen.experiment == 3 and seen.source.startswith("review:")
    github.calls.clear()
    hear_reviews(context, context.ledger.refresh())
    assert len(github.calls) == 1, "nothing is looked into twice"


@pytest.mark.long
def test_holding_survives_a_kill_at_its_words_and_says_them_once(
    github_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, github = github_home, github_home.github
    assert github is not None
    win(home.loop, 1, "LEARNING_RATE", "0.002", score=1.0)
    stand_by(home.loop, 2, "LEARNING_RATE", "0.004")
    first = with_limit(home.again(), 1)
    monkeypatch.setattr(first.context.forge, "upsert_comment", _killed)
    reconcile(first.context)
    with pytest.raises(KeyboardInterrupt):
        work_on(first.context, 2, STAGES)
    assert not first.campaign.experiments[2].is_held
    for _ in range(2):
        loop = with_limit(home.again(), 1)
        reconcile(loop.context)
        work_on(loop.context, 2, STAGES)
    known = home.loop.campaign
    assert known.experiments[2].is_held and known.incumbent != known.experiments[2].candidate.commit  # type: ignore[union-attr]
    path = github.repository("octo/models").path
    assert len(recorded(path, ev.LandingHeld)) == len(recorded(path, ev.HumanAsked)) == 1
    (comment,) = readable(home.again().context.forge).comments(known.experiments[2].pull.pull)  # type: ignore[union-attr]
    assert "**Confirmed, and held.**" in comment.body and "`/nocturne approve`" in comment.body
    # Approved itself, it lands as it was measured.
    give_about(loop.context, "approve", 2)
    loop = with_limit(home.again(), 1)
    reconcile(loop.context)
    work_on(loop.context, 2, STAGES)
    assert home.loop.campaign.incumbent == known.experiments[2].candidate.commit  # type: ignore[union-attr]


def _killed(*given: object, **named: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.long
def test_reviews_that_cannot_be_looked_up_stop_nobody(
    github_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = github_home
    win(home.loop, 1, "LEARNING_RATE", "0.002", score=1.0)
    assert home.github is not None
    token = home.github.token("nobody", kind="pat")
    loop = Loop(home.top, WINS, home.environ | {"GITHUB_TOKEN": token})
    before = home.loop.campaign
    assert numbers(hear_reviews(replace(home.loop.context, forge=loop.context.forge), before)) == [1]
    assert "can't be looked up" in home.loop.said


def test_a_promotion_merged_by_the_bot_is_read_by_nobody(tmp_path: Path) -> None:
    home = Home(tmp_path, make_repository(tmp_path / "repo"), {})
    home.win(1, 0.002, score=1.0)
    rule = home.loop.context.config.promotion.model_copy(update={"merge": "bot"})
    loop = with_limit(home.again(), 1, promotion=rule)
    promote_at_stop(loop.context, loop.campaign, Stop("unreviewed", "1 merge waits"))
    assert loop.campaign.promotions[-1].state == "open", "a budget that is spent promotes nothing"
    running = replace(loop.context, may_run=True)
    promote_at_stop(running, loop.campaign, Stop("experiments", "1 is done"))
    assert [each.state for each in loop.campaign.promotions] == ["merged"] and numbers(loop.campaign) == [1]
    home.win(2, 0.004, score=0.9)
    promote(home.again().context, merge=True)
    assert numbers(home.loop.campaign) == []


def test_the_loop_ends_and_asks_where_it_is_to_pause(tmp_path: Path) -> None:
    top = make_repository(
        tmp_path / "repo", config=CONFIG + "max_unreviewed_merges: 1\nwhen_unreviewed: pause\n"
    )
    loop = begun(top)
    win(loop, 1, "LEARNING_RATE", "0.002", score=1.0)
    assert loop.run(None).reason == "unreviewed"
    assert loop.run(None).reason == "unreviewed"
    assert len(recorded(top, ev.LoopStopped)) == len(recorded(top, ev.HumanTold)) == 1
    assert numbers(loop.campaign) == [1] and max(loop.campaign.experiments) == 1


# How it is told


def told(limit: int | None, count: int = 4, held: int = 0) -> tuple[Campaign, Night]:
    night = merged(count)
    for number in range(count + 1, count + 1 + held):
        confirmed(night, number)
        night.add(ev.LandingHeld(number, 1, count, limit or 0))
    return night.campaign(), night


def test_the_reading_list_is_the_shortest_that_pays() -> None:
    # The change of experiment N adds 3 + N % 7 lines and removes 2: the shortest ones are 7, 1, 2.
    campaign, _ = told(8, 8)
    debt = figures(campaign, now=NOW, max_unread=8).debt
    assert (debt.merges, debt.is_spent, [row.number for row in debt.reading]) == (8, True, [7])
    assert debt.lines == sum(5 + number % 7 for number in range(1, 9))
    campaign, _ = told(8, 8, held=3)
    debt = figures(campaign, now=NOW, max_unread=8).debt
    assert debt.held == (9, 10, 11) and [row.number for row in debt.reading] == [1, 7, 8], (
        "as many as are held"
    )
    debt = figures(campaign, now=NOW, max_unread=7).debt
    assert [row.number for row in debt.reading] == [1, 2, 7, 8], "and what is beyond the limit"
    assert debt.minutes == sum(minutes_of(row) for row in debt.reading) == 8
    debt = figures(campaign, now=NOW, max_unread=20).debt
    assert not debt.is_spent and debt.held == () and len(debt.reading) == 3
    assert debt_words(figures(campaign, now=NOW).debt) == f"8 merges ({debt.lines} lines)"


def test_the_night_tells_once_that_something_is_held() -> None:
    campaign, _ = told(4, 4, held=2)
    known = figures(campaign, now=NOW, max_unread=4)
    notices = [
        each
        for each in noteworthy(campaign, known, NotifySettings(), StopSettings(), now=NOW)
        if each.key == "held:5"
    ]
    assert (
        "".join(word.text for word in notices[0].line).startswith("Needs you: 4 merges wait")
        and notices[1:] == []
    )
    free = figures(campaign, now=NOW, max_unread=5)
    told_of = noteworthy(campaign, free, NotifySettings(), StopSettings(), now=NOW)
    assert not any(each.key.startswith("held:") for each in told_of)


def test_paying_the_list_lets_what_is_held_land() -> None:
    campaign, night = told(8, 8, held=3)
    for row in figures(campaign, now=NOW, max_unread=8).debt.reading:
        night.add(ev.ExperimentRead(row.number, "review:1"))
    after = night.campaign()
    for number in (9, 10, 11):
        assert not waits(after, after.experiments[number], 8)
        # Those that land one after the other owe a reading in their turn.
        night.add(ev.ExperimentLanded(number, commit_of(f"landed {number}"), after.incumbent))
        after = night.campaign()
    assert len(unread(after)) == 8


def test_all_pages_say_the_same() -> None:
    campaign, _ = told(4, 4, held=1)
    known = figures(campaign, now=NOW, prior_sigma=SIGMA, max_unread=4)
    debt = known.debt
    assert status_json(known)["unreviewed"] == {
        "merges": 4, "lines": debt.lines, "limit": 4, "held": [5], "reading": [1], "minutes": 2,
    }  # fmt: skip
    past = period(figures(merged(0).campaign(), now=NOW), known, campaign.started_at)
    morning = morning_message("2026-03-09", known, past, StopSettings())
    lists = lists_of(morning.body)
    said, heads = " ".join(line for lines in lists.values() for line in lines), " ".join(lists)
    assert (
        facts_of(morning.body)["Unread"]
        == debt_words(debt)
        == f"4 merges ({debt.lines} lines; up to 4 may be unread)"
    )
    pages = (
        report_markdown(known),
        report_html(known),
        status_text(known),
        standing(known),
        said + heads,
    )
    for page in pages:
        assert "so that merging goes on: about 2 minutes" in page
        assert "experiment 5 will not be merged before 1 of them is read: about 2 minutes" in page
    for page in pages[:4]:
        assert f"{debt.lines} lines" in page
    quiet = figures(merged(0).campaign(), now=NOW, max_unread=4)
    assert quiet.debt.reading == () and "so that merging" not in report_markdown(quiet) + report_html(quiet)


@pytest.mark.parametrize("words", HOSTILE)
def test_words_of_agents_do_nothing_in_explanation_and_list(words: str) -> None:
    night = Night()
    night.baseline()
    night.experiment(1, "improved", words)
    campaign = night.campaign()
    known = figures(campaign, now=NOW, prior_sigma=SIGMA, max_unread=1)
    told_of = promotion_figures(campaign, known, 0, set(campaign.incumbents))
    body = pull_body(campaign, campaign.experiments[1], "", rule=Rule())
    promotion = promotion_body(
        campaign, known, told_of, [], rule=Rule(), base="main", branch="nocturne/main", on_github=True
    )
    for text in (body, promotion, report_markdown(known), standing(known)):
        assert not any(
            live in text for live in ("@octo", "closes #1", "https://evil", "<img", "<!-- x", "\x1b")
        )
    assert "<img src=x" not in report_html(known).split("<main>")[1].split("</main>")[0]


def test_every_merge_is_explained_for_a_reader() -> None:
    night = Night()
    night.baseline()
    change = {"file": "train.py", "name": "MATRIX_LR", "old": "0.04", "new": "0.32"}
    night.add(ev.ExperimentClaimed(1, night.incumbent))
    night.add(
        ev.ExperimentProposed(1, "Raise it", "optimization", "It learns too slowly.", "small", "low", "offline",
                              (change,))
    )  # fmt: skip
    night.add(ev.CandidateBuilt(1, 1, night.incumbent, commit_of("one"), 1, 1))
    night.add(
        ev.ExperimentDecided(1, 1, "improved", True, -0.002, 0.0015, SIGMA, 0.9, 0.902, 3, 2, "so", "Yes.")
    )
    campaign = night.campaign()
    (row,) = figures(campaign, now=NOW).rows
    said = row.explanation
    assert said.changed == (
        "MATRIX_LR goes from 0.04 to 0.32 (times 8). This is about how the weights are moved by each step."
    )
    assert said.why == "It learns too slowly."
    assert said.risk.startswith("Too large a step makes") and "MATRIX_LR is 8 times what it was" in said.risk
    assert any("less than twice its margin, on 3 runs" in question for question in said.questions)
    body = pull_body(campaign, campaign.experiments[1], "", rule=Rule())
    for part in (
        "**What changes.** MATRIX\\_LR goes",
        "**Why it may work.** It learns",
        "**What it might break.** Too",
    ):
        assert part in body


@pytest.mark.long
def test_a_promotion_asks_of_every_change_and_stays_within_its_limit() -> None:
    night = merged(3)
    campaign = night.campaign()
    known = figures(campaign, now=NOW, prior_sigma=SIGMA, max_unread=10)
    told_of = promotion_figures(campaign, known, 0, set(campaign.incumbents))
    text = promotion_body(
        campaign, known, told_of, [], rule=Rule(), base="main", branch="nocturne/main", on_github=True
    )
    assert "About 6 minutes to read. Nobody has read any of it yet." in text
    for number in (1, 2, 3):
        assert (
            f"/pull/{100 + number}): Change {number}** (+{3 + number} −2, about 2 minutes, not read yet)"
            in text
        )
    assert (
        text.count("- What changes: ") == text.count("- What it might break: ") == 3 <= text.count("- Ask: ")
    )
    night = Night()
    night.baseline()
    for number in range(1, 90):
        night.experiment(number, "improved", "*" * 3000)
    campaign = night.campaign()
    known = figures(campaign, now=NOW, prior_sigma=SIGMA)
    told_of = promotion_figures(campaign, known, 0, set(campaign.incumbents))
    text = promotion_body(
        campaign, known, told_of, [], rule=Rule(), base="main", branch="nocturne/main", on_github=True
    )
    assert len(text) <= BODY_LIMIT and "### How to take it" in text and "opens another." in text
    assert "each is explained on its own pull request." in text
