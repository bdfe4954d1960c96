"""What pull requests, statuses and comments say, and how few calls of the forge an experiment needs."""

from __future__ import annotations

import dataclasses
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.agents.constants import changes_between
from bot.agents.protocol import Question
from bot.forge import DESCRIPTION_LIMIT, Forge
from bot.forge.labels import LABELS
from bot.loop.context import Context, open_context
from bot.loop.pulls import supersede
from bot.loop.reconciling import reconcile
from bot.loop.runner import Until, run_loop
from bot.loop.settings import rule_of
from bot.loop.start import ensure_started
from bot.rules import events as ev
from bot.rules.campaign import Campaign, fold
from bot.rules.decision import Rule
from bot.rules.experiment import Experiment
from bot.rules.proposal import Proposal
from bot.tell.display import PlainDisplay
from bot.tell.document import Heading, Table, Words
from bot.tell.views.change import FileLines, files_of, shortened
from bot.tell.views.pull import pull_request
from bot.tell.views.runs import ROWS
from bot.tell.views.status import score_status, verdict_statuses
from tests.bot.campaigns import Night, commit_of, night_of
from tests.bot.forge_readers import noting, readable
from tests.bot.repositories import CONFIG, TRAIN, git, make_repository
from tests.bot.telling import closing_comment, curve_text, pull_body
from tests.bot.test_old_ledgers import folded

EFFECTS = {
    "open_pull", "edit_pull", "set_status", "put_report", "upsert_comment", "push_branch",
    "replace_branch", "delete_branch", "land",
}  # fmt: skip
MOST_EFFECTS = 7
MOST_LINES = 40  # of a pull request for one constant


class Counted:
    """A forge that passes every call on and counts those that change something."""

    shows = True

    def __init__(self, forge: Forge) -> None:
        self._forge = forge
        self.effects: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._forge, name)

        def call(*args: Any, **more: Any) -> Any:
            if name in EFFECTS:
                self.effects.append(name)
            return method(*args, **more)

        return call


class Script:
    """A maker that proposes what it was told, one after the other."""

    def __init__(self, trains: Sequence[str]) -> None:
        self._trains = iter(trains)

    def propose(self, question: Question) -> Proposal | None:
        new = {"train.py": next(self._trains)}
        changes = changes_between(dict(question.files), new)
        title = f"Set {changes[0].name} to {changes[0].new}" if changes else "Say more, @octocat"
        return Proposal(
            title, "other", "Because.\n\nAnd so.", "lower loss", "low", new, changes, "script", 0.25, 900, 80
        )


def changed(name: str, old: str, new: str, base: str = TRAIN) -> str:
    text = base.replace(f"{name} = {old}\n", f"{name} = {new}\n")
    assert text != base
    return text


@dataclasses.dataclass(frozen=True)
class Played:
    """A real campaign: its context, its end, and the forge's effects of each experiment."""

    context: Context
    campaign: Campaign
    effects: dict[int, list[str]]

    def body(self, number: int) -> str:
        experiment = self.campaign.experiments[number]
        assert experiment.pull is not None
        return readable(self.context.forge).get_pull(experiment.pull.pull).body


MERGED, WORSE, CRASHED, REFUSED = 1, 2, 3, 4
VERDICTS = {MERGED: "improved", WORSE: "discarded", CRASHED: "crashed", REFUSED: "rejected"}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A merge, a candidate that is worse, one that crashes and one that is refused, on a command task."""
    # The promotion, which is no experiment's cost, waits until somebody asks for it.
    config = CONFIG + "verdict: {prior_sigma: 0.001}\npromotion: {open: asked}\n"
    folder = make_repository(tmp_path_factory.mktemp("pulls") / "repo", config=config)
    faster = changed("LEARNING_RATE", "0.001", "0.004")
    script = Script(
        [
            faster,
            changed("LEARNING_RATE", "0.004", "0.0001", faster),
            changed("BATCH_SIZE", "64", "1024", faster),
            faster + "# only words\n",
        ]
    )
    with pytest.MonkeyPatch.context() as patch:
        noting(patch)
        opened = open_context(folder, None, PlainDisplay(io.StringIO()), {}, script)
    ensure_started(opened)
    reconcile(opened)  # the campaign's branch is no experiment's cost
    effects = {}
    for number in VERDICTS:
        counted = Counted(opened.forge)
        run_loop(dataclasses.replace(opened, forge=counted), Until(experiments=1))
        effects[number] = counted.effects
    return Played(opened, opened.ledger.refresh(), effects)


@pytest.mark.parametrize("number", VERDICTS)
def test_an_experiment_costs_few_calls_of_the_forge(played: Played, number: int) -> None:
    assert played.campaign.experiments[number].verdict == VERDICTS[number]
    made = Counter(played.effects[number])
    print(f"{VERDICTS[number]}: {sum(made.values())} effects, {dict(made)}")
    assert 5 <= sum(made.values()) <= MOST_EFFECTS
    assert made["open_pull"] == made["edit_pull"] == made["delete_branch"] == 1
    assert made["upsert_comment"] == made["set_status"] == 0
    assert (made["land"], made["put_report"]) == (number == MERGED, 1 if number == REFUSED else 2)


@pytest.mark.parametrize("number", VERDICTS)
def test_the_ledger_says_all_that_was_told_of_a_finished_pull_request(played: Played, number: int) -> None:
    """So that a forge on which nobody reads need not keep it."""
    experiment, forge = played.campaign.experiments[number], readable(played.context.forge)
    assert experiment.pull and experiment.candidate
    shown = pull_request(
        played.campaign, experiment, "", into="nocturne/main",
        rule=rule_of(played.context.config, played.campaign), on_github=False,
    )  # fmt: skip
    head, rows, *reviews = shown
    assert isinstance(rows, Table) and isinstance(head, Heading)
    told = {plain_of(name): plain_of(said) for name, said in rows.rows}
    pull = forge.get_pull(experiment.pull.pull)
    assert told.pop("state") == pull.state and told.pop("branch") == f"{pull.head} into {pull.base}"
    assert told.pop("labels") == ", ".join(forge.labels(pull.number))
    stated = [name for name in told if name.startswith("status ")]  # for a branch that requires them
    assert len(stated) == (2 if number == REFUSED else 4) and all(told.pop(name) for name in stated)
    assert told == {f"check {r.name}": f"{r.conclusion}, {r.title}" for r in forge.reports(pull.head_sha)}
    assert forge.comments(pull.number) == [] and forge.statuses(pull.head_sha) == []
    assert reviews == [] == forge.reviews(pull.number)


def plain_of(line: Sequence[Words]) -> str:
    return "".join(words.text for words in line)


@pytest.mark.parametrize("number", VERDICTS)
def test_a_finished_pull_request_tells_all_of_it(played: Played, number: int) -> None:
    experiment = played.campaign.experiments[number]
    assert experiment.pull and experiment.candidate and experiment.decision
    pull = readable(played.context.forge).get_pull(experiment.pull.pull)
    assert pull.title.replace("\u200d", "") == experiment.title
    assert pull.state == ("merged" if number == MERGED else "closed")
    assert readable(played.context.forge).labels(pull.number) == ["nocturne", LABELS[VERDICTS[number]]]
    (report,) = readable(played.context.forge).reports(experiment.candidate.commit)
    ends = {MERGED: "success", WORSE: "neutral", CRASHED: "failure", REFUSED: "failure"}
    assert report.conclusion == ends[number] and report.title.startswith(VERDICTS[number])
    states = {what: state for what, (state, _) in verdict_statuses(played.campaign, experiment).items()}
    good, bad = "success", "failure"
    assert [states.get(what) for what in ("scope", "review", "train", "score")] == {
        MERGED: [good, good, good, good],
        WORSE: [good, good, good, bad],
        CRASHED: [good, good, bad, bad],
        REFUSED: [good, bad, None, None],
    }[number]
    said = {
        MERGED: "**improved**: loss ",
        WORSE: "**discarded**: loss ",
        CRASHED: "**crashed**: ",
        REFUSED: "**rejected**: ",
    }[number]
    assert pull.body.startswith(said) and pull.body.count("\n") <= MOST_LINES
    assert not re.search(r"\.\.\s", pull.body)
    assert "Pending" not in pull.body and "Because.\n\nAnd so.\n" in pull.body
    assert "0.25 USD for the proposal (900 tokens read, 80 written)" in pull.body
    assert f"`nocturne show {number}`" in pull.body and "/nocturne" not in pull.body


def test_the_merged_one_says_what_changed_what_it_brought_and_what_it_cost(played: Played) -> None:
    body = played.body(MERGED)
    decision = played.campaign.experiments[MERGED].decision
    assert decision and decision.effect and decision.half_width
    assert body.count("LEARNING\\_RATE goes from 0.001 to 0.004") == 1
    assert re.search(
        r"```diff\n@@ -\d+,\d \+\d+,\d @@ train.py\n(?: .*\n)?-LEARN.*\n\+LEARNING_RATE = 0.004\n", body
    )
    assert re.match(
        r"\*\*improved\*\*: loss 1\.\d+, −0\.0[3-6]\d* ± 0\.\d+ vs 1\.\d+ \(90 %, [12]\+4 runs\); better",
        body,
    )
    sides = re.findall(
        r"^\| (candidate|incumbent) `\w{7}` \| (.+) \| (.+ s) \| (.+) \| test, .+ \|$", body, re.MULTILINE
    )
    runs = [run for run in played.campaign.runs.values() if run.experiment in (None, MERGED)][:5]
    told = {who: [int(seed) for seed in re.findall(r"\((\d+)\)", scores)] for who, scores, *_ in sides}
    assert {who: sorted(seeds) for who, seeds in told.items()} == {
        who: sorted(run.seed for run in runs if (run.experiment is None) == (who == "incumbent"))
        for who in ("candidate", "incumbent")
    }
    assert re.search(r"Cost: [\d.]+ CPU seconds \(.+\) in [12] runs? of the candidate", body)
    assert "failed (" in played.body(CRASHED) and "failed (" not in body


def test_a_version_that_another_one_supersedes_is_said_to_train_no_more(played: Played) -> None:
    known, forge = played.campaign.experiments[MERGED], readable(played.context.forge)
    assert known.candidate and known.review
    older, broken = commit_of("older"), commit_of("broken")
    newer = dataclasses.replace(
        known,
        candidate=dataclasses.replace(known.candidate, round=2),
        commits=(older, known.candidate.commit),
        reviews=(dataclasses.replace(known.review, check=7),),
    )
    supersede(played.context, newer)
    (report,) = forge.reports(older)
    assert (report.conclusion, report.title) == ("neutral", "superseded by round 2")
    crash = ev.CrashSentBack(MERGED, 1, "run", "error: it broke")  # that it crashed was said then
    supersede(played.context, dataclasses.replace(newer, commits=(broken, older), crashes=(crash,)))
    assert forge.reports(broken) == []


def test_before_the_runs_the_text_says_what_is_planned() -> None:
    night = Night()
    night.baseline()
    night.add(ev.ExperimentClaimed(1, night.incumbent))
    night.add(ev.ExperimentProposed(1, "Raise", "other", "Because.", "small", "low", "claude"))
    night.add(ev.CandidateBuilt(1, 1, night.incumbent, commit_of("c"), 1, 1))
    campaign = fold(night.recorded)
    body = pull_body(campaign, campaign.experiments[1], "", rule=Rule())
    assert (
        body.startswith("**Pending.** First scope and review")
        and "up to 5 runs" in body
        and "merges from 3.5 on after one run, from 1.9 on" in body
    )
    assert "The candidate has no run." in body and "| incumbent `" in body and "mermaid" not in body


@pytest.mark.parametrize("number", range(1, 14))
def test_a_pull_request_for_one_constant_is_short_and_says_nothing_twice(number: int) -> None:
    campaign = folded("formula")
    experiment = campaign.experiments[number]
    assert experiment.proposal and experiment.decision
    changes = experiment.proposal.changes
    diff = "".join(
        f"diff --git a/train.py b/train.py\nindex 1..2 100644\n--- a/train.py\n+++ b/train.py\n@@ -9,7 +9,7 @@ x\n"
        f" a\n b\n c\n-{each['name']} = {each['old']}\n+{each['name']} = {each['new']}\n d\n e\n f\n"
        for each in changes[:1]
    )
    body = pull_body(campaign, experiment, diff, rule=Rule())
    assert body.count("\n") <= MOST_LINES
    assert body.startswith(f"**{experiment.decision.verdict}**")
    prose = [line for line in body.split("\n") if len(line) > 30 and not line.startswith(("|", "    line ["))]
    assert len(set(prose)) == len(prose) and experiment.title not in body.replace("\\", "")
    if experiment.decision.effect is not None:
        assert body.count("±") <= 1 and ("±" not in body or "90 %" in body)


def test_a_diff_is_shown_with_a_line_around_each_change() -> None:
    head = "diff --git a/a b.py b/a b.py\nindex 1..2 100644\n--- a/a b.py\t\n+++ b/a b.py\t\n"
    hunks = "@@ -1,9 +1,8 @@\n-one\n two\n three\n four\n five\n six\n+seven\n-eight\n-nine\n ten\n"
    gone = "@@ -40 +38,0 @@ def f():\n-last\n\\ No newline at end of file\n"
    moved = "diff --git a/x.py b/y.py\nsimilarity index 100%\nrename from x.py\nrename to y.py\n"
    assert shortened(head + hunks + gone + moved).split("\n") == [
        "@@ -1,2 +1,1 @@ a b.py", "-one", " two",
        "@@ -6,4 +5,3 @@ a b.py", " six", "+seven", "-eight", "-nine", " ten",
        "@@ -40,1 +38,0 @@ a b.py", "-last", "\\ No newline at end of file",
        "y.py", "similarity index 100%", "rename from x.py", "rename to y.py",
    ]  # fmt: skip
    assert shortened("") == "" and shortened("nothing of git's") == ""


def test_every_verdict_of_a_night_has_its_text_and_its_comment() -> None:
    campaign = night_of(30, hostile=False).campaign()
    seen = set()
    for experiment in campaign.finished():
        assert experiment.decision is not None
        seen.add(experiment.decision.verdict)
        if experiment.candidate is None:
            continue
        body = pull_body(campaign, experiment, "", rule=Rule())
        assert body.startswith(f"**{experiment.decision.verdict}**: ")
        assert body.count("\n") <= MOST_LINES
        assert ("```mermaid" in body) == (
            experiment.verdict not in ("rejected", "crashed")
        ) or "crashed" in body
        comment = closing_comment(campaign, experiment)
        assert ("`/nocturne revert`" in comment) == (experiment.landed is not None)
        assert "`/nocturne explain`" in comment
    assert seen == set(LABELS)


def decided(**said: Any) -> ev.ExperimentDecided:
    plain = ev.ExperimentDecided(
        1, 1, "improved", True, -0.0016, 0.0006, 0.0003, 0.9721, 0.9737, 2, 3, "better", "It helps."
    )
    return dataclasses.replace(plain, **said)


def of_metric(name: str) -> Campaign:
    return fold([ev.Recorded(ev.CampaignStarted("c", "main", commit_of("base"), name, "minimize", 1), "")])


def test_the_score_in_one_line_keeps_its_figures_however_long_the_metric_is() -> None:
    line = "val_bpb 0.97210, −0.00160 ± 0.00060 vs 0.97370 (90 %, 2+3 runs)"
    assert score_status(of_metric("val_bpb"), decided()) == ("success", line)
    state, said = score_status(of_metric("m" * 300), decided(verdict="discarded", land=False))
    assert (
        state == "failure" and len(said) == DESCRIPTION_LIMIT and said.endswith(line.removeprefix("val_bpb"))
    )
    huge = decided(effect=-1e300, half_width=3e299, score=1e300, against=2e300)
    said = score_status(of_metric("loss"), huge)[1]
    assert said == "loss 1e+300, −1e+300 ± 3e+299 vs 2e+300 (90 %, 2+3 runs)"
    assert score_status(of_metric("loss"), decided(effect=None, reason="r" * 500))[1] == "r" * 139 + "…"


def test_a_change_that_a_human_took_back_lands_as_a_success() -> None:
    taken = decided(verdict="discarded", land=True)
    assert score_status(of_metric("loss"), taken)[0] == "success"
    base, commit = commit_of("base"), commit_of("c")
    experiment = Experiment(
        2, "", base, reverts=1, candidate=ev.CandidateBuilt(2, 1, base, commit, 1, 1), decision=taken,
        landed=ev.ExperimentLanded(2, commit, base),
    )  # fmt: skip
    assert "takes experiment 1 out" in closing_comment(of_metric("loss"), experiment)


def test_files_and_lines_are_read_from_the_diff_that_git_writes(tmp_path: Path) -> None:
    folder = make_repository(
        tmp_path / "repo", files={"gone.py": "a\nb\n", "a b.py": "--- a/x\n", "bin": "\0"}
    )
    (folder / "gone.py").unlink()
    (folder / "a b.py").write_text("+++ b/y\n--- a/y\n")
    (folder / "bin").write_bytes(b"\0\1")
    (folder / "new.py").write_text("diff --git a/z b/z\n@@ -1 +1 @@\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Change")
    diff = git(folder, "diff", "HEAD~1", "HEAD")
    assert sorted(files_of(diff), key=lambda each: each.path) == [
        FileLines("a b.py", 2, 1), FileLines("bin", 0, 0), FileLines("gone.py", 0, 2), FileLines("new.py", 2, 0),
    ]  # fmt: skip


def curve(length: int, *, first: float = 0.0, slope: float = 0.01) -> tuple[tuple[float, float, float], ...]:
    """Points whose loss falls by `slope` in each second, one every ten seconds."""
    return tuple((float(i), first + 10.0 * i, 5 - slope * (first + 10.0 * i)) for i in range(length))


def figures(line: str) -> list[float]:
    return [float(text) for text in re.findall(r"-?\d[\d.]*", line.replace("−", "-"))]


def test_curves_are_laid_over_each_other_at_the_same_seconds() -> None:
    """The candidate died half-way and began late: the chart covers what both have, and no line is stretched."""
    said = curve_text(curve(20, first=5.0, slope=0.02), curve(40)).split("\n")
    (axis,) = [figures(line.split('"')[2]) for line in said if "x-axis" in line]
    assert axis == pytest.approx([24.0, 195.0])  # 5 to 195 s, without the first tenth
    mine, theirs = (figures(line) for line in said if line.startswith("    line ["))
    assert len(mine) == len(theirs)
    for line, slope in ((mine, 0.02), (theirs, 0.01)):
        assert line[0] == pytest.approx(5 - slope * 24.0, abs=0.01)
        assert line[-1] == pytest.approx(5 - slope * 195.0, abs=0.01)
    rows = [figures(line) for line in said if re.match(r"\| \d", line)]
    assert len(rows) == ROWS <= 8
    for seconds, a, b, difference in rows:
        assert a == pytest.approx(5 - 0.02 * seconds, abs=0.02) and b == pytest.approx(
            5 - 0.01 * seconds, abs=0.02
        )
        assert difference == pytest.approx(a - b, abs=0.002)


def test_a_curve_without_a_clock_goes_over_steps_and_one_alone_is_drawn_alone() -> None:
    steps = tuple((step, 0.0, loss) for step, _, loss in curve(30))
    said = curve_text(steps, ()).split("\n")
    assert any('x-axis "steps"' in line for line in said)
    assert sum(line.startswith("    line [") for line in said) == 1 and "incumbent" not in "".join(said)


@pytest.mark.parametrize(
    "points",
    [
        (), curve(1), ((0.0, 0.0, 1.0), (0.0, 0.0, 2.0)), ((0.0, 0.0, 1e300), (1.0, 1.0, 1e300)),
        ((0.0, 0.0, float("nan")), (1.0, 1.0, float("inf"))),
    ],
)  # fmt: skip
def test_points_that_make_no_curve_are_left_out(points: tuple[tuple[float, float, float], ...]) -> None:
    assert not curve_text(points, curve(20)).strip()
    assert "    line [" in curve_text(curve(20), points)


def test_a_flat_curve_and_a_short_one_still_have_axes_with_a_length() -> None:
    for points in (((0.0, 0.0, 2.0), (9.0, 0.004, 2.0)), ((0.0, 0.0, 2.0), (9.0, 0.004, 2.0000001))):
        for line in curve_text(points, ()).split("\n"):
            if "-axis" in line:
                low, high = figures(line.split('"')[2])
                assert low < high, line
