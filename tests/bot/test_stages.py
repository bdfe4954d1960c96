"""Stages with a scripted maker: proposals that are refused, that clash, that must be carried elsewhere."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bot.agents.constants import changes_between
from bot.agents.proposers.offline import OfflineProposer
from bot.agents.protocol import Question
from bot.errors import UserError
from bot.git import Git
from bot.loop.commits import carry
from bot.loop.context import Context, open_context
from bot.loop.reconciling import reconcile
from bot.loop.runner import Until, run_loop
from bot.loop.start import ensure_started
from bot.loop.working import DOING, begin, work_on
from bot.rules import events as ev
from bot.rules.proposal import Change, Proposal
from bot.rules.schedule import Begin
from bot.rules.stages import STAGES, Stage, stage_of
from bot.tell.display import PlainDisplay
from bot.tell.figures.campaign import figures
from tests.bot.campaigns import NOW, Night, commit_of
from tests.bot.repositories import CONFIG, TRAIN, events, git, make_repository, nocturne, status
from tests.families import few


def proposal(files: Mapping[str, str], hypothesis: str = "Try it") -> Proposal:
    base = {"train.py": TRAIN}
    changes = changes_between(base, {**base, **files})
    return Proposal(hypothesis, "other", "Because.", "better", "low", files, changes, proposer="script")


class Script:
    """A maker that says what it was told to say, one proposal after the other."""

    def __init__(self, *proposals: Proposal) -> None:
        self._proposals: Iterator[Proposal] = iter(proposals)
        self.asked: list[Question] = []

    def propose(self, question: Question) -> Proposal | None:
        self.asked.append(question)
        return next(self._proposals, None)


def context_for(folder: Path, script: Script) -> Context:
    return open_context(folder, None, PlainDisplay(io.StringIO()), {}, script)


LESS_DROPOUT = TRAIN.replace("DROPOUT = 0.2", "DROPOUT = 0.1")
FASTER = TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.004")


@pytest.mark.parametrize(
    ("files", "said"),
    few([
        ({"score.py": "print('METRIC loss=0')\n"}, "score.py is locked"),
        ({"train.py": LESS_DROPOUT, "score.py": "print('METRIC loss=0')\n"}, "score.py is locked"),
        ({"train.py": TRAIN + "import socket\n"}, "socket"),
        pytest.param({"train.py": TRAIN + "def broken(:\n"}, "does not parse", marks=pytest.mark.long),
        pytest.param({"train.py": TRAIN + "\n# only a comment\n"}, "", marks=pytest.mark.long),
        ({"train.py": TRAIN}, ""),
    ], 2),
    ids=["locked file", "locked beside editable", "network", "syntax", "comment", "nothing"],
)  # fmt: skip
def test_refused_before_a_second_of_training(tmp_path: Path, files: dict[str, str], said: str) -> None:
    folder = make_repository(tmp_path / "repo")
    context = context_for(folder, Script(proposal(files)))
    assert run_loop(context, Until(experiments=1)).reason == "requested"
    assert status(folder)["experiments"]["rejected"] == 1
    assert {event["experiment"] for event in events(folder) if event["kind"] == "run_finished"} == {None}
    shown = nocturne(folder, "show", "1").stdout
    assert said in shown and "state: closed" in shown and "nocturne:rejected" in shown
    assert git(folder, "rev-parse", "nocturne/main") == git(folder, "rev-parse", "main")
    candidate = next(event for event in events(folder) if event["kind"] == "candidate_built")
    changed = git(folder, "diff", "--name-only", candidate["parent"], candidate["commit"])
    assert changed in ("", "train.py")


def two_claims(folder: Path, script: Script) -> Context:
    """Two experiments claimed on one incumbent, as by two loops at the same moment."""
    context = context_for(folder, script)
    ensure_started(context)
    for number in (1, 2):
        assert begin(context, reconcile(context), Begin(number)) == number
    return context


def test_loops_that_think_alike_do_not_try_the_same(tmp_path: Path) -> None:
    same, other = proposal({"train.py": FASTER}), proposal({"train.py": LESS_DROPOUT})
    script = Script(same, same, other)
    context = two_claims(make_repository(tmp_path / "repo"), script)
    for number in (1, 2):
        context.ledger.refresh()
        assert not work_on(context, number, ("propose",))
    proposed = context.ledger.refresh().experiments
    changes = [proposed[number].proposal.changes for number in (1, 2)]  # type: ignore[union-attr]
    assert changes[0][0]["name"] == "LEARNING_RATE" and changes[1][0]["name"] == "DROPOUT"
    assert [past.number for past in script.asked[2].history] == [1]


def test_maker_that_only_repeats_others_is_told_off(tmp_path: Path) -> None:
    same = proposal({"train.py": FASTER})
    context = two_claims(make_repository(tmp_path / "repo"), Script(*[same] * 9))
    work_on(context, 1, ("propose",))
    with pytest.raises(UserError, match="experiment 2 does not come to an end"):
        work_on(context, 2, ("propose",))


def test_what_costs_nothing_is_claimed_and_written_in_one_commit(tmp_path: Path) -> None:
    context = replace(context_for(make_repository(tmp_path / "repo"), Script()), proposer=OfflineProposer())
    ensure_started(context)
    before = reconcile(context).event_count
    assert begin(context, reconcile(context), Begin(1), later=True) == 1
    commits = git(context.git.top, "rev-list", "--count", "nocturne/ledger")
    assert not work_on(context, 1, ("propose", "build"))
    assert int(git(context.git.top, "rev-list", "--count", "nocturne/ledger")) == int(commits) + 1
    written = context.ledger.refresh()
    assert written.event_count == before + 4 and written.experiments[1].candidate is not None


def test_a_claim_that_comes_too_late_shows_nothing(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    mine = replace(context_for(folder, Script()), proposer=OfflineProposer())
    theirs = replace(context_for(folder, Script()), holder="elsewhere/boot/1/1")
    ensure_started(mine)
    assert begin(mine, reconcile(mine), Begin(1), later=True) == 1
    assert begin(theirs, reconcile(theirs), Begin(1)) == 1
    assert not work_on(mine, 1)
    campaign = mine.ledger.refresh()
    assert campaign.experiments[1].proposal is None and len(campaign.experiments) == 1
    assert campaign.leases["experiment:1"].holder == theirs.holder
    assert mine.forge.branch_head(mine.experiment_branch(1)) is None


def test_maker_that_raises_loses_nothing(tmp_path: Path) -> None:
    class Broken:
        def propose(self, question: Question) -> Proposal | None:
            raise UserError("the maker has no key: set one")

    folder = make_repository(tmp_path / "repo")
    with pytest.raises(UserError, match="has no key"):
        run_loop(open_context(folder, None, PlainDisplay(io.StringIO()), {}, Broken()), Until(experiments=1))
    nocturne(folder, "run", "-n", "1")
    known = status(folder)["experiments"]
    assert (known["total"], known["open"]) == (1, 0)


@pytest.fixture
def repository(tmp_path: Path) -> Git:
    return Git.open(make_repository(tmp_path / "repo", config=CONFIG))


def carried(base: str, changed: str, onto: str, *changes: Change) -> str | None:
    made = carry(
        base={"train.py": base}, changed={"train.py": changed}, onto={"train.py": onto},
        changes=changes,
    )  # fmt: skip
    return None if made is None else made["train.py"]


def test_constants_in_neighbouring_lines_do_not_clash(repository: Git) -> None:
    change = Change("train.py", "DROPOUT", "0.2", "0.1")
    onto = TRAIN.replace("WEIGHT_DECAY = 0.1", "WEIGHT_DECAY = 0.3")
    made = carried(TRAIN, LESS_DROPOUT, onto, change)
    assert made == onto.replace("DROPOUT = 0.2", "DROPOUT = 0.1")


def test_constant_that_somebody_else_changed_is_a_clash(repository: Git) -> None:
    change = Change("train.py", "DROPOUT", "0.2", "0.1")
    assert carried(TRAIN, LESS_DROPOUT, TRAIN.replace("DROPOUT = 0.2", "DROPOUT = 0.4"), change) is None


def test_changes_of_code_are_merged_by_lines(repository: Git) -> None:
    longer = TRAIN + "extra = settings\n"
    onto = "# a note\n" + TRAIN
    assert carried(TRAIN, longer, onto) == "# a note\n" + longer
    assert carried(TRAIN, longer, TRAIN + "other = settings\n") is None


def test_words_of_the_change_are_not_trusted_beyond_what_it_did(repository: Git) -> None:
    """A change that did more than its list of constants says goes by lines, so that nothing is dropped."""
    more = LESS_DROPOUT + "extra = settings\n"
    change = Change("train.py", "DROPOUT", "0.2", "0.1")
    made = carried(TRAIN, more, "# a note\n" + TRAIN, change)
    assert made == "# a note\n" + more


# The stage that comes next

BASE, FIRST, SECOND = commit_of("base"), commit_of("first"), commit_of("second")
PROPOSED = ev.ExperimentProposed(1, "Try it", "other", "Because.", "better", "low", "script")
BUILT = ev.CandidateBuilt(1, 1, BASE, FIRST, 1, 1)
OPENED = ev.PullOpened(1, 101, "nocturne/1", "https://example.org/pull/101")
APPROVED, REVISE = (
    ev.Reviewed(1, 1, True, (), "f1"),
    ev.Reviewed(1, 1, False, ("say why",), "f1", revise=True),
)
REVISED = ev.ProposalRevised(1, 1, 1, "Try it so", "other", "Because.", "better", "low", "script")
CRASHED = ev.CrashSentBack(1, 1, f"{FIRST[:12]}-1", "error: out of memory")
HELD = ev.LandingHeld(1, 1, 1, 1)
REJECT = ev.CommandGiven(1, "reject", 1)
REACHED = (PROPOSED, BUILT, OPENED, APPROVED)


def decided(verdict: ev.Verdict) -> ev.ExperimentDecided:
    figures_ = (None,) * 5
    return ev.ExperimentDecided(1, 1, verdict, verdict == "improved", *figures_, 2, 2, "the rule", "a lesson")


GOOD = (*REACHED, decided("improved"))
READ = ev.ExperimentRead(7, "review:1")
NEXT: list[tuple[Stage, tuple[ev.Event, ...]]] = [
    ("propose", ()),
    ("build", (PROPOSED,)),
    ("publish", (PROPOSED, BUILT)),
    ("check", (PROPOSED, BUILT, OPENED)),
    ("revise", (PROPOSED, BUILT, OPENED, REVISE)),
    ("build", (PROPOSED, BUILT, OPENED, REVISE, REVISED)),
    ("train", REACHED),
    ("repair", (*REACHED, CRASHED)),
    ("close", (*REACHED, CRASHED, decided("crashed"))),
    ("audit", (*REACHED, decided("rejected"), ev.RejectionDrawn(1))),
    ("close", (*REACHED, decided("discarded"))),
    ("hold", GOOD),
    ("held", (*GOOD, HELD)),
    ("land", (*GOOD, HELD, READ)),
    ("land", (*GOOD, ev.CommandGiven(1, "approve", 1))),
    ("rebase", (*GOOD, READ, ev.IncumbentMoved(SECOND, BASE, 1))),
    ("close", (*GOOD, READ, ev.LandingBegun(1, 1), ev.ExperimentLanded(1, FIRST, BASE))),
    ("refuse", (REJECT,)),
    ("publish", (PROPOSED, BUILT, REJECT)),
    ("refuse", (*REACHED, REJECT)),
    ("refuse", (*GOOD, HELD, REJECT)),
]


@pytest.mark.parametrize(("stage", "told"), NEXT)
def test_the_loop_does_what_status_says(stage: Stage, told: tuple[ev.Event, ...]) -> None:
    """One merge, of experiment 7, waits for a reader, and no more may."""
    night = Night()
    night.experiment(7, "improved", "merged and not read")
    begun: tuple[ev.Event, ...] = (ev.IncumbentMoved(BASE, night.incumbent, 0), ev.ExperimentClaimed(1, BASE))
    for event in begun + told:
        night.add(event)
    campaign = night.campaign()
    assert stage_of(campaign, campaign.experiments[1], 1) == stage
    assert figures(campaign, now=NOW, max_unread=1).rows[0].state == stage


def test_every_stage_is_met_and_can_be_done() -> None:
    assert {stage for stage, _ in NEXT} == {*STAGES, "held"}
    assert tuple(DOING) == STAGES
