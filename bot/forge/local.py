"""Pull requests without GitHub: the ledger says all of them, the remote has their branches and keeps their commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from bot.errors import UserError
from bot.forge import CloseReason, Deed, LandResult, PullRequest, PullState, Report, Review, StatusState
from bot.forge.branches import Branches
from bot.git import Git
from bot.rules.events import PullOpened

_EXPERIMENTS = "nocturne/exp/"


class LocalForge:
    """The forge in a git remote. Nobody reads there, so that nothing is written but branches.

    A ref beside an experiment's branch moves with it, and stays when the branch goes.
    """

    shows = False

    def __init__(self, git: Git, remote: str) -> None:
        self._git = git
        self._remote = remote
        self._branches = Branches(git, remote, _kept_with)

    # Pull requests

    def open_pull(
        self,
        *,
        head: str,
        base: str,
        title: str,
        body: str,
        number: int,
        after: int = 0,
        is_new: bool = False,
    ) -> PullRequest:
        """See `Forge.open_pull`; raises `UserError` if the remote has no branch `head`."""
        sha = self.branch_head(head)
        if sha is None:
            raise UserError(f"the remote has no branch {head}: push it before its pull request")
        return PullRequest(number, title, body, head, sha, base, "open", f"local:{head}")

    def pull_state(self, number: int, *, head: str, base: str) -> PullState:
        """See `Forge.pull_state`; nobody can close one here."""
        there = self.branch_head(base)
        return "merged" if there is not None and self._git.is_ancestor(head, there) else "open"

    def edit_pull(
        self,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        labels: tuple[str, ...] | None = None,
        close: bool = False,
    ) -> PullState:
        """See `Forge.edit_pull`."""
        return "closed" if close else "open"

    def reopen_pull(self, number: int) -> bool:
        """See `Forge.reopen_pull`."""
        return False

    def open_pulls(self, base: str) -> dict[int, PullRequest]:
        """See `Forge.open_pulls`."""
        return {}

    def by_hand(self, number: int) -> PullRequest | None:
        """See `Forge.by_hand`."""
        return None

    def deeds(self, number: int) -> list[Deed]:
        """See `Forge.deeds`."""
        return []

    def fetch_pulls(self, pulls: Sequence[PullOpened]) -> None:
        """See `Forge.fetch_pulls`; earlier versions kept heads by the numbers that they gave."""
        old = [f"refs/nocturne/pull/{each.pull}/head" for each in pulls]
        self._git.fetch(self._remote, [*(ref for each in pulls for ref in _kept_with(each.branch)), *old])

    # Statuses, comments and issues

    def set_status(
        self, *, sha: str, context: str, state: StatusState, description: str, link: str = ""
    ) -> None:
        """See `Forge.set_status`."""

    def put_report(
        self, sha: str, report: Report, *, at: int | None = None, is_new: bool = False
    ) -> int | None:
        """See `Forge.put_report`."""
        return None

    def upsert_comment(self, number: int, key: str, body: str, *, at: int | None = None) -> None:
        """See `Forge.upsert_comment`."""

    def review_pull(self, number: int, sha: str, review: Review, *, instead: str) -> None:
        """See `Forge.review_pull`."""

    def reviewed(self, pulls: Mapping[int, str], *, all: bool = False) -> dict[int, str]:
        """See `Forge.reviewed`."""
        return {}

    def upsert_issue(self, key: str, *, title: str, body: str, labels: tuple[str, ...]) -> tuple[int, str]:
        """See `Forge.upsert_issue`."""
        return 0, ""

    def close_issue(self, number: int, reason: CloseReason) -> None:
        """See `Forge.close_issue`."""

    # Branches

    def branch_head(self, branch: str) -> str | None:
        """See `Forge.branch_head`."""
        return self._branches.head(branch)

    def push_branch(self, branch: str, sha: str) -> None:
        """See `Forge.push_branch`."""
        self._branches.move(branch, sha, forward_only=True)

    def replace_branch(self, branch: str, sha: str, *, ours: Collection[str] = ()) -> str | None:
        """See `Forge.replace_branch`."""
        foreign = self._branches.foreign(branch, ours)
        if foreign is None:
            self._branches.move(branch, sha, forward_only=False)
        return foreign

    def delete_branch(self, branch: str, *, ours: Collection[str] = ()) -> str | None:
        """See `Forge.delete_branch`."""
        return self._branches.delete(branch, None, ours)

    def land(self, branch: str, sha: str, expected: str | None) -> LandResult:
        """See `Forge.land`."""
        return self._branches.land(branch, sha, expected)


def _kept_with(branch: str) -> list[str]:
    """Return the ref that keeps the commits of an experiment's branch once that is deleted."""
    if not branch.startswith(_EXPERIMENTS):
        return []
    return [f"refs/nocturne/kept/{branch.removeprefix(_EXPERIMENTS)}"]
