"""What the loop asks of a forge: pull requests, statuses, comments, branches. One protocol, several homes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from bot.rules.events import PullOpened

PullState = Literal["open", "closed", "merged"]
StatusState = Literal["pending", "success", "failure", "error"]
CloseReason = Literal["completed", "not_planned"]
LandResult = Literal["landed", "already", "moved"]
Conclusion = Literal["success", "neutral", "failure"]
DeedKind = Literal["closed", "reopened", "labeled", "unlabeled"]
BODY_LIMIT = 65_536  # characters, GitHub's own
DESCRIPTION_LIMIT = 140  # https://docs.github.com/en/rest/commits/statuses
REPORT_LIMIT = 65_535  # https://docs.github.com/en/rest/checks/runs: of summary and text each


class NotFound(Exception):
    """The forge has no such pull request or issue."""


@dataclass(frozen=True)
class PullRequest:
    """A proposed change: branch `head` at `head_sha`, meant for branch `base`."""

    number: int
    title: str
    body: str
    head: str
    head_sha: str
    base: str
    state: PullState
    url: str
    labels: tuple[str, ...] = ()
    edited: frozenset[str] = frozenset()
    """Which of "title" and "body" are not as we wrote them."""


@dataclass(frozen=True)
class Deed:
    """What somebody did to a pull request; `may` says whether they may write. `id` is the forge's own."""

    id: int
    what: DeedKind
    who: str
    may: bool
    label: str = ""


@dataclass(frozen=True)
class Comment:
    """A comment that is updated in place: there is one per `key` on a pull request."""

    key: str
    body: str


@dataclass(frozen=True)
class LineComment:
    """A remark on a line of the new file at `path`."""

    path: str
    line: int
    body: str


@dataclass(frozen=True)
class Review:
    """Remarks on a pull request that neither approve nor refuse it: one per `key`, which stays as it was written."""

    key: str
    body: str
    comments: tuple[LineComment, ...] = ()


@dataclass(frozen=True)
class Report:
    """A check with all its evidence as Markdown; there is one per commit and `name`.

    `conclusion` is None as long as it is not over. `link` is the address of what made it, "" if there is none.
    """

    name: str
    conclusion: Conclusion | None
    title: str
    summary: str
    text: str = ""
    link: str = ""


class Forge(Protocol):
    """The home of the pull requests. Every method may be repeated: the second time changes nothing.

    `shows` says whether people read there. If not, the ledger says it all, and no text need be made for it.

    All raise `UserError` for what a user can fix and `RemoteUnreachable` if the home cannot be reached;
    those that take a number raise `NotFound`.
    """

    shows: bool

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
        """Open a pull request, or return the one that `head` has already, whatever its state.

        `number` is what it is called if the forge does not count them itself. `after` is the number of an earlier
        one of `head` that is over: only later ones count. `is_new` promises that nobody can have opened one before:
        it is not looked for then.
        """
        ...

    def pull_state(self, number: int, *, head: str, base: str) -> PullState:
        """Return what has become of a pull request: it is merged once branch `base` holds commit `head`."""
        ...

    def edit_pull(
        self,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        labels: tuple[str, ...] | None = None,
        close: bool = False,
    ) -> PullState:
        """Change what is given, and leave the rest; with `close`, close it too. Return its state after that.

        `labels` are those of ours that it is to have, `nocturne` and `nocturne:...`; others stay as they are. It is
        looked at for them just before.
        """
        ...

    def reopen_pull(self, number: int) -> bool:
        """Open a closed pull request again; False if the forge refuses that, as without its branch."""
        ...

    def open_pulls(self, base: str) -> dict[int, PullRequest]:
        """Return the open pull requests into `base` by number, a hundred at most, those that changed last.

        A forge on which nobody can open, close or edit one has none.
        """
        ...

    def by_hand(self, number: int) -> PullRequest | None:
        """Return a pull request as it was last looked at, for what people changed; None if nobody can change it."""
        ...

    def deeds(self, number: int) -> list[Deed]:
        """Return what was done to a pull request, first to last; nothing if that is not known."""
        ...

    def fetch_pulls(self, pulls: Sequence[PullOpened]) -> None:
        """Have the heads of these pull requests in this clone, also of those whose branch is gone."""
        ...

    def set_status(
        self, *, sha: str, context: str, state: StatusState, description: str, link: str = ""
    ) -> None:
        """Say something of a commit; the description is cut to 140 characters, `link` is where more is said."""
        ...

    def put_report(
        self, sha: str, report: Report, *, at: int | None = None, is_new: bool = False
    ) -> int | None:
        """Write a report on a commit, or put it in the place of what it said; None if none are taken.

        Returns the report's number. Given again as `at` it need not be looked for, nor if `is_new` promises that
        nobody can have written it before.
        """
        ...

    def upsert_comment(self, number: int, key: str, body: str, *, at: int | None = None) -> int | None:
        """Write the comment `key` of a pull request or an issue, or put `body` in the place of what it said.

        Returns the comment's number, where it has one. Given again as `at`, it need not be looked for.
        """
        ...

    def reviewed(self, pulls: Mapping[int, str], *, all: bool = False) -> dict[int, str]:
        """Return which of these pull requests a human who may write has reviewed, and a name for each review.

        `pulls` maps their numbers to when we last wrote there (ISO 8601). Some may be found only when asked again,
        unless `all` are to be; a forge without reviews finds none.
        """
        ...

    def review_pull(self, number: int, sha: str, review: Review, *, instead: str) -> None:
        """Review commit `sha` of a pull request, unless there is a review of that key.

        `instead` is the body where the comments can't stand on their lines.
        """
        ...

    def upsert_issue(self, key: str, *, title: str, body: str, labels: tuple[str, ...]) -> tuple[int, str]:
        """Have one open issue `key` that says this: open it with `labels`, or bring the open one up to date.

        Returns its number and address, 0 and nothing if the forge has no issues.
        """
        ...

    def close_issue(self, number: int, reason: CloseReason) -> None:
        """Close an issue, ours or a human's."""
        ...

    def branch_head(self, branch: str) -> str | None:
        """Return the commit `branch` is at, None if there is no such branch."""
        ...

    def push_branch(self, branch: str, sha: str) -> None:
        """Create `branch` at `sha`, or move it forward to there; raise `UserError` if it is elsewhere."""
        ...

    def replace_branch(self, branch: str, sha: str, *, ours: Collection[str] = ()) -> str | None:
        """Put `branch`, one of our own experiments', at `sha`, forward or not.

        Where `ours` names commits and it stands at another one, it stays, and that one is returned.
        """
        ...

    def delete_branch(self, branch: str, *, ours: Collection[str] = ()) -> str | None:
        """Delete `branch`; one that is gone is no error. Its pull request keeps its commits.

        Where `ours` names commits and it stands at another one, it stays, and that one is returned.
        """
        ...

    def land(self, branch: str, sha: str, expected: str | None) -> LandResult:
        """Move `branch` from `expected` forward to exactly `sha`, never by force.

        "already" where the branch holds `sha`, "moved" where somebody else moved it.
        """
        ...


def cut(text: str, limit: int) -> str:
    """Return `text`, its end replaced by an ellipsis where it is longer than `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
