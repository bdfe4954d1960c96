"""Pull requests without GitHub: records in refs of the remote, read and written with nothing but git."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import quote, unquote

from bot.errors import UserError
from bot.forge import (
    BODY_LIMIT,
    DESCRIPTION_LIMIT,
    REPORT_LIMIT,
    CloseReason,
    Comment,
    Issue,
    LandResult,
    LineComment,
    NotFound,
    PullRequest,
    Report,
    Review,
    Status,
    StatusState,
    cut,
)
from bot.forge.branches import Branches
from bot.forge.labels import is_our_label
from bot.forge.local_issues import LocalIssues, issue_path
from bot.git import Git, RefUpdate
from bot.ledger.records import Records, Snapshot

REF = "refs/nocturne/forge"


class LocalForge:
    """The forge in a git remote: `pulls/000001.json`, its comments and heads, `statuses/<sha>/`, `reports/<sha>/`."""

    def __init__(self, git: Git, remote: str, on_note: Callable[[str], None] | None = None) -> None:
        """`on_note` hears what was repaired after a crash, as sentences for the human."""
        self._git = git
        self._remote = remote
        self._records = Records(git, remote, REF, on_note)
        self._branches = Branches(git, remote, self._head_of_pull)
        self._issues = LocalIssues(self._records)

    # Pull requests

    def open_pull(
        self, *, head: str, base: str, title: str, body: str, after: int = 0, is_new: bool = False
    ) -> PullRequest:
        """See `Forge.open_pull`; raises `UserError` if the remote has no branch `head`."""
        number = 0
        sha = ""

        def change(now: Snapshot) -> Mapping[str, bytes | None] | None:
            nonlocal number, sha
            known = now.read(_head_path(head))
            if known is not None and int(known) > after:
                number = int(known)
                return None
            sha = self.branch_head(head) or ""
            if not sha:
                raise UserError(f"the remote has no branch {head}: push it before its pull request")
            number = int(now.read("next") or b"1")
            record = {"title": title, "body": cut(body, BODY_LIMIT), "head": head, "base": base}
            return {
                _pull_path(number): _json(record | {"state": "open", "labels": [], "number": number}),
                _head_path(head): b"%d\n" % number,
                "next": b"%d\n" % (number + 1),
            }

        def heads(now: Snapshot) -> Sequence[RefUpdate]:
            return [RefUpdate(_pull_ref(number), sha, None)]

        snapshot = self._records.update(change, lambda: f"pull {number}: opened", also=heads)
        return self._pull(self._record(snapshot, number))

    def get_pull(self, number: int) -> PullRequest:
        """See `Forge.get_pull`."""
        return self._pull(self._load(lambda now: self._record(now, number)))

    def _latest_of(self, head: str) -> PullRequest | None:
        def find(now: Snapshot) -> dict[str, Any] | None:
            known = now.read(_head_path(head))
            return self._record(now, int(known)) if known is not None else None

        record = self._load(find)
        return self._pull(record) if record else None

    def edit_pull(
        self,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        labels: tuple[str, ...] | None = None,
        close: bool = False,
    ) -> PullRequest:
        """See `Forge.edit_pull`."""
        closed = close and self.get_pull(number).state != "merged"
        given = {
            "title": title,
            "body": None if body is None else cut(body, BODY_LIMIT),
            "state": "closed" if closed else None,
        }
        wanted = {name: value for name, value in given.items() if value is not None}
        return self._pull(self._change_pull(number, wanted, "edited", labels))

    def close_pull(self, number: int) -> PullRequest:
        """See `Forge.close_pull`."""
        pull = self.get_pull(number)
        if pull.state == "merged":
            return pull
        return self._pull(self._change_pull(number, {"state": "closed"}, "closed"))

    def closer(self, number: int) -> str:
        """See `Forge.closer`: nobody has a name here."""
        self._load(lambda now: self._record(now, number))
        return ""

    def fetch_pulls(self, numbers: Sequence[int]) -> None:
        """See `Forge.fetch_pulls`."""
        self._git.fetch(self._remote, [_pull_ref(number) for number in numbers])

    def _change_pull(
        self, number: int, wanted: Mapping[str, Any], done: str, labels: Sequence[str] | None = None
    ) -> dict[str, Any]:
        def change(now: Snapshot) -> Mapping[str, bytes | None] | None:
            record = self._record(now, number)
            changed = record | dict(wanted)
            if labels is not None:
                others = [name for name in record["labels"] if not is_our_label(name)]
                changed["labels"] = sorted({*others, *labels})
            return {_pull_path(number): _json(changed)} if changed != record else None

        return self._record(self._records.update(change, f"pull {number}: {done}"), number)

    def _record(self, now: Snapshot, number: int) -> dict[str, Any]:
        content = now.read(_pull_path(number))
        if content is None:
            raise NotFound(f"there is no pull request {number}")
        record: dict[str, Any] = json.loads(content)
        return record

    def _pull(self, record: Mapping[str, Any]) -> PullRequest:
        """Return the pull request of a record; its head, and whether it is merged, come from the refs."""
        number, state = int(record["number"]), record["state"]
        kept, base = _pull_ref(number), f"refs/heads/{record['base']}"
        there = self._git.fetch(self._remote, [kept, base])
        head_sha = there[kept]
        merged = state == "open" and base in there and self._git.is_ancestor(head_sha, there[base])
        return PullRequest(
            number=number,
            title=record["title"],
            body=record["body"],
            head=record["head"],
            head_sha=head_sha,
            base=record["base"],
            state="merged" if merged else state,
            labels=tuple(record["labels"]),
            merged_sha=head_sha if merged else None,
            url=f"local:pull/{number}",
        )

    # Statuses and comments

    def set_status(self, *, sha: str, context: str, state: StatusState, description: str) -> None:
        """See `Forge.set_status`."""
        content = _json({"state": state, "description": cut(description, DESCRIPTION_LIMIT)})
        self._write(
            f"{_status_folder(sha)}/{_quoted(context)}.json", content, f"{sha[:12]}: {context} is {state}"
        )

    def statuses(self, sha: str) -> list[Status]:
        """See `Forge.statuses`."""
        found = []
        for context, content in self._read_folder(_status_folder(sha), ".json").items():
            record = json.loads(content)
            found.append(Status(context, record["state"], record["description"], sha))
        return found

    def put_report(self, sha: str, report: Report, *, is_new: bool = False) -> bool:
        """See `Forge.put_report`."""
        kept = replace(report, summary=cut(report.summary, REPORT_LIMIT), text=cut(report.text, REPORT_LIMIT))
        path = f"{_report_folder(sha)}/{_quoted(report.name)}.json"
        self._write(path, _json(asdict(kept)), f"{sha[:12]}: report {report.name}")
        return True

    def reports(self, sha: str) -> list[Report]:
        """See `Forge.reports`."""
        return [
            Report(**json.loads(content))
            for content in self._read_folder(_report_folder(sha), ".json").values()
        ]

    def upsert_comment(self, number: int, key: str, body: str, *, at: int | None = None) -> None:
        """See `Forge.upsert_comment`. A comment is a file here, and has no number."""
        content = cut(body, BODY_LIMIT).encode(errors="replace")

        def change(now: Snapshot) -> Mapping[str, bytes | None] | None:
            path = f"{self._comment_folder(now, number)}/{_quoted(key)}.md"
            return {path: content} if now.read(path) != content else None

        self._records.update(change, f"{number}: comment {key}")

    def comments(self, number: int) -> list[Comment]:
        """See `Forge.comments`."""
        folder = self._load(lambda now: self._comment_folder(now, number))
        found = self._read_folder(folder, ".md")
        return [Comment(key, content.decode()) for key, content in found.items()]

    def review_pull(self, number: int, sha: str, review: Review, *, instead: str) -> None:
        """See `Forge.review_pull`; here every line can be commented on."""
        content = _json(asdict(replace(review, body=cut(review.body, BODY_LIMIT))) | {"commit": sha})

        def change(now: Snapshot) -> Mapping[str, bytes | None] | None:
            self._record(now, number)
            path = f"{_review_folder(number)}/{_quoted(review.key)}.json"
            return {path: content} if now.read(path) is None else None

        self._records.update(change, f"pull {number}: {review.key}")

    def reviews(self, number: int) -> list[Review]:
        """See `Forge.reviews`."""
        self._load(lambda now: self._record(now, number))
        found = [
            json.loads(content) for content in self._read_folder(_review_folder(number), ".json").values()
        ]
        return [
            Review(each["key"], each["body"], tuple(LineComment(**one) for one in each["comments"]))
            for each in found
        ]

    def _comment_folder(self, now: Snapshot, number: int) -> str:
        if now.read(issue_path(number)) is None:
            self._record(now, number)
            return f"pulls/{number:06d}/comments"
        return f"issues/{number:06d}/comments"

    def _write(self, path: str, content: bytes, message: str) -> None:
        def change(now: Snapshot) -> Mapping[str, bytes | None] | None:
            return {path: content} if now.read(path) != content else None

        self._records.update(change, message)

    def _read_folder(self, folder: str, suffix: str) -> dict[str, bytes]:
        """Return {unquoted name: content} of a folder's files, sorted by name."""

        def read(now: Snapshot) -> dict[str, bytes | None]:
            return now.read_many(now.list(folder))

        files = self._load(read)
        named = {unquote(path.rpartition("/")[2].removesuffix(suffix)): files[path] for path in files}
        return {name: content for name, content in sorted(named.items()) if content is not None}

    def _load(self, read: Callable[[Snapshot], Any]) -> Any:
        return self._records.read(read)

    def reviewed(self, pulls: Mapping[int, str]) -> dict[int, str]:
        """See `Forge.reviewed`: there are no reviews here."""
        return {}

    # Issues

    def upsert_issue(self, key: str, *, title: str, body: str, labels: tuple[str, ...]) -> Issue:
        """See `Forge.upsert_issue`."""
        return self._issues.upsert(key, title=title, body=body, labels=labels)

    def get_issue(self, number: int) -> Issue:
        """See `Forge.get_issue`."""
        return self._issues.get(number)

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
        if foreign is None:
            self._branches.move(branch, sha, forward_only=False)
        return foreign

    def delete_branch(self, branch: str, *, ours: Collection[str] = ()) -> str | None:
        """See `Forge.delete_branch`."""
        return self._branches.delete(branch, None, ours)

    def land(self, branch: str, sha: str, expected: str | None) -> LandResult:
        """See `Forge.land`."""
        return self._branches.land(branch, sha, expected)

    def _head_of_pull(self, branch: str) -> list[str]:
        """Return the ref that keeps the head of the branch's open pull request.

        As on GitHub, both move at once, and what is closed or merged stays as it was.
        """
        pull = self._latest_of(branch)
        return [_pull_ref(pull.number)] if pull is not None and pull.state == "open" else []


def _pull_path(number: int) -> str:
    return f"pulls/{number:06d}.json"


def _review_folder(number: int) -> str:
    return f"pulls/{number:06d}/reviews"


def _status_folder(sha: str) -> str:
    return f"statuses/{sha[:2]}/{sha}"


def _report_folder(sha: str) -> str:
    return f"reports/{sha[:2]}/{sha}"


def _head_path(head: str) -> str:
    return f"heads/{_quoted(head)}"


def _pull_ref(number: int) -> str:
    return f"refs/nocturne/pull/{number}/head"


def _quoted(name: str) -> str:
    """Return `name` as the name of one file."""
    text = quote(name, safe=" ")
    return text.replace(".", "%2E", 1) if text.startswith(".") else text


def _json(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, indent=1).encode() + b"\n"
