"""What every forge must do. A module that collects these gives a fixture `world`; see `World`."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone

import pytest

from bot.errors import UserError
from bot.forge import (
    BODY_LIMIT,
    DESCRIPTION_LIMIT,
    REPORT_LIMIT,
    Comment,
    LineComment,
    NotFound,
    Report,
    Review,
)
from bot.git import Git
from tests.bot.forge_readers import Issue, ReadableForge, Status

WHEN = datetime(2026, 3, 1, tzinfo=timezone.utc)
BASE = "nocturne/main"


@dataclass(frozen=True)
class World:
    """A repository, a forge for it, and `again`: one more forge on the same home, as on another machine."""

    git: Git
    forge: ReadableForge
    again: Callable[[], ReadableForge]

    def commit(self, parent: str | None, content: str) -> str:
        return self.git.commit_files(parent, {"train.py": content.encode()}, content, WHEN)

    def start(self, base: str = BASE, head: str = "nocturne/exp-1") -> tuple[str, str]:
        """Push a base branch and one ahead of it; return their commits."""
        first = self.commit(None, "first")
        second = self.commit(first, f"second on {head}")
        if self.forge.branch_head(base) is None:
            self.forge.push_branch(base, first)
        self.forge.push_branch(head, second)
        return first, second


EXP = "nocturne/exp-1"


def open_one(world: World) -> int:
    world.start()
    return world.forge.open_pull(head=EXP, base=BASE, title="Try it", body="Because.").number


def test_open_get_find(world: World) -> None:
    _, second = world.start()
    pull = world.forge.open_pull(head=EXP, base=BASE, title="Try ünïcödé", body="Because.\n\n| a | b |")
    assert (pull.title, pull.body) == ("Try ünïcödé", "Because.\n\n| a | b |")
    assert (pull.head, pull.head_sha, pull.base, pull.state) == (EXP, second, BASE, "open")
    assert world.forge.labels(pull.number) == [] and pull.url
    assert world.forge.get_pull(pull.number) == world.again().get_pull(pull.number) == pull


def test_open_twice_is_one(world: World) -> None:
    number = open_one(world)
    again = world.again().open_pull(head=EXP, base=BASE, title="Other", body="Other")
    assert (again.number, again.title) == (number, "Try it")
    world.forge.edit_pull(number, close=True)
    closed = world.again().open_pull(head=EXP, base=BASE, title="Other", body="Other")
    assert (closed.number, closed.state) == (number, "closed")


def test_open_needs_its_branch(world: World) -> None:
    world.start()
    with pytest.raises(UserError, match="nocturne/nowhere"):
        world.forge.open_pull(head="nocturne/nowhere", base=BASE, title="t", body="b")


def test_numbers_are_unique_when_opened_at_once(world: World) -> None:
    heads = [f"nocturne/exp-{number}" for number in range(4)]
    for head in heads:
        world.start(head=head)
    forges = [world.again() for _ in (*heads, *heads)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        jobs = [
            pool.submit(forge.open_pull, head=head, base=BASE, title=head, body="")
            for forge, head in zip(forges, [*heads, *heads], strict=True)
        ]
        pulls = [job.result(timeout=60) for job in jobs]
    numbers = {head: {pull.number for pull in pulls if pull.head == head} for head in heads}
    assert all(len(found) == 1 for found in numbers.values())
    assert len(set.union(*numbers.values())) == 4
    assert all(pull.title == pull.head for pull in pulls)


def test_edit_changes_what_is_given(world: World) -> None:
    number = open_one(world)
    ours = ("nocturne", "nocturne:improved")
    assert world.forge.edit_pull(number, labels=ours[::-1]) == "open"
    assert world.again().labels(number) == list(ours)
    world.forge.edit_pull(number, body="New")
    edited = world.forge.get_pull(number)
    assert (edited.title, edited.body, world.forge.labels(number)) == ("Try it", "New", list(ours))
    world.again().edit_pull(number, title="T", labels=())
    assert world.forge.get_pull(number).title == "T" and world.forge.labels(number) == []


def test_labels_of_others_stay(world: World) -> None:
    number = open_one(world)
    world.forge.edit_pull(number, labels=("nocturne", "nocturne:lost", "keep", "nocturnes"))
    world.again().edit_pull(number, labels=("nocturne", "nocturne:improved"))
    assert world.forge.labels(number) == ["keep", "nocturne", "nocturne:improved", "nocturnes"]
    world.forge.edit_pull(number, labels=())
    assert world.again().labels(number) == ["keep", "nocturnes"]


def test_edit_and_close_at_once(world: World) -> None:
    first, _ = world.start()
    number = open_one(world)
    for forge in (world.forge, world.again()):
        assert forge.edit_pull(number, body="Over", labels=("nocturne",), close=True) == "closed"
        assert forge.get_pull(number).body == "Over" and forge.labels(number) == ["nocturne"]
    world.start(head="nocturne/exp-2")
    other = world.forge.open_pull(head="nocturne/exp-2", base=BASE, title="t", body="b")
    assert world.forge.land(BASE, other.head_sha, first) == "landed"
    assert world.forge.edit_pull(other.number, body="In", close=True) == "merged"


def test_one_that_is_new_is_not_looked_for_and_still_is_one(world: World) -> None:
    world.start()
    pulls = [
        world.forge.open_pull(head=EXP, base=BASE, title="t", body="b", is_new=True).number for _ in range(2)
    ]
    assert pulls[0] == pulls[1] == world.again().open_pull(head=EXP, base=BASE, title="o", body="").number


def test_reports_are_written_in_place(world: World) -> None:
    first, second = world.start()
    report = Report("nocturne/report", "success", "improved: 0.97", "**improved** ü", "| a |\n| --- |\n| 1 |")
    assert world.forge.reports(second) == []
    begun = Report(
        "nocturne/report", None, "training next", "soon", link="https://example.org/o/r/actions/runs/7"
    )
    at = world.forge.put_report(second, begun, is_new=True)
    assert at is not None and world.again().reports(second) == [begun]
    report = replace(report, link=begun.link)
    for forge, new in ((world.forge, True), (world.forge, True), (world.again(), False)):
        assert forge.put_report(second, report, at=None if new else at, is_new=new) == at
    assert world.again().reports(second) == [report] and world.forge.reports(first) == []
    other = replace(report, conclusion="failure", title="rejected", text="t" * (REPORT_LIMIT + 9))
    assert world.again().put_report(second, other) == at
    (kept,) = world.forge.reports(second)
    assert (kept.conclusion, kept.title, kept.summary) == ("failure", "rejected", report.summary)
    assert len(kept.text) == REPORT_LIMIT and kept.text.endswith("t…")


def test_long_texts_are_cut(world: World) -> None:
    _, second = world.start()
    pull = world.forge.open_pull(head=EXP, base=BASE, title="t", body="é" * (BODY_LIMIT + 1))
    assert BODY_LIMIT - 100 <= len(pull.body) <= BODY_LIMIT  # a forge may sign its texts
    assert pull.body.endswith("é…")
    world.forge.edit_pull(pull.number, body="x" * BODY_LIMIT)
    assert BODY_LIMIT - 100 <= len(world.forge.get_pull(pull.number).body) <= BODY_LIMIT
    world.forge.set_status(sha=second, context="score", state="success", description="d" * 500)
    (status,) = world.forge.statuses(second)
    assert len(status.description) == DESCRIPTION_LIMIT and status.description.endswith("d…")
    world.forge.upsert_comment(pull.number, "long", "c" * (BODY_LIMIT + 9))
    (comment,) = world.forge.comments(pull.number)
    assert BODY_LIMIT - 100 <= len(comment.body) <= BODY_LIMIT  # a forge may mark its comments
    assert comment.body.endswith("c…")


def test_close_and_find_after_its_branch_is_gone(world: World) -> None:
    _, second = world.start()
    number = world.forge.open_pull(head=EXP, base=BASE, title="t", body="b").number
    assert world.forge.edit_pull(number, close=True) == "closed"
    assert world.forge.edit_pull(number, close=True) == "closed"
    world.forge.delete_branch(EXP)
    world.forge.delete_branch(EXP)
    assert world.forge.branch_head(EXP) is None
    found = world.again().get_pull(number)
    assert (found.number, found.state, found.head_sha) == (number, "closed", second)


def test_landing_merges_the_pull_request(world: World) -> None:
    first, second = world.start()
    number = world.forge.open_pull(head=EXP, base=BASE, title="t", body="b").number
    assert world.forge.land(BASE, second, first) == "landed"
    assert world.forge.branch_head(BASE) == second  # exactly that commit
    assert world.again().land(BASE, second, first) == "already"
    world.forge.delete_branch(EXP)
    assert world.forge.pull_state(number, head=second, base=BASE) == "merged"
    assert world.forge.get_pull(number).state == "merged"
    assert world.forge.edit_pull(number, close=True) == "merged"
    third = world.commit(second, "third")
    assert world.forge.land(BASE, third, second) == "landed"
    assert world.forge.land(BASE, second, first) == "already"
    assert world.forge.get_pull(number).state == "merged"


def test_landing_never_forces(world: World) -> None:
    first, second = world.start()
    other = world.commit(first, "other")
    assert world.forge.land(BASE, other, first) == "landed"
    assert world.forge.land(BASE, second, first) == "moved"
    assert world.forge.land(BASE, second, other) == "moved"  # no fast-forward
    assert world.forge.branch_head(BASE) == other


def test_statuses(world: World) -> None:
    _, second = world.start()
    assert world.forge.statuses(second) == []
    for state, text in (("pending", "running"), ("success", "0.98"), ("success", "0.98")):
        world.forge.set_status(sha=second, context="nocturne/score", state=state, description=text)  # type: ignore[arg-type]
    world.forge.set_status(sha=second, context="nocturne/a b", state="error", description="")
    assert world.again().statuses(second) == [
        Status("nocturne/a b", "error", ""),
        Status("nocturne/score", "success", "0.98"),
    ]


def test_comments_are_updated_in_place(world: World) -> None:
    number = open_one(world)
    assert world.forge.comments(number) == []
    world.forge.upsert_comment(number, "review", "looking")
    world.forge.upsert_comment(number, "verdict/1", "improved")
    world.again().upsert_comment(number, "review", "fine <b>ü</b>\n")
    assert world.forge.comments(number) == [
        Comment("review", "fine <b>ü</b>\n"),
        Comment("verdict/1", "improved"),
    ]


def test_a_review_is_written_once_and_stays(world: World) -> None:
    _, second = world.start()
    number = world.forge.open_pull(head=EXP, base=BASE, title="t", body="b").number
    assert world.forge.reviews(number) == []
    first = Review("review/1", "Not **yet** ü", (LineComment("train.py", 1, "too <b>far</b>"),))
    other = Review("review/2", "é" * (BODY_LIMIT + 9))
    for forge in (world.forge, world.forge, world.again()):
        forge.review_pull(number, second, first, instead="in words")
        forge.review_pull(number, second, replace(first, body="another"), instead="in other words")
    world.again().review_pull(number, second, other, instead=other.body)
    found = world.again().reviews(number)
    assert found[0] == first and found == world.forge.reviews(number)
    assert found[1].key == "review/2" and found[1].comments == () and found[1].body.endswith("é…")
    assert world.forge.comments(number) == [] and world.forge.get_pull(number).state == "open"


def test_unknown_numbers(world: World) -> None:
    world.start()
    for use in (
        lambda: world.forge.get_pull(99),
        lambda: world.forge.edit_pull(99, title="t"),
        lambda: world.forge.edit_pull(99, close=True),
        lambda: world.forge.pull_state(99, head="1" * 40, base=BASE),
        lambda: world.forge.comments(99),
        lambda: world.forge.upsert_comment(99, "k", "b"),
        lambda: world.forge.review_pull(99, "1" * 40, Review("k", "b"), instead="b"),
    ):
        with pytest.raises(NotFound):
            use()


def test_branches_go_forward_and_ours_may_be_replaced(world: World) -> None:
    first, second = world.start()
    world.forge.push_branch(EXP, second)
    side = world.commit(first, "side")
    with pytest.raises(UserError, match=EXP):
        world.forge.push_branch(EXP, side)
    number = world.forge.open_pull(head=EXP, base=BASE, title="t", body="b").number
    world.forge.replace_branch(EXP, side)
    world.forge.replace_branch(EXP, side)
    assert world.again().branch_head(EXP) == side
    pull = world.forge.get_pull(number)
    assert (pull.head_sha, pull.state) == (side, "open")
    third = world.commit(side, "third")
    world.forge.push_branch(EXP, third)
    assert world.forge.get_pull(number).head_sha == third
    world.forge.replace_branch("nocturne/new", first)
    assert world.forge.branch_head("nocturne/new") == first


def test_what_is_not_ours_stays_on_our_branches(world: World) -> None:
    first, second = world.start()
    number = world.forge.open_pull(head=EXP, base=BASE, title="t", body="b").number
    mine = world.commit(second, "by a human")
    world.forge.push_branch(EXP, mine)
    side = world.commit(first, "side")
    assert world.forge.replace_branch(EXP, side, ours=(second, side)) == mine
    assert world.forge.delete_branch(EXP, ours=(second, side)) == mine
    assert world.again().branch_head(EXP) == mine
    assert world.forge.replace_branch(EXP, side, ours=(second, mine)) is None
    assert world.again().branch_head(EXP) == side
    world.forge.edit_pull(number, close=True)
    assert isinstance(world.forge.deeds(number), list)
    assert world.forge.delete_branch(EXP, ours=(second, side)) is None
    assert world.forge.delete_branch(EXP, ours=(second, side)) is None
    assert world.forge.branch_head(EXP) is None


def said(world: World, key: str, body: str, title: str = "A human, please") -> Issue:
    number, url = world.forge.upsert_issue(key, title=title, body=body, labels=("nocturne:needs-human",))
    issue = world.forge.get_issue(number)
    assert issue.url == url
    return issue


def test_an_issue_is_opened_once_and_kept_up_to_date(world: World) -> None:
    first = said(world, "needs-human main", "It crashed <b>ü</b>.\n")
    assert (first.title, first.body, first.state) == ("A human, please", "It crashed <b>ü</b>.\n", "open")
    assert first.labels == ("nocturne:needs-human",) and first.reason is None and first.url
    assert said(world, "needs-human main", first.body) == first
    number, _ = world.again().upsert_issue(
        "needs-human main", title="T", body="No GPU-hours.", labels=first.labels
    )
    again = world.again().get_issue(number)
    assert (again.number, again.title, again.body) == (first.number, "T", "No GPU-hours.")
    other = said(world, "needs-human other", "It crashed.")
    assert other.number != first.number


def test_after_a_closed_issue_comes_another_one(world: World) -> None:
    first = said(world, "needs-human main", "It crashed.")
    for _ in range(2):
        world.forge.close_issue(first.number, "completed")
    closed = world.again().get_issue(first.number)
    assert (closed.state, closed.reason) == ("closed", "completed")
    second = said(world, "needs-human main", "It crashed again.")
    assert second.number != first.number and second.state == "open"
    world.forge.close_issue(second.number, "not_planned")
    assert world.forge.get_issue(second.number).reason == "not_planned"
    assert world.forge.get_issue(first.number).body == "It crashed."


def test_issues_and_pull_requests_share_their_numbers_and_have_comments(world: World) -> None:
    issue, pull = said(world, "needs-human main", "It crashed."), open_one(world)
    assert issue.number != pull
    world.forge.upsert_comment(issue.number, "mended", "thanks")
    world.again().upsert_comment(issue.number, "mended", "many thanks")
    world.forge.upsert_comment(pull, "mended", "not this one")
    assert world.forge.comments(issue.number) == [Comment("mended", "many thanks")]
    assert world.again().comments(pull) == [Comment("mended", "not this one")]
    with pytest.raises(NotFound):
        world.forge.close_issue(99, "completed")


def test_a_long_issue_is_cut(world: World) -> None:
    issue = said(world, "needs-human main", "é" * (BODY_LIMIT + 9))
    assert BODY_LIMIT - 100 <= len(issue.body) <= BODY_LIMIT and issue.body.endswith("é…")
