"""Merges without a working tree: what two commits come to together, and the commit that says so."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from bot.base.process import ProcessFailed
from bot.errors import UserError
from bot.git import AUTHOR, Git
from bot.git import objects as git_objects
from bot.git.command import git_output, git_version, raise_for_disk

OLDEST = (2, 38)  # https://git-scm.com/docs/git-merge-tree: --write-tree
# The same two commits must come to the same tree whoever merges them.
_SETTINGS = (
    "-c", "merge.renames=true", "-c", "merge.directoryRenames=false", "-c", "merge.default=text",
    "-c", "merge.conflictStyle=merge", "-c", "diff.renameLimit=1000",
)  # fmt: skip


@dataclass(frozen=True)
class Merged:
    """The tree of a merge, None if the files `conflicts` need a human."""

    tree: str | None
    conflicts: tuple[str, ...] = ()


def merge_trees(git: Git, ours: str, theirs: str) -> Merged:
    """Merge two commits. Raises `UserError` if this git can't, or they have no common history here."""
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


def merge_file(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Return the three-way merge of one file's contents, None if they conflict or are binary."""
    try:
        with tempfile.TemporaryDirectory(prefix="nocturne-") as scratch:
            for name, content in (("ours", ours), ("base", base), ("theirs", theirs)):
                Path(scratch, name).write_bytes(content)
            return git_output(["merge-file", "-p", "-q", "ours", "base", "theirs"], cwd=Path(scratch))
    except ProcessFailed as error:
        if error.returncode is None:
            raise
        return None  # the exit code counts the conflicts; 255 is a binary file
    except OSError as error:
        raise_for_disk(error)
        raise


def trees_between(git: Git, older: str, newer: str) -> dict[str, str]:
    """Return {commit: tree} of what `newer` has and `older` has not, newest first."""
    return {commit: git.tree_and_parents(commit)[0] for commit in git.store.between(older, newer)}


def committed_at(git: Git, commit: str) -> datetime:
    """Return when `commit` was made, as it says itself."""
    content = git.store.read(commit, "commit")
    who = next(line for line in content.split(b"\n") if line.startswith(b"committer "))
    return datetime.fromtimestamp(int(who.split(b" ")[-2]), timezone.utc)


def write_merge(git: Git, tree: str, parents: Sequence[str], message: str) -> str:
    """Write a merge commit, dated as its last parent: the same on every machine. No ref moves."""
    return git_objects.write_commit(git.store, tree, parents, message, committed_at(git, parents[-1]), AUTHOR)
