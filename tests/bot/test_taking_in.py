"""The base branch moves under a campaign: it is taken in, measured anew, and nothing is mistaken for it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from bot.git import merging
from bot.loop.jobs import propose_next
from bot.loop.reconciling import reconcile
from bot.loop.start import ensure_started
from bot.loop.taking_in import awaited, follow, take_in
from bot.rules import events as ev
from bot.rules.events import HumanTold
from tests.bot.forge_readers import readable
from tests.bot.repositories import TRAIN, events, git, kill_group, make_repository, nocturne, start, status
from tests.bot.scripted import LOSS, WINS, Loop, recorded

pytestmark = pytest.mark.usefixtures("people_read")


def edit(folder: Path, files: dict[str, str], message: str = "By hand") -> str:
    """Commit `files` to the branch that is checked out, and return the commit."""
    for name, text in files.items():
        (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def head(folder: Path) -> str:
    return git(folder, "rev-parse", "nocturne/main")


def parents(folder: Path, commit: str) -> list[str]:
    return git(folder, "show", "--no-patch", "--format=%P", commit).split()


def moves(folder: Path) -> list[tuple[str, str]]:
    return [
        (e.commit, e.why) for e in recorded(folder, ev.IncumbentMoved) if isinstance(e, ev.IncumbentMoved)
    ]


def test_what_the_base_got_is_taken_in_and_measured(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    loop = Loop(folder)
    loop.run(1)
    won = head(folder)
    base = edit(folder, {"README.md": "New\n", "train.py": TRAIN.replace("DROPOUT = 0.2", "DROPOUT = 0.1")})
    loop = Loop(folder)
    loop.run(1)
    (taken, why) = moves(folder)[0]
    assert why == "base" and parents(folder, taken) == [won, base]
    text = git(folder, "show", f"{taken}:train.py")
    assert "LEARNING_RATE = 0.002" in text and "DROPOUT = 0.1" in text
    assert git(folder, "show", f"{taken}:README.md") == "New"
    told = events(folder)
    order = [(e["kind"], e.get("commit") or e.get("parent")) for e in told]
    runs = [i for i, each in enumerate(order) if each == ("run_finished", taken)]
    claim = order.index(("experiment_claimed", taken))
    assert len([i for i in runs if i < claim]) == 2, "measured before anything is compared with it"
    assert git(folder, "merge-base", "--is-ancestor", base, "nocturne/main") == ""
    assert "main has moved: nocturne/main takes it in, and is measured anew" in loop.said
    assert loop.campaign.experiments[2].landed is not None
    known = status(folder)
    assert known["base_taken_in"] == 1 and known["base_left_out"] is None
    loop.run(1)
    assert len(moves(folder)) == 1, "once"


@pytest.mark.long
def test_an_open_experiment_ends_first(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    loop = Loop(folder, (*WINS[:1], LOSS, WINS[1]))
    loop.run(1)
    assert propose_next(loop.context) == 2
    edit(folder, {"README.md": "New\n"})
    loop.run(1)
    assert moves(folder) == [] and loop.campaign.experiments[2].finished_at is not None
    loop.run(1)
    assert len(moves(folder)) == 1
    assert loop.campaign.experiments[3].claimed_on == moves(folder)[0][0]


CONFLICT = TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.003")


@pytest.mark.long
def test_a_conflict_is_said_once_and_the_loop_goes_on(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    loop = Loop(folder, (WINS[0], WINS[2], LOSS))
    loop.run(1)
    base = edit(folder, {"train.py": CONFLICT})
    loop.run(1)
    assert loop.campaign.experiments[2].landed is not None
    loop = Loop(folder, (WINS[0], WINS[2], LOSS))
    loop.run(1)
    assert loop.campaign.experiments[3].finished_at is not None
    (left,) = recorded(folder, ev.BaseLeftOut)
    assert isinstance(left, ev.BaseLeftOut) and left.base == base and "train.py" in left.reason
    assert moves(folder) == [] and "goes on without" not in loop.said
    assert "train.py" in status(folder)["base_left_out"]
    assert "goes on without that" in nocturne(folder, "report").stdout
    asked = loop.campaign.asked  # one issue says so, which is still open though the loop went on
    assert asked is not None and (asked.reason, asked.told) == ("base", True) and asked.issue is not None
    assert readable(loop.context.forge).get_issue(asked.issue).state == "open"
    assert len(recorded(folder, HumanTold)) == 1
    # Mended on the base branch: there both have the same line now.
    edit(folder, {"train.py": TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.002")})
    loop = Loop(folder, (WINS[0], WINS[2], LOSS, WINS[1]))
    loop.run(1)
    assert [why for _, why in moves(folder)] == ["base"] and status(folder)["base_left_out"] is None
    assert (
        readable(loop.context.forge).get_issue(asked.issue).state == "closed" and loop.campaign.asked is None
    )


# Without a run: the campaign's branch is moved by hand, which makes an incumbent too.


FAST, FASTER = (TRAIN.replace("LEARNING_RATE = 0.001", f"LEARNING_RATE = {rate}") for rate in (0.002, 0.004))


def ahead(folder: Path, *texts: str) -> tuple[Loop, list[str]]:
    """Begin a campaign whose branch is ahead of main by one commit for each text of train.py; main as it was."""
    loop = Loop(folder)
    ensure_started(loop.context)
    made = []
    git(folder, "checkout", "--quiet", "-b", "mine")
    for text in texts:
        made.append(edit(folder, {"train.py": text}, "Faster"))
        loop.context.forge.push_branch("nocturne/main", made[-1])
        assert reconcile(loop.context).incumbent == made[-1]
    git(folder, "checkout", "--quiet", "main")
    return loop, made


def test_a_base_that_holds_the_incumbent_is_followed(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    loop, (won,) = ahead(folder, FAST)
    git(folder, "merge", "--quiet", "--no-ff", "--message", "Take it", won)
    merge = git(folder, "rev-parse", "HEAD")
    assert take_in(loop.context, loop.campaign).incumbent == merge == head(folder)
    assert moves(folder)[1:] == [(merge, "base")]


def test_a_base_that_would_break_the_task_is_left_out(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    loop, (won,) = ahead(folder, FAST)
    edit(folder, {"train.py": TRAIN + "\n)\n"})
    assert take_in(loop.context, loop.campaign).incumbent == won == head(folder)
    assert loop.campaign.left_out is not None and "does not parse" in loop.campaign.left_out.reason


@pytest.mark.parametrize("way", ["squash", "rebase", "squash onto others"])
def test_after_a_squash_the_base_is_taken_in_without_conflict(tmp_path: Path, way: str) -> None:
    """The campaign went on, on the very line that the squash has: a plain merge of the two would conflict."""
    folder = make_repository(tmp_path / "repo")
    loop, (first, second) = ahead(folder, FAST, FASTER)
    if way == "squash onto others":  # no tree of the campaign is one of main's; what a promotion showed helps
        edit(folder, {"other.md": "Other\n"})
        shown = ev.PromotionShown(1, first, "", "", 1)
        loop.context.ledger.append(lambda _: [ev.PromotionOpened(1, "local:pull/1"), shown])
    if way == "rebase":
        edit(folder, {"train.py": FAST}, "Faster, once more")
    else:
        git(folder, "merge", "--quiet", "--squash", first)
        git(folder, "commit", "--quiet", "--message", "Squashed")
    if way != "squash onto others":
        edit(folder, {"README.md": "More\n"})
    base = git(folder, "rev-parse", "main")
    assert merging.merge_trees(loop.context.git, second, base).conflicts == ("train.py",)
    taken = take_in(loop.context, loop.campaign).incumbent
    assert parents(folder, taken) == [second, base] and loop.campaign.absorbed == {first}
    assert git(folder, "show", f"{taken}:train.py") == FASTER.strip()
    assert git(folder, "diff", "--name-only", second, taken) in ("README.md", "other.md")


def test_what_main_took_back_is_taken_back_here(tmp_path: Path) -> None:
    """A human merged by squash and then changed their mind about it: that is a word of main's like any other."""
    folder = make_repository(tmp_path / "repo")
    loop, (first,) = ahead(folder, FAST)
    edit(folder, {"train.py": FAST}, "Squashed")
    edit(folder, {"train.py": TRAIN}, "No, better not")
    taken = take_in(loop.context, loop.campaign).incumbent
    assert git(folder, "show", f"{taken}:train.py") == TRAIN.strip() and loop.campaign.absorbed == {first}


def test_two_clones_come_to_the_same_commit(tmp_path: Path) -> None:
    one = make_repository(tmp_path / "one", remote=tmp_path / "origin.git")
    loop, _ = ahead(one, FAST)
    base = edit(one, {"README.md": "New\n"})
    git(one, "push", "--quiet", "origin", "main")
    git(tmp_path, "clone", "--quiet", str(tmp_path / "origin.git"), "two")
    git(tmp_path / "two", "config", "merge.conflictStyle", "diff3")
    git(tmp_path / "two", "config", "user.name", "Somebody else")
    other = Loop(tmp_path / "two")
    made = [follow(each.context, reconcile(each.context), base) for each in (loop, other)]
    assert made[0] == made[1] and made[0].absorbed is None
    assert take_in(loop.context, loop.campaign).incumbent == made[0].commit
    assert take_in(other.context, reconcile(other.context)).incumbent == made[0].commit
    assert len(moves(one)) == 2


def test_an_old_git_leaves_it_to_a_human(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_repository(tmp_path / "repo")
    loop, (won,) = ahead(folder, FAST)
    edit(folder, {"README.md": "New\n"})
    monkeypatch.setattr(merging, "git_version", lambda: (2, 34))
    assert take_in(loop.context, loop.campaign).incumbent == won
    assert loop.campaign.left_out is not None and "install git 2.38 or newer" in loop.campaign.left_out.reason
    monkeypatch.undo()
    assert take_in(loop.context, loop.campaign).incumbent != won, "it is tried again, without another word"
    assert loop.campaign.left_out is None and len(recorded(folder, ev.BaseLeftOut)) == 1


def test_histories_without_a_common_past_are_no_merge(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    loop, (won,) = ahead(folder, FAST)
    git(folder, "checkout", "--quiet", "--orphan", "other")
    git(folder, "commit", "--quiet", "--message", "Anew")
    git(folder, "branch", "--quiet", "--force", "main", "other")
    assert take_in(loop.context, loop.campaign).incumbent == won
    assert loop.campaign.left_out is not None and "no common history" in loop.campaign.left_out.reason


def test_other_loops_are_waited_for_and_not_for_ever(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    loop, (won,) = ahead(folder, FAST)
    assert awaited(loop.context, loop.campaign) == frozenset()
    loop.context.ledger.append(lambda _: [ev.ExperimentClaimed(1, won)])
    assert awaited(loop.context, loop.campaign) == frozenset()
    edit(folder, {"train.py": TRAIN + "\n)\n"})
    assert awaited(loop.context, loop.campaign) == {1}
    assert take_in(loop.context, loop.campaign).incumbent == won
    loop.context.ledger.append(lambda _: [ev.ExperimentFinished(1)])
    take_in(loop.context, loop.campaign)
    loop.context.ledger.append(lambda _: [ev.ExperimentClaimed(2, won)])
    assert loop.campaign.left_out is not None and awaited(loop.context, loop.campaign) == frozenset()


# Kills whoever pushes the campaign's branch while the file is there: once, and after the push had its effect.
HOOK = """#!/bin/sh
while read old new ref; do
  if [ "$ref" = refs/heads/nocturne/main ] && [ -f "$GIT_DIR/kill-once" ]; then
    rm "$GIT_DIR/kill-once"
    kill -9 0
  fi
done
"""


@pytest.mark.long
def test_killed_between_push_and_record_it_is_still_the_base(tmp_path: Path) -> None:
    origin = tmp_path / "origin.git"
    folder = make_repository(tmp_path / "repo", remote=origin)
    nocturne(folder, "run", "-n", "1")
    edit(folder, {"README.md": "New\n"})
    git(folder, "push", "--quiet", "origin", "main")
    (origin / "hooks/post-receive").write_text(HOOK)
    (origin / "hooks/post-receive").chmod(0o755)
    (origin / "kill-once").touch()
    loop = start(folder, "run", "-n", "1", env=dict(os.environ))
    try:
        loop.communicate(timeout=60)
    finally:
        kill_group(loop)
    assert loop.returncode == -signal.SIGKILL and not (origin / "kill-once").exists()
    taken = git(origin, "rev-parse", "nocturne/main")
    assert len(parents(origin, taken)) == 2
    assert recorded(folder, ev.IncumbentMoved) == [], "the push came before the word on the ledger"
    nocturne(folder, "run", "-n", "1")
    assert moves(folder) == [(taken, "base")]


@pytest.mark.long
def test_a_humans_move_is_no_taking_in(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", remote=tmp_path / "origin.git")
    loop = Loop(folder)
    loop.run(1)
    base = edit(folder, {"README.md": "New\n"})
    git(folder, "push", "--quiet", "origin", "main")
    git(folder, "checkout", "--quiet", "-b", "mine", "nocturne/main")
    git(folder, "merge", "--quiet", "--no-edit", "main")
    mine = edit(folder, {"notes.md": "A human's.\n"})
    git(folder, "push", "--quiet", "origin", "HEAD:nocturne/main")
    git(folder, "checkout", "--quiet", "main")
    loop.run(1)
    assert moves(folder) == [(mine, "human")]
    assert git(folder, "merge-base", "--is-ancestor", base, "nocturne/main") == ""
