"""What every forge does with branches, by git alone: look, move forward, replace, delete, land."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from bot.errors import NotAllowed, UserError
from bot.forge import LandResult
from bot.git import Git, PushResult, RefUpdate
from bot.git.repair import outlast_locks

_ATTEMPTS = 10  # at moving a branch that others move too


class Branches:
    """The branches of a remote. `companions` names the refs that move with a branch, in the same push."""

    def __init__(
        self, git: Git, remote: str, companions: Callable[[str], Sequence[str]] | None = None
    ) -> None:
        self._git = git
        self._remote = remote
        self._companions = companions or (lambda branch: ())

    def head(self, branch: str) -> str | None:
        """See `Forge.branch_head`."""
        ref = f"refs/heads/{branch}"
        return self._git.fetch(self._remote, [ref]).get(ref)

    def foreign(self, branch: str, ours: Collection[str]) -> str | None:
        """Return the commit that `branch` stands at, if `ours` are named and it is none of them."""
        head = self.head(branch) if ours else None
        return head if head is not None and head not in ours else None

    def move(self, branch: str, sha: str, *, forward_only: bool) -> bool:
        """See `Forge.push_branch` (`forward_only`) and `Forge.replace_branch`; say whether this made the branch."""
        ref = f"refs/heads/{branch}"
        refs = [ref, *self._companions(branch)]
        seen = self._git.tracked(refs)
        # Where it is as we last saw it, the push finds out by itself, which spares a look before.
        updates = [RefUpdate(name, sha, seen.get(name), forward_only) for name in refs]
        result = self._git.push(self._remote, updates)
        if result.pushed:
            return result.changed and ref not in seen
        for _ in range(_ATTEMPTS):
            outlast_locks(self._git, self._remote)  # of a process that was killed while it moved one
            refs = [ref, *self._companions(branch)]
            there = self._git.fetch(self._remote, refs)
            updates = [
                RefUpdate(name, sha, there.get(name), forward_only) for name in refs if there.get(name) != sha
            ]
            result = self._git.push(self._remote, updates)
            if result.pushed:
                return False
            _raise_if_denied(result, branch)
            now_at = there.get(ref)
            if forward_only and now_at and not self._git.is_ancestor(now_at, sha):
                break
        raise UserError(
            f"{branch} is not behind {sha[:12]}: somebody else moved it: compare the two with `git log`"
        )

    def delete(self, branch: str, seen: str | None = None, ours: Collection[str] = ()) -> str | None:
        """See `Forge.delete_branch`. Where it is at `seen` nothing needs to be looked at before."""
        ref = f"refs/heads/{branch}"
        if ours and seen not in ours:
            seen = None
        if seen is not None and self._git.push(self._remote, [RefUpdate(ref, None, seen)]).pushed:
            return None
        for _ in range(_ATTEMPTS):
            outlast_locks(self._git, self._remote)
            head = self.head(branch)
            if head is None:
                return None  # a deletion of nothing would reach the remote and its hooks all the same
            if ours and head not in ours:
                return head
            result = self._git.push(self._remote, [RefUpdate(ref, None, head if ours else "any")])
            if result.pushed:
                return None
            if result.rejected == "denied" or not ours:
                break
        raise NotAllowed(f"the remote does not delete {branch} ({result.detail}): allow this user to")

    def land(self, branch: str, sha: str, expected: str | None) -> LandResult:
        """See `Forge.land`."""
        ref = f"refs/heads/{branch}"
        update = RefUpdate(ref, sha, expected)
        if expected is not None and self._git.tracked([ref]).get(ref) == expected:
            # It was there when we last looked: the push itself finds out whether it still is.
            result = self._git.push(self._remote, [update])
            _raise_if_denied(result, branch)
            if result.pushed:
                return "landed" if result.changed else "already"
        outlast_locks(self._git, self._remote)
        now = self.head(branch)
        if now is not None and self._git.is_ancestor(sha, now):
            return "already"
        if now != expected:
            return "moved"
        result = self._git.push(self._remote, [update])
        _raise_if_denied(result, branch)
        return "landed" if result.pushed else "moved"


def _raise_if_denied(result: PushResult, branch: str) -> None:
    if result.rejected == "denied":
        raise NotAllowed(f"the remote refuses to move {branch} ({result.detail}): allow this user to push it")
