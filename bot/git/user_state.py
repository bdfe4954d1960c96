"""The user's own state of a repository: what they have changed, and the branch that they work from."""

from __future__ import annotations

from collections.abc import Sequence

from bot.base.process import ProcessFailed
from bot.errors import UserError
from bot.git import Git


def changed_files(git: Git, paths: Sequence[str] = ()) -> list[str]:
    """Return the tracked files (of `paths`, where given) with changes that are not committed."""
    if git.top == git.common_dir:
        return []
    command = ["status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames"]
    said = git.run([*command, "--ignore-submodules=dirty", "--", *paths]).decode(errors="surrogateescape")
    return [line[3:] for line in said.split("\0") if line]


def default_branch(git: Git) -> str:
    """Return the branch work starts from: origin's HEAD, else the current one, else main or master."""
    for name, prefix in (("refs/remotes/origin/HEAD", "refs/remotes/origin/"), ("HEAD", "refs/heads/")):
        try:
            said = git.run(["symbolic-ref", "--quiet", name]).decode().strip()
        except ProcessFailed:
            continue
        if said.startswith(prefix):
            return said.removeprefix(prefix)
    for branch in ("main", "master"):
        for prefix in ("refs/heads/", "refs/remotes/origin/"):
            if git.resolve(prefix + branch):
                return branch
    raise UserError(f"{git.top} has no current branch: run `git remote set-head origin -a` or check one out")
