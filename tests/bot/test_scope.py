"""Scope: hand-made candidates that change more than they may, through the real stages, and none of them runs."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from bot.agents.protocol import Question
from bot.loop.commits import objections
from bot.loop.context import Context, open_context
from bot.loop.judge import judge
from bot.loop.measure import measure
from bot.loop.reconciling import reconcile
from bot.loop.start import ensure_started
from bot.loop.working import work_on
from bot.rules.events import CandidateBuilt, ExperimentClaimed, ExperimentDecided, ExperimentProposed
from bot.rules.experiment import Experiment
from bot.rules.proposal import Proposal
from bot.rules.scope import MAX_REASONS, FileChange, violations
from bot.rules.stages import STAGES, Stage, stage_of
from bot.tell.display import PlainDisplay
from bot.tell.views.status import verdict_statuses
from tests.bot.forge_readers import noting, readable
from tests.bot.repositories import CONFIG, SCORE, TRAIN, events, git, make_repository
from tests.bot.storage import sh

pytestmark = pytest.mark.usefixtures("people_read")

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
ANY = "1" * 40
BEFORE_TRAINING: tuple[Stage, ...] = ("publish", "check")
THROUGH: tuple[Stage, ...] = (*BEFORE_TRAINING, "train", "land")
Make = Callable[[str, int], str]
Entry = tuple[str, str] | None
"""Mode and object of one entry of a tree; None takes it away."""


def blob(folder: Path, content: str) -> str:
    return sh(folder, "hash-object", "-w", "--stdin", stdin=content.encode(errors="surrogateescape"))


def tree(folder: Path, base: str, entries: Mapping[str, Entry], *, twice: bool = False) -> str:
    """Write the tree `base` with other entries, by the plumbing that checks nothing; `twice` keeps the old."""
    there = sh(folder, "ls-tree", "-z", base).split("\0")[:-1]
    lines = [line for line in there if twice or line.partition("\t")[2] not in entries]
    for name, entry in entries.items():
        if entry is not None:
            mode, sha = entry
            kind = {"040000": "tree", "160000": "commit"}.get(mode, "blob")
            lines.append(f"{mode} {kind} {sha}\t{name}")
    listing = "".join(f"{line}\0" for line in lines).encode(errors="surrogateescape")
    return sh(folder, "mktree", "-z", "--missing", stdin=listing)


def commit(folder: Path, tree_name: str, *parents: str) -> str:
    return sh(
        folder, "commit-tree", tree_name, *(w for parent in parents for w in ("-p", parent)), "-m", "by hand"
    )


class NoMaker:
    """Candidates come by hand here."""

    def propose(self, question: Question) -> Proposal | None:
        raise AssertionError(f"asked for experiment {question.number}")


def numbered(number: int) -> str:
    """Return an honest train.py, another one for each experiment."""
    return TRAIN.replace("DROPOUT = 0.2", f"DROPOUT = 0.{number:03d}1")


def make_context(folder: Path) -> Context:
    context = open_context(folder, None, PlainDisplay(io.StringIO()), {}, NoMaker())
    ensure_started(context)
    return context


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """One campaign for all that is refused: nothing of it ever lands."""
    with pytest.MonkeyPatch.context() as patch:
        noting(patch)
        return make_context(make_repository(tmp_path_factory.mktemp("scope") / "repo"))


def enter(
    context: Context, make: Make, parent: str | None = None, stages: Sequence[Stage] = THROUGH
) -> Experiment:
    """Take a candidate that `make(incumbent, number)` committed by hand through the stages that are due.

    What its proposal says of itself is honest: that it changes train.py.
    """
    campaign = reconcile(context)
    number = max(campaign.experiments, default=0) + 1
    commit_name = make(campaign.incumbent, number)
    context.ledger.append(
        lambda _: [
            ExperimentClaimed(number, campaign.incumbent),
            ExperimentProposed(
                number, f"Try {number}", "other", "Because.", "better", "low", "hand", paths=("train.py",)
            ),
            CandidateBuilt(number, 1, parent or campaign.incumbent, commit_name, 1, 1),
        ]
    )
    work_on(context, number, stages)
    return context.ledger.refresh().experiments[number]


def refused(context: Context, experiment: Experiment) -> tuple[str, ...]:
    """See that an experiment ended as one that is out of scope, and return the reasons."""
    assert experiment.candidate and experiment.decision and experiment.review and experiment.pull
    reasons = experiment.review.reasons
    assert not experiment.review.approved and stage_of(context.ledger.refresh(), experiment, None) == "close"
    assert experiment.verdict == "rejected" and experiment.decision.reason == "; ".join(reasons)
    assert f"refused before training ({reasons[0]}" in experiment.decision.lesson
    stated = verdict_statuses(context.ledger.refresh(), experiment)
    assert (
        stated["scope"] == ("failure", reasons[0]) and stated["review"][0] == "failure" and len(stated) == 2
    )
    assert not context.ledger.refresh().runs and not context.runs.folder.exists()
    return reasons


FORGED = "print('METRIC loss=0')\n"
# What a candidate brings beside an honest train.py: mode and text of each file, None where it is gone.
TRICKS: dict[str, tuple[dict[str, tuple[str, str] | None], tuple[str, ...]]] = {
    "evaluator": ({"score.py": ("100644", FORGED)}, ("score.py is locked",)),
    "other files": (
        {"program.md": None, "score.py": ("100755", SCORE), "sitecustomize.py": ("100644", FORGED)},
        (
            "program.md is locked (deleted)",
            "score.py is locked (another mode)",
            "sitecustomize.py is locked (added)",
        ),
    ),
    "no plain files": (
        {
            ".gitattributes": ("100644", "*.py ident\n"),
            ".gitmodules": ("100644", "[submodule]\n"),
            "Train.PY": ("100644", TRAIN),
            "a\x1b[2J\n.py": ("100644", ""),
            "data": ("120000", "/etc"),
            "lib": ("160000", ""),
            "score.py": ("120000", "train.py"),
            "\udcff.py": ("100644", ""),
        },
        (
            ".gitattributes is locked (added, git obeys it)",
            ".gitmodules is locked (added, git obeys it)",
            "Train.PY is locked (added, looks like train.py)",
            "a\\x1b[2J\\n.py is locked (added, holds characters that do not show)",
            "data is locked (a symlink)",
            "lib is locked (a submodule)",
            "score.py is locked (a symlink)",
            "\\udcff.py is locked (added, holds characters that do not show)",
        ),
    ),
    "deleted": ({"train.py": None}, ("train.py must not be deleted",)),
    "link": ({"train.py": ("120000", "/etc/passwd")}, ("train.py must not become a symlink",)),
    "link to odd bytes": ({"train.py": ("120000", "\udcff")}, ("train.py must not become a symlink",)),
    "submodule": ({"train.py": ("160000", "")}, ("train.py must not become a submodule",)),
    "executable": (
        {"train.py": ("100755", TRAIN)},
        ("train.py must keep the mode 100644, not 100755",),
    ),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_more_than_an_editable_file_is_refused_before_a_second_of_training(
    context: Context, trick: str
) -> None:
    """The proposal names nothing of it; an honest train.py beside it excuses nothing."""
    entries, said = TRICKS[trick]
    top = context.git.top

    def make(incumbent: str, number: int) -> str:
        written: dict[str, Entry] = {"train.py": ("100644", blob(top, numbered(number)))}
        for name, entry in entries.items():
            if entry is None:
                written[name] = None
            else:
                mode, content = entry
                written[name] = (mode, ANY if mode == "160000" else blob(top, content))
        return commit(top, tree(top, incumbent, written), incumbent)

    assert refused(context, enter(context, make)) == said


def test_refused_experiment_is_closed_and_nothing_landed(context: Context) -> None:
    top = context.git.top

    def make(incumbent: str, number: int) -> str:
        return commit(top, tree(top, incumbent, {"score.py": ("100644", blob(top, FORGED))}), incumbent)

    experiment = enter(context, make, stages=STAGES)
    assert experiment.finished_at is not None and experiment.verdict == "rejected" and experiment.pull
    pull = readable(context.forge).get_pull(experiment.pull.pull)
    assert pull.state == "closed" and "nocturne:rejected" in readable(context.forge).labels(pull.number)
    assert readable(context.forge).comments(pull.number) == [] and "score.py is locked" in pull.body
    assert context.forge.branch_head(context.branch) == git(top, "rev-parse", "main")
    assert not context.ledger.refresh().runs


def test_folders_that_git_or_the_bot_obeys(context: Context) -> None:
    top = context.git.top

    def make(incumbent: str, number: int) -> str:
        run = ("100644", blob(top, "on: push\n"))
        workflows = tree(top, EMPTY_TREE, {"night.yml": run})
        config = {"nocturne.yml": ("100644", blob(top, CONFIG + "editable: [train.py, score.py]\n"))}
        entries: dict[str, Entry] = {
            ".git": ("040000", tree(top, EMPTY_TREE, {"config": run})),
            ".githooks": ("040000", tree(top, EMPTY_TREE, {"post-checkout": ("100755", run[1])})),
            ".github": ("040000", tree(top, EMPTY_TREE, {**config, "workflows": ("040000", workflows)})),
            "src": ("040000", tree(top, EMPTY_TREE, {".GIT ": ("040000", workflows)})),
        }
        return commit(top, tree(top, incumbent, entries), incumbent)

    assert refused(context, enter(context, make)) == (
        ".git/config is locked (added, looks like git's own folder)",
        ".githooks/post-checkout is locked (added)",
        ".github/nocturne.yml is locked (steers the bot and its workflows)",
        ".github/workflows/night.yml is locked (added, steers the bot and its workflows)",
        "src/.GIT /night.yml is locked (added, looks like git's own folder)",
    )


def test_what_a_tree_hides_from_its_diff(context: Context) -> None:
    top = context.git.top

    def make(incumbent: str, number: int) -> str:
        honest = tree(top, incumbent, {"train.py": ("100644", blob(top, numbered(number)))})
        return commit(top, tree(top, honest, {"torch": ("040000", EMPTY_TREE)}), incumbent)

    experiment = enter(context, make)
    assert refused(context, experiment) == ("the candidate's tree holds more than its diff shows",)
    assert experiment.candidate is not None
    incumbent = experiment.candidate.parent
    changed = git(top, "diff", "--name-only", incumbent, experiment.candidate.commit)
    assert changed == "train.py"  # git's own diff does hide it
    score = ("100644", git(top, "rev-parse", f"{incumbent}:score.py"))
    twice = commit(top, tree(top, incumbent, {"score.py": score}, twice=True), incumbent)
    assert objections(context, context.ledger.refresh(), twice) != ()


def test_candidate_is_one_commit_on_the_incumbent(context: Context) -> None:
    """Not two (the first of which the diff does not show), not one on a stranger, none without a past."""
    top = context.git.top
    incumbent = git(top, "rev-parse", "main")
    said = ("the candidate is not one commit on top of the incumbent",)

    def honest(base: str, number: int) -> str:
        return tree(top, base, {"train.py": ("100644", blob(top, numbered(number)))})

    def forged(base: str) -> str:
        return commit(top, tree(top, base, {"score.py": ("100644", blob(top, FORGED))}), base)

    def two(base: str, number: int) -> str:
        return commit(top, honest(base, number), forged(base))

    def on_stranger(base: str, number: int) -> str:
        return commit(top, honest(stranger, number), stranger)

    stranger = forged(incumbent)
    assert refused(context, enter(context, two)) == said
    assert refused(context, enter(context, on_stranger, stranger)) == said
    campaign = context.ledger.refresh()
    for other in (commit(top, honest(incumbent, 1)), commit(top, honest(incumbent, 1), incumbent, stranger)):
        assert objections(context, campaign, other) == said
    one = commit(top, honest(incumbent, 1), incumbent)
    assert objections(context, campaign, one, parent=stranger) == said
    assert objections(context, campaign, one, parent=incumbent) == ()


def test_a_flood_of_files_is_counted_not_listed(context: Context) -> None:
    top = context.git.top
    incumbent, empty = git(top, "rev-parse", "main"), blob(top, "")
    many: dict[str, Entry] = {f"{n:03d}{'x' * 200}": ("100644", empty) for n in range(300)}
    flood = commit(top, tree(top, incumbent, many), incumbent)
    said = objections(context, context.ledger.refresh(), flood)
    assert len(said) == MAX_REASONS + 1 and said[-1] == "and 292 more"
    assert max(map(len, said)) < 140


def test_text_that_is_none_is_refused_and_the_loop_goes_on(context: Context) -> None:
    top = context.git.top

    def make(incumbent: str, number: int) -> str:
        return commit(top, tree(top, incumbent, {"train.py": ("100644", blob(top, "# \udcff\n"))}), incumbent)

    experiment = enter(context, make)
    assert experiment.review is not None and experiment.verdict == "rejected"
    assert "not UTF-8" in experiment.review.reasons[0]
    assert not context.ledger.refresh().runs


def test_what_was_out_of_scope_may_be_tried_within_it(context: Context) -> None:
    """The train.py of a refused candidate was never measured: it is not "tried already"."""
    top = context.git.top
    train = ("100644", blob(top, TRAIN.replace("BATCH_SIZE = 64", "BATCH_SIZE = 48")))

    def beside(incumbent: str, number: int) -> str:
        score = ("100644", blob(top, FORGED))
        return commit(top, tree(top, incumbent, {"train.py": train, "score.py": score}), incumbent)

    def alone(incumbent: str, number: int) -> str:
        return commit(top, tree(top, incumbent, {"train.py": train}), incumbent)

    refused(context, enter(context, beside))
    experiment = enter(context, alone, stages=BEFORE_TRAINING)
    assert experiment.candidate is not None and experiment.review is not None
    assert experiment.review.approved and experiment.decision is None
    (report,) = readable(context.forge).reports(experiment.candidate.commit)
    assert (report.conclusion, report.title) == (None, "training next, by the job that trains")


TWO_FILES = CONFIG + "editable: [train.py, model.py]\n"
# Says 1 where all is as committed; a sum of bits tells what is not.
LOOK = """\
import os, stat
wrong = 4 * (open("crlf.txt", "rb").read() != b"one\\ntwo\\n$Id$\\n")
wrong += 8 * (b"NEW = 1" not in open("train.py", "rb").read())
wrong += 16 * (not os.stat("train.py").st_mode & stat.S_IXUSR)
wrong += 32 * (open("model.py").read() != "HIDDEN = 8\\n")
print("METRIC loss=%d" % (1 + wrong))
"""


def test_run_sees_the_incumbent_and_the_editable_files_byte_for_byte(tmp_path: Path) -> None:
    """An honest candidate: an executable stays one, an editable file comes new, attributes change nothing."""
    files = {"crlf.txt": "one\ntwo\n$Id$\n", "score.py": LOOK, "model.py": "HIDDEN = 4\n"}
    folder = make_repository(tmp_path / "repo", config=TWO_FILES, files=files)
    (folder / ".gitattributes").write_text("*.txt text eol=crlf ident export-ignore\n")
    (folder / "train.py").chmod(0o755)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Attributes")
    context = make_context(folder)

    def make(incumbent: str, number: int) -> str:
        train = ("100755", blob(folder, numbered(number) + "NEW = 1\n"))
        model = ("100644", blob(folder, "HIDDEN = 8\n"))
        return commit(folder, tree(folder, incumbent, {"train.py": train, "model.py": model}), incumbent)

    experiment = enter(context, make, stages=BEFORE_TRAINING)
    assert experiment.candidate is not None and experiment.decision is None
    run = measure(context, experiment.candidate.commit, experiment=experiment.number, title="honest")
    assert run is not None and run.failure is None and run.score == 1.0
    assert [event["kind"] for event in events(folder)].count("run_finished") == 1


def test_scope_that_was_narrowed_after_the_review_ends_the_experiment_unrun(tmp_path: Path) -> None:
    files = {"model.py": "HIDDEN = 4\n"}
    context = make_context(make_repository(tmp_path / "repo", config=TWO_FILES, files=files))
    top = context.git.top

    def make(incumbent: str, number: int) -> str:
        model = ("100644", blob(top, "HIDDEN = 8\n"))
        return commit(top, tree(top, incumbent, {"model.py": model}), incumbent)

    experiment = enter(context, make, stages=BEFORE_TRAINING)
    assert experiment.review is not None and experiment.review.approved and experiment.candidate is not None
    later = dataclasses.replace(context, config=context.config.model_copy(update={"editable": ["train.py"]}))
    run = measure(later, experiment.candidate.commit, experiment=experiment.number, title="too much")
    assert run is not None and run.score is None and run.jail != "none"
    assert run.failure == {"class": "refused", "reason": "model.py is locked"}
    assert not context.runs.folder.exists()  # no evaluator was started
    verdict = judge(later, later.ledger.refresh(), experiment.number)
    assert isinstance(verdict, ExperimentDecided) and verdict.verdict == "rejected"


def change(path: str, status: str = "A", old: str = "000000", new: str = "100644") -> FileChange:
    return FileChange(path, status, old, new, ANY, ANY)


@pytest.mark.parametrize(
    ("path", "trick"),
    [
        ("TRAIN.py", "looks like train.py"),
        ("train.py ", "spaces or dots around a name"),
        ("train.py.", "spaces or dots around a name"),
        (" train.py", "spaces or dots around a name"),
        ("ｔrain.py", "looks like train.py"),
        ("tr\u200bain.py", "holds characters that do not show"),
        ("nyp.\u202eniart", "holds characters that do not show"),
        ("train.py\x7f", "holds characters that do not show"),
        ("Model/Net.py", "looks like model/net.py"),
        ("x/GIT~1/config", "looks like git's own folder"),
        (".g\u200cit/config", "looks like git's own folder"),
        (".Git./hooks/x", "looks like git's own folder"),
        (".GitHub/x", "steers the bot and its workflows"),
        ("model/.GITATTRIBUTES", "git obeys it"),
        ("../train.py", "not a plain path"),
        ("model//net.py", "not a plain path"),
    ],
)
def test_names_that_play_tricks(path: str, trick: str) -> None:
    (said,) = violations([change(path)], ["train.py", "model/net.py"])
    assert said.endswith(f" is locked (added, {trick})")
    assert said.isascii() and said.isprintable()


def test_look_alike_letters_are_shown_as_what_they_are() -> None:
    assert violations([change("tr\u0430in.py")], ["train.py"]) == ("tr\\u0430in.py is locked (added)",)


def test_what_git_obeys_is_never_editable() -> None:
    for path in (".gitattributes", "model/.gitmodules", ".github/x.py"):
        assert violations([change(path, "M", "100644")], [path]) != ()


@pytest.mark.parametrize(
    ("status", "old", "new", "fine"),
    [
        ("M", "100644", "100644", True),
        ("M", "100755", "100755", True),
        ("A", "000000", "100644", True),
        ("A", "000000", "100755", False),
        ("A", "000000", "120000", False),
        ("M", "100755", "100644", False),
        ("T", "120000", "100644", False),
        ("T", "160000", "100644", False),
        ("M", "120000", "120000", False),
        ("M", "100644", "100664", False),
        ("D", "100644", "000000", False),
    ],
)
def test_editable_files_change_their_content_only(status: str, old: str, new: str, fine: bool) -> None:
    assert (violations([change("train.py", status, old, new)], ["train.py"]) == ()) is fine
