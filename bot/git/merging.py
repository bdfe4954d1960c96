"""Merges without a working tree: what two commits come to together, and the commit that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from bot.errors import UserError
from bot.git import AUTHOR, Git
from bot.git import objects as git_objects
from bot.git.command import git_version
from bot.process import ProcessFailed

OLDEST = (2, 38)  # https://git-scm.com/docs/git-merge-tree: --write-tree
# The same two commits must come to the same tree whoever merges them.
_SETTINGS = (
    "-c", "merge.renames=true", "-c", "merge.directoryRenames=false", "-c", "merge.default=text",
    "-c", "merge.conflictStyle=merge", "-c", "diff.renameLimit=1000",
)  # fmt: skip


@dataclass(frozen=True)
class Merged:
    """The tree of a merge, None where the files `conflicts` need a human."""

    tree: str | None
    conflicts: tuple[str, ...] = ()


def merge_trees(git: Git, ours: str, theirs: str) -> Merged:
    """Merge two commits. Raises `UserError` where this git can't, or they have no common history here."""
    if git_version() < OLDEST:
        have, need = (".".join(map(str, version)) for version in (git_version(), OLDEST))
        raise UserError(f"git {have} can't merge without a working tree: install git {need} or newer")
    command = ["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs]
    try:
        said = git.run([*_SETTINGS, *command])
    except ProcessFailed as error:
        if error.returncode != 1:
            raise UserError(
                f"{ours[:12]} and {theirs[:12]} can't be merged: they have no common history here; a shallow clone"
                " needs `git fetch --unshallow`"
            ) from None
        paths = error.stdout.decode(errors="replace").split("\0")[1:]
        return Merged(None, tuple(dict.fromkeys(path for path in paths if path)))
    return Merged(said.decode().split("\0")[0].strip())


def merge_base(git: Git, one: str, other: str) -> str | None:
    """Return the best common ancestor of two commits, None where there is none here."""
    try:
        return git.run(["merge-base", one, other]).decode().split("\n")[0]
    except ProcessFailed:
        return None


def trees_between(git: Git, older: str, newer: str) -> dict[str, str]:
    """Return {commit: tree} of what `newer` has and `older` has not."""
    command = ["rev-list", "--no-commit-header", "--format=%H %T", newer, f"^{older}", "--"]
    return dict(line.split(" ") for line in git.run(command).decode().splitlines())


def committed_at(git: Git, commit: str) -> datetime:
    """Return when `commit` was made, as it says itself."""
    said = git.run(["rev-list", "--no-commit-header", "--format=%ct", "--max-count=1", commit, "--"])
    return datetime.fromtimestamp(int(said), timezone.utc)


def write_merge(git: Git, tree: str, parents: Sequence[str], message: str) -> str:
    """Write a merge commit, dated as its last parent: the same on every machine. No ref moves."""
    return git_objects.write_commit(git.run, tree, parents, message, committed_at(git, parents[-1]), AUTHOR)
