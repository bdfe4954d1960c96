"""Moves a branch of the user's own clone forward: only where a promotion ends there, and somebody said so."""

from __future__ import annotations

from bot.base.process import ProcessFailed
from bot.errors import UserError
from bot.git import Git
from bot.git.command import failure_text, last_line


def move_own_branch(git: Git, branch: str, sha: str, expected: str) -> None:
    """Move `branch` from `expected` forward to `sha`, with its working tree where it is checked out.

    Raises `UserError` if changes that are not committed stand in the way, or it is checked out elsewhere.
    """
    ref = f"refs/heads/{branch}"
    if git.resolve(ref) == sha:
        return
    try:
        if git.top != git.common_dir and _checked_out(git) == ref:
            git.run(["merge", "--ff-only", "--quiet", sha])
        elif ref in _everywhere(git):
            raise UserError(f"{branch} is checked out in another working tree: run `git merge {sha}` there")
        else:
            git.run(["update-ref", "-m", "nocturne: promoted", ref, sha, expected])
    except ProcessFailed as error:
        raise UserError(
            f"{branch} can't be moved forward to {sha[:12]} ({last_line(failure_text(error))}): commit or stash"
            " what is in the way, then promote again"
        ) from None


def _checked_out(git: Git) -> str | None:
    try:
        return git.run(["symbolic-ref", "--quiet", "HEAD"]).decode().strip()
    except ProcessFailed:
        return None  # no branch is


def _everywhere(git: Git) -> set[str]:
    """Return the branches that are checked out in any working tree of the repository."""
    listed = git.run(["worktree", "list", "--porcelain", "-z"]).decode(errors="surrogateescape")
    return {line.removeprefix("branch ") for line in listed.split("\0") if line.startswith("branch ")}
