"""The kinds of faults: at which moments each comes, in which home, and what is done then.

A function gets the campaign and the command that waits at the moment (if its kind has one), and leaves a command that
has ended and a world that is well again. What people would have to put right, it puts right.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.benchmarks.faults.old_version import run_old
from tests.benchmarks.faults.world import BY_HAND, Command, Down, Play
from tests.bot.repositories import git
from tests.github.faults import Fault
from tests.github.records import Issue

Act = Callable[[Play, Command], None]
STAGES = ("propose", "build", "publish", "check", "train", "land", "close")
AT_STAGES = tuple(f"{when} {stage}" for stage in STAGES for when in ("before", "after"))
AT_WRITES = ("before append", "after append")
AT_RUNS = ("while training", "trained")
ANY = (*AT_STAGES, *AT_WRITES, *AT_RUNS)
BEGUN = ("after publish", "before train", "while training", "before land", "before close")


@dataclass(frozen=True)
class Kind:
    """One kind of fault."""

    name: str
    act: Act
    moments: tuple[str, ...] = ANY
    home: Literal["any", "github", "local"] = "any"
    same: bool = True
    """Whether the campaign must come to the end that it would have come to undisturbed."""
    moved: bool = False
    """Whether people move the campaign's branch: then it is not what landed alone."""
    order: Mapping[str, Any] = field(default_factory=dict)
    settings: str = ""
    service: Literal["", "claude", "slack"] = ""
    disk: bool = False
    outlived: bool = False
    """Whether the command goes on as if nothing had been; then it is one for a single experiment."""
    times: int = 5
    """How often it comes in one campaign, at most."""


def kill(play: Play, command: Command) -> None:
    command.signal(signal.SIGKILL)
    command.end()


def kill_anywhen(play: Play, command: Command) -> None:
    time.sleep(play.random.uniform(0.0, 4.0))
    kill(play, command)


def terminate(play: Play, command: Command) -> None:
    """Thirty seconds, as a spot instance has, and then its end."""
    command.signal(signal.SIGTERM)
    command.order.go.touch()
    command.process.join(30.0)
    kill(play, command)


def reboot(play: Play, command: Command) -> None:
    """Nothing is left but git: the next runner has a new clone, or the same repository without our folders."""
    kill(play, command)
    if play.repository is not None:
        play.clone_anew()
    else:
        shutil.rmtree(play.top / ".git/nocturne/main", ignore_errors=True)


def freeze(play: Play, command: Command) -> None:
    """A runner stands still until its lease has run out and another one went on, and then goes on as well."""
    play.start("run", "-n", "1").end()
    command.end()


def let_be(play: Play, command: Command) -> None:
    """The fault lies in the command itself."""
    command.end()


def two_loops(play: Play, command: Command) -> None:
    """The clock of one of two loops is wrong."""
    beside = play.start()
    command.end()
    beside.end()


def fill_disk(play: Play, command: Command) -> None:
    filler = play.top.parent / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 65536)
    with suppress(OSError), filler.open("ab", buffering=0) as file:
        while True:
            file.write(b"\0")
    command.end()
    filler.unlink()


def old_version(play: Play, command: Command) -> None:
    """An older release takes an experiment of the same campaign, while this one stands still."""
    run_old(play)
    command.end()


def network_gone(play: Play, command: Command) -> None:
    assert play.github is not None
    with Down(play.github):
        command.end()


def network_flickers(play: Play, command: Command) -> None:
    assert play.github is not None
    with Down(play.github, share=0.15, seed=play.seed):
        command.end()


def server_errors(play: Play, command: Command) -> None:
    assert play.github is not None
    fault = play.random.choice([Fault.before, Fault.after, Fault.bad_gateway, Fault("late")])
    with Down(play.github, fault, share=0.15, seed=play.seed):
        command.end()


def secondary_limit(play: Play, command: Command) -> None:
    assert play.github is not None
    with Down(play.github, Fault.forbidden(retry_after=0), share=0.2, seed=play.seed):
        command.end()


def hourly_limit(play: Play, command: Command) -> None:
    assert play.github is not None
    play.github.limits.leave(play.github.tokens[play.token], 0, reset_in=2)
    command.end()


def stale_reads(play: Play, command: Command) -> None:
    assert play.github is not None
    play.github.lag = 2
    command.end()
    play.github.lag = 0


def token_expires(play: Play, command: Command) -> None:
    assert play.github is not None
    play.github.revoke(play.token)
    command.end()
    play.new_token()


def protection_changes(play: Play, command: Command) -> None:
    assert play.repository is not None
    play.repository.required["nocturne/main"] = ("ci/build",)
    command.end()
    play.repository.required.clear()


def default_branch_renamed(play: Play, command: Command) -> None:
    """Somebody renames it, and names it back when the campaign says that it misses it."""
    assert play.repository is not None
    git(play.repository.path, "branch", "--move", "main", "trunk")
    play.repository.default_branch = "trunk"
    play.repository.sync()
    command.end()
    play.start().end()
    git(play.repository.path, "branch", "--move", "trunk", "main")
    play.repository.default_branch = "main"
    play.repository.sync()


def _push(play: Play, ref: str, commit: str) -> None:
    assert play.repository is not None and play.github is not None
    git(play.repository.path, "update-ref", ref, commit)
    play.repository.sync(play.github.user("alice"))


def campaign_branch_moved(play: Play, command: Command) -> None:
    """A human pushes a commit of his own onto it, with force if need be."""
    head = git(play.home, "rev-parse", "nocturne/main")
    tree = git(play.home, "rev-parse", f"{head}^{{tree}}")
    _push(play, "refs/heads/nocturne/main", git(play.home, "commit-tree", tree, "-p", head, "-m", BY_HAND))
    command.end()


def campaign_branch_deleted(play: Play, command: Command) -> None:
    """GitHub closes what was to be merged there: an experiment at hand counts as rejected by whoever did it."""
    assert play.repository is not None
    git(play.home, "update-ref", "-d", "refs/heads/nocturne/main")
    play.repository.sync()
    command.end()


def _pull(play: Play) -> Issue | None:
    assert play.repository is not None
    open_ = [
        each
        for each in play.repository.contents.issues.values()
        if each.pull and each.state == "open" and each.pull.head.startswith("nocturne/exp/")
    ]
    return open_[-1] if open_ else None


def experiment_branch_deleted(play: Play, command: Command) -> None:
    pull = _pull(play)
    if pull is not None and pull.pull is not None and play.repository is not None:
        git(play.home, "update-ref", "-d", f"refs/heads/{pull.pull.head}")
        play.repository.sync()
    command.end()


def experiment_branch_pushed(play: Play, command: Command) -> None:
    pull = _pull(play)
    if pull is not None and pull.pull is not None:
        head = pull.pull.head_sha
        tree = git(play.home, "rev-parse", f"{head}^{{tree}}")
        _push(
            play,
            f"refs/heads/{pull.pull.head}",
            git(play.home, "commit-tree", tree, "-p", head, "-m", BY_HAND),
        )
    command.end()


def pull_closed(play: Play, command: Command) -> None:
    pull = _pull(play)
    if pull is not None and play.repository is not None and play.github is not None:
        play.repository.set_state(pull, "closed", play.github.user("alice"))
    command.end()


def pull_edited(play: Play, command: Command) -> None:
    """Title and text stay as people have written them; what the bot has to say goes into a comment."""
    pull = _pull(play)
    if pull is not None:
        pull.title, pull.body = "My favourite", "Please look at this."
    command.end()


def object_damaged(play: Play, command: Command) -> None:
    """The newest objects of the ledger are cut off in the clone, as a crash of the machine leaves them."""
    kill(play, command)
    for name in ("nocturne/ledger", "nocturne/ledger^{tree}"):
        with suppress(AssertionError):
            sha = git(play.home, "rev-parse", name)
            path = play.top / ".git/objects" / sha[:2] / sha[2:]
            if path.exists():
                path.chmod(0o644)
                path.write_bytes(path.read_bytes()[:10])


def _segment_changed(play: Play, change: Callable[[bytes], bytes]) -> None:
    """Commit another last segment onto the ledger."""
    names = git(play.home, "ls-tree", "-r", "--name-only", "nocturne/ledger", "main/events").splitlines()
    file = play.place / "segment"
    file.write_bytes(change((git(play.home, "show", f"nocturne/ledger:{names[-1]}") + "\n").encode()))
    work = play.place / "ledger-work"
    git(play.place, "clone", "--quiet", "--branch=nocturne/ledger", str(play.home), str(work))
    shutil.copy(file, work / names[-1])
    git(work, "commit", "--quiet", "--all", "--message", "Damage")
    git(work, "push", "--quiet", "origin", "nocturne/ledger")
    shutil.rmtree(work)
    if play.repository is not None:
        play.repository.sync()


def segment_damaged(play: Play, command: Command) -> None:
    """A line in the middle of the ledger is no event: the command says so, and somebody puts the line back."""
    whole = git(play.home, "rev-parse", "nocturne/ledger")
    _segment_changed(play, lambda text: text.replace(b'{"', b'"', 1))
    command.end()
    git(play.home, "update-ref", "refs/heads/nocturne/ledger", whole)
    if play.repository is not None:
        play.repository.sync()
    if command.process.exitcode != 2:
        raise AssertionError(f"a damaged segment was taken: {command.text[-300:]}")


def last_line_cut(play: Play, command: Command) -> None:
    """The ledger's last line is cut off: what it said is done or found again."""
    _segment_changed(play, lambda text: text[: -len(text.splitlines()[-1]) // 2])
    play.kept = play.kept[:-1]
    command.end()


def service_down(play: Play, command: Command) -> None:
    """Claude, or Slack, answers nobody for as long as the command lasts."""
    play.down.set()
    command.end()
    play.down.clear()


CLAUDE = "proposer: claude\nreviewer: claude\n"

KINDS: tuple[Kind, ...] = (
    Kind("kill -9 at a stage's boundary", kill, AT_STAGES),
    Kind("kill -9 at a write to the ledger", kill, AT_WRITES),
    Kind("kill -9 in a run", kill, AT_RUNS),
    Kind("kill -9 at any time", kill_anywhen, ()),
    Kind("SIGTERM, thirty seconds", terminate),
    Kind("reboot, nothing left but git", reboot),
    Kind("runner lost, its lease runs out", kill, order={"host": "lost"}),
    Kind("runner frozen, another goes on", freeze, order={"host": "frozen"}, same=False, times=1),
    Kind("clock jumps two hours ahead", let_be, order={"jump": 7200.0}, same=False, outlived=True),
    Kind("clock jumps two hours back", let_be, order={"jump": -7200.0}, same=False, outlived=True),
    Kind(
        "clock of one of two loops ten minutes fast",
        two_loops,
        order={"skew": 600.0, "host": "fast"},
        same=False,
        times=1,
    ),
    Kind(
        "clock of one of two loops ten minutes slow",
        two_loops,
        order={"skew": -600.0, "host": "slow"},
        same=False,
        times=1,
    ),
    Kind("disk full", fill_disk, disk=True),
    Kind("evaluator killed", let_be, ("while training",), order={"training": "killed"}),
    Kind("memory of the GPU exhausted", let_be, AT_RUNS[:1], order={"training": "oom"}, same=False, outlived=True),
    Kind("GPU fallen off", let_be, AT_RUNS[:1], order={"training": "gpu"}, same=False, outlived=True),
    Kind("an older version on the same campaign", old_version, BEGUN, same=False, times=1),
    Kind("objects of the clone damaged", object_damaged, home="github"),
    Kind("a segment of the ledger damaged", segment_damaged, BEGUN, home="github"),
    Kind("the ledger's last line cut off", last_line_cut, BEGUN, home="github", same=False, outlived=True),
    Kind("network gone", network_gone, home="github"),
    Kind("network flickers", network_flickers, home="github", outlived=True),
    Kind("GitHub answers 5xx", server_errors, home="github", outlived=True),
    Kind("GitHub's secondary limit", secondary_limit, home="github", outlived=True),
    Kind("GitHub's hourly limit", hourly_limit, home="github", outlived=True),
    Kind("GitHub's reads are stale", stale_reads, home="github", outlived=True),
    Kind("token expires", token_expires, home="github"),
    Kind("branch protection changes", protection_changes, home="github", outlived=True, same=False),
    Kind("default branch renamed", default_branch_renamed, BEGUN, home="github", same=False, times=1),
    Kind("campaign's branch moved by hand", campaign_branch_moved, BEGUN, "github", False, moved=True, outlived=True),
    Kind("campaign's branch deleted", campaign_branch_deleted, BEGUN, "github", False, outlived=True),
    Kind("experiment's branch deleted", experiment_branch_deleted, BEGUN, home="github", same=False, outlived=True),
    Kind("experiment's branch pushed to", experiment_branch_pushed, BEGUN, home="github", same=False, outlived=True),
    Kind("pull request closed", pull_closed, BEGUN, home="github", same=False, outlived=True),
    Kind("pull request edited", pull_edited, BEGUN, "github", False, outlived=True),
    Kind("Claude down", service_down, same=False, service="claude", settings=CLAUDE, outlived=True),
    Kind("Slack down", service_down, service="slack", outlived=True),
)  # fmt: skip
