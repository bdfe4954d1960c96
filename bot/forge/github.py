"""Pull requests on GitHub: what others see goes by REST, in few requests; branches and landing go by git."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from bot.errors import UserError
from bot.forge import (
    DESCRIPTION_LIMIT,
    CloseReason,
    Comment,
    Deed,
    LandResult,
    NotFound,
    PullRequest,
    PullState,
    Report,
    Review,
    StatusState,
    cut,
)
from bot.forge.branches import Branches
from bot.forge.github_checks import Checks
from bot.forge.github_client import LAGS, GitHubClient, Refused
from bot.forge.github_comments import Comments
from bot.forge.github_deeds import deeds_on
from bot.forge.github_issues import GitHubIssues
from bot.forge.github_labels import Labels
from bot.forge.github_looks import Looks
from bot.forge.github_readers import Readers
from bot.forge.github_records import marked, plain, pull_for, pull_of, signed, title_of
from bot.forge.github_reviews import Reviews
from bot.forge.labels import is_our_label
from bot.git import Git, RemoteUnreachable
from bot.rules.events import PullOpened

_MERGE_LAGS = (10.0, 10.0, 10.0)
_PULLS, _STATUSES = "pull-requests: write", "statuses: write"


class GitHubForge:
    """The forge on GitHub.

    What only we change is remembered for as long as the process lives, so that it is asked for once: the
    number of a branch's pull request, our comments on it, the statuses we set.
    """

    shows = True

    def __init__(
        self, git: Git, remote: str, client: GitHubClient, on_note: Callable[[str], None] | None = None
    ) -> None:
        """`on_note` hears what GitHub does not allow and the loop can do without."""
        self._git = git
        self._remote = remote
        self.client = client
        self._branches = Branches(git, remote)
        self._labels = Labels(client)
        self._issues = GitHubIssues(client, self._labels)
        self._reviews = Reviews(client)
        self._comments = Comments(client)
        self._checks = Checks(client, on_note or (lambda note: None))
        self._readers = Readers(client)
        self._looks = Looks(client)
        self._owner = client.repository.partition("/")[0]
        self._pulls: dict[str, PullRequest] = {}  # by head, as last seen
        self._begun: set[str] = set()  # heads whose pull request we tried to open
        self._statuses: dict[tuple[str, str], tuple[StatusState, str, str]] = {}
        self._landed: dict[str, str] = {}  # by branch, a commit that it holds
        self._made: set[str] = set()  # branches that were not there before: they have no pull request yet

    # Pull requests

    def open_pull(
        self, *, head: str, base: str, title: str, body: str, number: int = 0, after: int = 0,
        is_new: bool = False,
    ) -> PullRequest:  # fmt: skip
        """See `Forge.open_pull`; raises `UserError` if GitHub has no branch `head`."""
        if head in self._pulls and self._pulls[head].number > after:
            return self.get_pull(self._pulls[head].number)
        fresh = (is_new or head in self._made) and head not in self._begun
        found = None if fresh else self._find(head, base, after)
        if found is not None:
            return found
        self._begun.add(head)
        wanted = {"title": title_of(title), "head": head, "base": base, "body": signed(title, body)}
        for pause in (*LAGS, None):
            try:
                record = self.client.request(
                    "POST", "/pulls", wanted, look=lambda: self._find_record(head, base, after)
                )
                break
            except Refused as refused:
                found = self._after_refusal(refused, head, base, after)
                if found is not None:
                    return found
                if pause is None:
                    raise self.client.refusal(refused, f"open the pull request of {head}", _PULLS) from None
            self.client.sleep(pause)
        pull = self._saw(pull_of(record))
        self._comments.opened(pull.number)
        self._reviews.opened(pull.number)
        return pull

    def _after_refusal(self, refused: Refused, head: str, base: str, after: int) -> PullRequest | None:
        """Return the pull request whose existence made GitHub refuse another one.

        None if GitHub only does not know the pushed branch yet. Raises `UserError` for anything else.
        """
        if refused.status == 422:
            exists = "already exists" in refused.said
            for pause in (0.0, *(LAGS if exists else ())):
                self.client.sleep(pause)
                found = self._find(head, base, after)
                if found is not None:
                    return found
            if exists:
                raise RemoteUnreachable(
                    f"GitHub has a pull request of {head} and does not list it yet: run again in a minute"
                )
            if "head invalid" in refused.said or "base invalid" in refused.said:
                for branch in (head, base):
                    if self.branch_head(branch) is None:
                        raise UserError(f"the remote has no branch {branch}: push it before its pull request")
                return None
        raise self.client.refusal(refused, f"open the pull request of {head}", _PULLS)

    def pull_state(self, number: int, *, head: str = "", base: str = "") -> PullState:
        """See `Forge.pull_state`; GitHub knows what belongs to a number."""
        return self.get_pull(number).state

    def get_pull(self, number: int) -> PullRequest:
        """Return a pull request as it is now."""
        try:
            return self._saw(self._looks.at(number))
        except Refused as refused:
            self._give_up(refused, number, "read pull requests")

    def _find(self, head: str, base: str, after: int) -> PullRequest | None:
        try:
            record = self._find_record(head, base, after)
        except Refused as refused:
            raise self.client.refusal(refused, "read pull requests", _PULLS) from None
        return self._saw(pull_of(record)) if record is not None else None

    def _find_record(self, head: str, base: str, after: int) -> Any:
        listed = self.client.pages("/pulls", state="all", head=f"{self._owner}:{head}")
        records = [record for record in listed if record["number"] > after]
        return pull_for(records, self.client.repository, head, base)

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
        wanted: dict[str, Any] = {"state": "closed"} if close else {}
        if title is not None:
            wanted["title"] = title_of(title)
        if body is not None:
            wanted["body"] = signed(title, body)

        if labels is not None:
            theirs = [name for name in self.get_pull(number).labels if not is_our_label(name)]
            wanted["labels"] = [*theirs, *sorted(set(labels))]
        try:  # a pull request is an issue too, and as one it takes its labels in the same request
            record = self._labels.along(
                lambda: self.client.request("PATCH", f"/issues/{number}", wanted), labels
            )
        except Refused as refused:
            self._give_up(refused, number, "edit pull requests")
        state: PullState = record["state"]
        if state == "closed" and record["pull_request"]["merged_at"] is not None:
            state = "merged"
        known = next((pull for pull in self._pulls.values() if pull.number == number), None)
        if known is not None:
            put = known.labels if labels is None else tuple(wanted["labels"])
            self._saw(replace(known, state=state, title=wanted.get("title", known.title), labels=put))
        return state

    def reopen_pull(self, number: int) -> bool:
        """See `Forge.reopen_pull`."""
        try:
            self._saw(pull_of(self.client.request("PATCH", f"/pulls/{number}", {"state": "open"})))
        except Refused as refused:
            if refused.status != 422:
                self._give_up(refused, number, "reopen pull requests")
            return False
        return True

    def open_pulls(self, base: str) -> dict[int, PullRequest]:
        """See `Forge.open_pulls`."""
        try:
            found = self._looks.open_into(base)
        except Refused as refused:
            raise self.client.refusal(refused, "read pull requests", _PULLS) from None
        return {pull.number: self._saw(pull) for pull in found}

    def by_hand(self, number: int) -> PullRequest:
        """See `Forge.by_hand`."""
        known = next((pull for pull in self._pulls.values() if pull.number == number), None)
        return known or self.get_pull(number)

    def deeds(self, number: int) -> list[Deed]:
        """See `Forge.deeds`."""
        try:
            return deeds_on(self.client, number)
        except Refused as refused:
            self._give_up(refused, number, "read what was done to pull requests")

    def fetch_pulls(self, pulls: Sequence[PullOpened]) -> None:
        """See `Forge.fetch_pulls`."""
        self._git.fetch(self._remote, [f"refs/pull/{each.pull}/head" for each in pulls])

    def _give_up(self, refused: Refused, number: int, doing: str) -> NoReturn:
        """Raise what a refusal means for a pull request: GitHub hides what a token may not see as not found."""
        if refused.status == 404 and self._is_visible():
            raise NotFound(f"there is no pull request {number} in {self.client.repository}") from None
        raise self.client.refusal(refused, doing, _PULLS) from None

    def _is_visible(self) -> bool:
        try:
            self.client.get("")
        except Refused:
            return False
        return True

    def _saw(self, pull: PullRequest) -> PullRequest:
        self._pulls[pull.head] = pull
        return pull

    # Statuses and comments

    def set_status(
        self, *, sha: str, context: str, state: StatusState, description: str, link: str = ""
    ) -> None:
        """See `Forge.set_status`."""
        said = cut(plain(description), DESCRIPTION_LIMIT)
        if self._statuses.get((sha, context)) == (state, said, link):
            return
        wanted = {"state": state, "context": context, "description": said}
        wanted |= {"target_url": link} if link else {}
        for pause in (*LAGS, None):
            try:
                self.client.request("POST", f"/statuses/{sha}", wanted)
                break
            except Refused as refused:
                unknown = refused.status == 422 and "No commit found" in refused.said
                if not unknown or pause is None:
                    raise self.client.refusal(refused, "set statuses", _STATUSES) from None
            self.client.sleep(pause)  # the commit was pushed just now
        self._statuses[sha, context] = (state, said, link)

    def put_report(
        self, sha: str, report: Report, *, at: int | None = None, is_new: bool = False
    ) -> int | None:
        """See `Forge.put_report`: a check run."""
        return self._checks.put(sha, report, at=at, is_new=is_new)

    def upsert_comment(self, number: int, key: str, body: str, *, at: int | None = None) -> int:
        """See `Forge.upsert_comment`."""
        try:
            return self._comments.put(number, key, marked(key, body), at)
        except Refused as refused:
            self._give_up(refused, number, "comment on pull requests")

    def comments(self, number: int) -> list[Comment]:
        """Return our comments on a pull request or an issue, sorted by key."""
        try:
            return self._comments.read(number)
        except Refused as refused:
            self._give_up(refused, number, "read comments")

    def reviewed(self, pulls: Mapping[int, str], *, all: bool = False) -> dict[int, str]:
        """See `Forge.reviewed`."""
        return self._readers.of(pulls, all=all)

    def review_pull(self, number: int, sha: str, review: Review, *, instead: str) -> None:
        """See `Forge.review_pull`."""
        try:
            self._reviews.put(number, sha, review, instead)
        except Refused as refused:
            self._give_up(refused, number, "review pull requests")

    # Issues

    def upsert_issue(self, key: str, *, title: str, body: str, labels: tuple[str, ...]) -> tuple[int, str]:
        """See `Forge.upsert_issue`."""
        return self._issues.upsert(key, title=title, body=body, labels=labels)

    def close_issue(self, number: int, reason: CloseReason) -> None:
        """See `Forge.close_issue`."""
        self._issues.close(number, reason)

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
        if foreign is None and self._branches.move(branch, sha, forward_only=False):
            self._made.add(branch)
        return foreign

    def delete_branch(self, branch: str, *, ours: Collection[str] = ()) -> str | None:
        """See `Forge.delete_branch`."""
        self._await_merge(branch)
        pull = self._pulls.get(branch)
        return self._branches.delete(branch, pull.head_sha if pull is not None else None, ours)

    def _await_merge(self, branch: str) -> None:
        """Let GitHub see that a pull request has landed before its branch goes: else it would be shown closed."""
        pull = self._pulls.get(branch)
        if pull is None or pull.state != "open":
            return
        base = self._landed.get(pull.base) or self._branches.head(pull.base)
        if base is None or not self._git.is_ancestor(pull.head_sha, base):
            return
        for pause in _MERGE_LAGS:
            if self.get_pull(pull.number).state != "open":
                return
            self.client.sleep(pause)

    def land(self, branch: str, sha: str, expected: str | None) -> LandResult:
        """See `Forge.land`."""
        result = self._branches.land(branch, sha, expected)
        if result != "moved":
            self._landed[branch] = sha
        return result
