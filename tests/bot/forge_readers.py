"""What tests read of a forge beside what the bot asks it: on GitHub by REST, and from one that notes all it is told."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, cast

import pytest

from bot.forge import (
    BODY_LIMIT,
    DESCRIPTION_LIMIT,
    REPORT_LIMIT,
    CloseReason,
    Comment,
    Forge,
    LineComment,
    NotFound,
    PullRequest,
    PullState,
    Report,
    Review,
    StatusState,
    cut,
)
from bot.forge.github import GitHubForge
from bot.forge.github_records import unmarked
from bot.forge.labels import is_our_label
from bot.forge.local import LocalForge


@dataclass(frozen=True)
class Status:
    """What stands on a commit under one context."""

    context: str
    state: StatusState
    description: str


@dataclass(frozen=True)
class Issue:
    """An issue of ours; `reason` is why it was closed."""

    number: int
    title: str
    body: str
    state: Literal["open", "closed"]
    reason: CloseReason | None
    labels: tuple[str, ...]
    url: str


class ReadableForge(Forge, Protocol):
    """A forge that counts its pull requests itself, and shows what is on it. What is a list is sorted."""

    def open_pull(
        self, *, head: str, base: str, title: str, body: str, number: int = 0, after: int = 0, is_new: bool = False
    ) -> PullRequest: ...  # fmt: skip

    def get_pull(self, number: int) -> PullRequest: ...
    def labels(self, number: int) -> list[str]: ...
    def comments(self, number: int) -> list[Comment]: ...
    def statuses(self, sha: str) -> list[Status]: ...
    def reports(self, sha: str) -> list[Report]: ...
    def reviews(self, number: int) -> list[Review]: ...
    def get_issue(self, number: int) -> Issue: ...


class ReadableGitHub(GitHubForge):
    """The forge on GitHub, read over REST."""

    def labels(self, number: int) -> list[str]:
        return sorted(label["name"] for label in self.client.get(f"/issues/{number}/labels"))

    def statuses(self, sha: str) -> list[Status]:
        found = self.client.get(f"/commits/{sha}/status", per_page=100)["statuses"]
        told = [Status(each["context"], each["state"], each["description"] or "") for each in found]
        return sorted(told, key=lambda status: status.context)

    def reports(self, sha: str) -> list[Report]:
        found = self.client.get(f"/commits/{sha}/check-runs", per_page=100)["check_runs"]
        told = [
            Report(each["name"], each["conclusion"], **_output(each["output"]), link=_link(each))
            for each in found
        ]
        return sorted(told, key=lambda report: report.name)

    def reviews(self, number: int) -> list[Review]:
        path = f"/pulls/{number}/reviews"
        ours = [(each["id"], read) for each in self.client.pages(path) if (read := unmarked(each))]
        told = [
            Review(
                *read,
                tuple(
                    LineComment(each["path"], each["line"] or 0, each["body"])
                    for each in self.client.pages(f"{path}/{review}/comments")
                ),
            )
            for review, read in ours
        ]
        return sorted(told, key=lambda review: review.key)

    def get_issue(self, number: int) -> Issue:
        record = self.client.get(f"/issues/{number}")
        read = unmarked(record)
        return Issue(
            record["number"], record["title"], read[1] if read else record["body"], record["state"],
            record["state_reason"], tuple(sorted(label["name"] for label in record["labels"])), record["html_url"],
        )  # fmt: skip


def _link(run: Mapping[str, Any]) -> str:
    """Return the address that a check run was given; GitHub puts its own page in the place of none."""
    return "" if run["details_url"] == run["html_url"] else str(run["details_url"])


def _output(output: Mapping[str, Any]) -> dict[str, str]:
    return {name: output[name] or "" for name in ("title", "summary", "text")}


@dataclass
class Noted:
    """All that one home was told."""

    pulls: dict[int, PullRequest] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)  # the newest issue of each key
    labels: dict[int, list[str]] = field(default_factory=dict)
    comments: dict[int, dict[str, str]] = field(default_factory=dict)
    reviews: dict[int, dict[str, Review]] = field(default_factory=dict)
    statuses: dict[str, dict[str, Status]] = field(default_factory=dict)
    reports: dict[str, dict[str, Report]] = field(default_factory=dict)


_HOMES: dict[str, Noted] = {}
_ONE_AT_A_TIME = threading.RLock()


class NotingForge(LocalForge):
    """The local forge, with people who read and close pull requests there as on GitHub, within this process."""

    shows = True

    @property
    def _noted(self) -> Noted:
        return _HOMES.setdefault(str(self._git.remote_path(self._remote) or self._remote), Noted())

    def _number(self) -> int:
        return len(self._noted.pulls) + len(self._noted.issues) + 1

    def open_pull(
        self, *, head: str, base: str, title: str, body: str, number: int = 0, after: int = 0, is_new: bool = False
    ) -> PullRequest:  # fmt: skip
        with _ONE_AT_A_TIME:
            for known in self._noted.pulls.values():
                if known.head == head and known.number > after:
                    return self.get_pull(known.number)
            number = self._number()
            pull = super().open_pull(
                head=head, base=base, title=title, body=cut(body, BODY_LIMIT), number=number
            )
            self._noted.pulls[number] = pull
        return pull

    def get_pull(self, number: int) -> PullRequest:
        with _ONE_AT_A_TIME:
            pull = self._noted.pulls.get(number)
            if pull is None:
                raise NotFound(f"there is no pull request {number}")
            if pull.state == "open":
                pull = replace(pull, head_sha=self.branch_head(pull.head) or pull.head_sha)
                pull = replace(pull, state=super().pull_state(number, head=pull.head_sha, base=pull.base))
                self._noted.pulls[number] = pull
        return pull

    def pull_state(self, number: int, *, head: str, base: str) -> PullState:
        return self.get_pull(number).state

    def edit_pull(
        self, number: int, *, title: str | None = None, body: str | None = None,
        labels: tuple[str, ...] | None = None, close: bool = False,
    ) -> PullState:  # fmt: skip
        pull = self.get_pull(number)
        pull = replace(pull, title=pull.title if title is None else title)
        pull = replace(pull, body=pull.body if body is None else cut(body, BODY_LIMIT))
        self._noted.pulls[number] = replace(pull, state="closed") if close and pull.state == "open" else pull
        if labels is not None:
            others = [name for name in self.labels(number) if not is_our_label(name)]
            self._noted.labels[number] = sorted({*others, *labels})
        return self._noted.pulls[number].state

    def labels(self, number: int) -> list[str]:
        return self._noted.labels.get(number, [])

    def _look(self, branch: str) -> None:
        """See what has become of a branch's pull requests before it moves on."""
        for pull in [pull for pull in self._noted.pulls.values() if pull.head == branch]:
            self.get_pull(pull.number)

    def push_branch(self, branch: str, sha: str) -> None:
        self._look(branch)
        super().push_branch(branch, sha)

    def replace_branch(self, branch: str, sha: str, *, ours: Any = ()) -> str | None:
        self._look(branch)
        return super().replace_branch(branch, sha, ours=ours)

    def delete_branch(self, branch: str, *, ours: Any = ()) -> str | None:
        self._look(branch)
        return super().delete_branch(branch, ours=ours)

    def land(self, branch: str, sha: str, expected: str | None) -> Literal["landed", "already", "moved"]:
        self._look(branch)
        return super().land(branch, sha, expected)

    def set_status(
        self, *, sha: str, context: str, state: StatusState, description: str, link: str = ""
    ) -> None:
        status = Status(context, state, cut(description, DESCRIPTION_LIMIT))
        self._noted.statuses.setdefault(sha, {})[context] = status

    def statuses(self, sha: str) -> list[Status]:
        return [status for _, status in sorted(self._noted.statuses.get(sha, {}).items())]

    def put_report(self, sha: str, report: Report, *, at: int | None = None, is_new: bool = False) -> int:
        fitting = replace(
            report, summary=cut(report.summary, REPORT_LIMIT), text=cut(report.text, REPORT_LIMIT)
        )
        self._noted.reports.setdefault(sha, {})[report.name] = fitting
        return 1 + sorted(self._noted.reports).index(sha)

    def reports(self, sha: str) -> list[Report]:
        return [report for _, report in sorted(self._noted.reports.get(sha, {}).items())]

    def _check(self, number: int) -> None:
        if number not in self._noted.issues:
            self.get_pull(number)

    def upsert_comment(self, number: int, key: str, body: str, *, at: int | None = None) -> None:
        self._check(number)
        self._noted.comments.setdefault(number, {})[key] = cut(body, BODY_LIMIT)

    def comments(self, number: int) -> list[Comment]:
        self._check(number)
        return [Comment(*each) for each in sorted(self._noted.comments.get(number, {}).items())]

    def review_pull(self, number: int, sha: str, review: Review, *, instead: str) -> None:
        self.get_pull(number)
        fitting = replace(review, body=cut(review.body, BODY_LIMIT))
        self._noted.reviews.setdefault(number, {}).setdefault(review.key, fitting)

    def reviews(self, number: int) -> list[Review]:
        return [review for _, review in sorted(self._noted.reviews.get(number, {}).items())]

    def upsert_issue(self, key: str, *, title: str, body: str, labels: tuple[str, ...]) -> tuple[int, str]:
        known = self._noted.issues.get(self._noted.keys.get(key, 0))
        if known is None or known.state == "closed":
            number = self._number()
            known = Issue(number, "", "", "open", None, tuple(sorted(labels)), f"local:issue/{number}")
        self._noted.keys[key] = known.number
        self._noted.issues[known.number] = replace(known, title=title, body=cut(body, BODY_LIMIT))
        return known.number, known.url

    def get_issue(self, number: int) -> Issue:
        if number not in self._noted.issues:
            raise NotFound(f"there is no issue {number}")
        return self._noted.issues[number]

    def close_issue(self, number: int, reason: CloseReason) -> None:
        issue = self.get_issue(number)
        if issue.state == "open":
            self._noted.issues[number] = replace(issue, state="closed", reason=reason)


def readable(forge: Forge) -> ReadableForge:
    """Return a forge as one that shows what is on it."""
    return cast(ReadableForge, forge)


def noting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is opened on a local remote be a forge that notes."""
    monkeypatch.setattr("bot.forge.choose.LocalForge", NotingForge)
