"""What a human says about one experiment: retry, approve, reject; each once, and what the loop makes of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.agents.constants import changes_between
from bot.agents.protocol import Question
from bot.commands.cli import main
from bot.loop import judge
from bot.loop.context import Context, open_context
from bot.loop.jobs import advance, propose_next
from bot.loop.measure import measure
from bot.loop.runner import Until, run_loop
from bot.rules.events import CommandGiven
from bot.rules.human import objection
from bot.rules.proposal import Proposal
from bot.tell.display import PlainDisplay
from tests.bot.forge_readers import readable
from tests.bot.repositories import CONFIG, TRAIN, events, git, make_repository, nocturne
from tests.remarks.conftest import DISCARDED, MERGED, Night, Speech, verdict_of

pytestmark = pytest.mark.usefixtures("people_read")

BETTER = TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.004")
WORSE = TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.0001")
NARROW = CONFIG + "verdict: {prior_sigma: 0.001}\n"


# In comments


def test_approve(night: Night, speech: Speech) -> None:
    said = speech.say("/nocturne approve\n\nRead it all.", on=night.pull_of(MERGED))
    assert said.commands == [("approve", MERGED)] and said.reactions == ["eyes", "+1"]
    assert f"Experiment {MERGED} counts as read" in said.answers[0]
    again = speech.say(f"/nocturne approve {MERGED}", on=night.issue())
    assert again.commands == [] and again.reactions == ["eyes", "confused"]
    assert "A human has read it." in speech.say("/nocturne explain", on=night.pull_of(MERGED)).answers[0]
    closed = speech.say("/nocturne approve", on=night.pull_of(DISCARDED))
    assert closed.commands == [] and "nothing to approve" in closed.answers[0]


def test_retry(night: Night, speech: Speech) -> None:
    said = speech.say("/nocturne retry", on=night.pull_of(DISCARDED))
    assert said.commands == [("retry", DISCARDED)] and said.reactions == ["eyes", "+1"]
    assert (
        f"tries experiment {DISCARDED} again" in said.answers[0] and "`/nocturne resume`" in said.answers[0]
    )
    assert speech.answer(said) == 0
    assert said.commands == [("retry", DISCARDED)] and len(said.answers) == 1
    for place, told in ((night.pull_of(DISCARDED), "already"), (night.pull_of(MERGED), "is merged")):
        other = speech.say("/nocturne retry", on=place)
        assert other.commands == [] and other.reactions == ["eyes", "confused"] and told in other.answers[0]


def test_reject_of_what_is_over(night: Night, speech: Speech) -> None:
    over = f"closed already ({verdict_of(night, DISCARDED)})"
    for place, told in ((MERGED, f"`/nocturne revert {MERGED}`"), (DISCARDED, over)):
        said = speech.say("/nocturne reject @octocat <b>no</b>", on=night.pull_of(place))
        assert said.commands == [] and said.reactions == ["eyes", "confused"] and told in said.answers[0]


def test_reject_of_an_open_one(night: Night, speech: Speech) -> None:
    speech.say("/nocturne resume", on=night.issue())
    named = ("contents", "pull-requests", "statuses")
    writer = night.github.token(
        "github-actions[bot]", "workflow", night.repository, dict.fromkeys(named, "write")
    )
    speech.monkeypatch.setenv("GITHUB_TOKEN", writer)
    top = str(night.top)
    assert main(["propose", "--repo", top]) == 0
    number = MERGED + 1
    said = speech.say(
        "/nocturne reject It leaks, @octocat.\n\n<img src=x> fixes #1", on=night.pull_of(number)
    )
    assert said.commands == [("reject", number)] and said.reactions == ["eyes", "+1"], said.answers
    (given,) = [e for e in night.events("command_given") if e["command"] == "reject"]
    assert given["text"] == "It leaks, @octocat. <img src=x> fixes #1"
    main_before = git(night.repository.path, "rev-parse", "nocturne/main")
    speech.monkeypatch.setenv("GITHUB_TOKEN", writer)
    assert main(["decide", "--repo", top]) == 0
    issue = night.repository.pull(night.pull_of(number))
    assert issue.state == "closed" and issue.pull is not None and issue.pull.merged is None
    assert "nocturne:rejected" in issue.labels and "a human rejected it" in (issue.body or "")
    comments = [c.body for c in night.repository.contents.comments.values() if c.issue == issue.number]
    shown = "".join(c for c in comments if "nocturne:status" in c) + (issue.body or "")
    assert "It leaks" in shown and not any(bad in shown for bad in ("@octocat", "<img", "fixes #1"))
    assert git(night.repository.path, "rev-parse", "nocturne/main") == main_before
    late = speech.say("/nocturne reject", on=issue.number)
    assert late.commands == [] and "closed already" in late.answers[0]


# On the ledger


class Script:
    """A maker that says what it was told to say."""

    def __init__(self, *trains: str) -> None:
        self._trains: Iterator[str] = iter(trains)

    def propose(self, question: Question) -> Proposal | None:
        new = {"train.py": next(self._trains)}
        changes = changes_between(dict(question.files), new)
        return Proposal("Learn otherwise", "other", "Because.", "better", "low", new, changes, "script")


def a_context(folder: Path, *trains: str, config: str = NARROW) -> Context:
    return open_context(
        make_repository(folder / "repo", config=config),
        None,
        PlainDisplay(io.StringIO()),
        {},
        Script(*trains),
    )


def give(context: Context, command: str, number: int, text: str = "") -> None:
    context.ledger.append(lambda c: [CommandGiven(c.commands + 1, command, number, text=text)])  # type: ignore[arg-type]


def kinds(context: Context, number: int) -> list[str]:
    return [e["kind"] for e in events(context.git.top) if e.get("experiment") == number]


def test_a_retry_is_a_new_experiment_with_the_same_proposal(tmp_path: Path) -> None:
    context = a_context(tmp_path, WORSE)
    run_loop(context, Until(experiments=1))
    assert context.ledger.refresh().experiments[1].verdict == "discarded"
    nocturne(context.git.top, "retry", "1")
    assert "being tried again already" in nocturne(context.git.top, "retry", "1", code=2).stderr
    run_loop(context, Until(experiments=1))
    campaign = context.ledger.refresh()
    again = campaign.experiments[2]
    assert (again.retries, again.verdict, campaign.retries_waiting) == (1, "discarded", [])
    assert again.review is not None and again.review.approved  # "tried already" is no objection to a human
    first = campaign.experiments[1]
    assert first.candidate and again.candidate and first.proposal and again.proposal
    assert context.git.read_blob(again.candidate.commit, "train.py") == WORSE.encode()
    assert (
        again.title == "Learn otherwise (experiment 1 again)"
        and again.proposal.changes == first.proposal.changes
    )


def test_a_rejected_one_does_not_land_though_it_is_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The word comes while its run is in flight: the run counts, and changes nothing."""
    context = a_context(tmp_path, BETTER, BETTER)

    def interrupted(*args: object, experiment: int | None, **more: object) -> object:
        if experiment == 1 and 1 not in context.ledger.refresh().refused:
            give(context, "reject", 1, "not that one")
        return measure(*args, experiment=experiment, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(judge, "measure", interrupted)
    run_loop(context, Until(experiments=1))
    campaign = context.ledger.refresh()
    done = campaign.experiments[1]
    assert done.verdict == "rejected" and done.landed is None and done.finished_at and done.decision
    assert done.decision.reason == "a human rejected it: not that one"
    assert campaign.incumbent == campaign.baseline == git(context.git.top, "rev-parse", "nocturne/main")
    assert done.pull is not None and readable(context.forge).get_pull(done.pull.pull).state == "closed"
    assert context.forge.branch_head(done.pull.branch) is None
    assert objection(campaign, "approve", 1, call="nocturne") is not None
    assert objection(campaign, "retry", 1, call="nocturne") is None


def test_a_word_after_the_verdict_and_before_the_landing_counts(tmp_path: Path) -> None:
    context = a_context(tmp_path, BETTER)
    assert propose_next(context) == 1
    advance(context, 1, first_stage="publish", last_stage="train")
    decided = context.ledger.refresh().experiments[1].decision
    assert decided is not None and decided.land
    nocturne(context.git.top, "reject", "1", "too", "clever")
    nocturne(context.git.top, "decide", "1")
    campaign = context.ledger.refresh()
    done = campaign.experiments[1]
    assert done.decision and done.decision.reason == "a human rejected it: too clever" and done.landed is None
    assert campaign.incumbent == git(context.git.top, "rev-parse", "nocturne/main") == campaign.baseline
    assert "landing_begun" not in kinds(context, 1)
    assert done.candidate is not None
    (report,) = readable(context.forge).reports(done.candidate.commit)
    assert report.conclusion == "failure" and "rejected" in report.title


@pytest.mark.long
def test_a_word_that_comes_once_it_lands_is_too_late(tmp_path: Path) -> None:
    context = a_context(tmp_path, BETTER)
    run_loop(context, Until(experiments=1))
    campaign = context.ledger.refresh()
    assert campaign.experiments[1].landed is not None
    told = kinds(context, 1)
    assert told.index("landing_begun") < told.index("experiment_landed")
    assert "nocturne revert 1" in nocturne(context.git.top, "reject", "1", code=2).stderr
    nocturne(context.git.top, "approve", "1")
    assert context.ledger.refresh().read == {1}
    assert "read already" in nocturne(context.git.top, "approve", "1", code=2).stderr


def test_one_that_is_rejected_before_it_is_proposed_leaves_nothing(tmp_path: Path) -> None:
    from bot.loop.reconciling import reconcile
    from bot.loop.start import ensure_started
    from bot.loop.working import begin
    from bot.rules.schedule import Begin

    context = a_context(tmp_path, BETTER)
    ensure_started(context)
    assert begin(context, reconcile(context), Begin(1)) == 1
    give(context, "reject", 1)
    run_loop(context, Until(experiments=1))
    assert kinds(context, 1) == [
        "experiment_claimed",
        "command_given",
        "experiment_decided",
        "experiment_finished",
    ]
    assert [e["kind"] for e in events(context.git.top)].count("pull_opened") == 0
