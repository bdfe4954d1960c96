"""What is done to an experiment's pull request by hand, as events of the workflow of commands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from bot.commands.cli import main
from bot.github.event import handling_of
from bot.github.hand import why_left_alone
from tests.remarks.conftest import DISCARDED, MERGED, Night, Speech


@dataclass
class Hand:
    """Does something to an experiment's pull request, and has the workflow's job run."""

    night: Night
    speech: Speech
    said: str = ""

    def payload(self, action: str, experiment: int, by: str, **more: Any) -> dict[str, Any]:
        night = self.night
        return {
            "action": action,
            "pull_request": night.rest("octo", "GET", f"/pulls/{night.pull_of(experiment)}"),
            "sender": night.rest("octo", "GET", f"/collaborators/{by}/permission")["user"],
            "repository": night.rest("octo", "GET", ""),
            **more,
        }

    def hear(self, payload: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
        """Do what the workflow's job does; return what its log says."""
        event = self.night.folder / "hand.json"
        event.write_text(json.dumps(payload))
        for key, value in self.night.environ(event).items():
            self.speech.monkeypatch.setenv(key, value)
        name = "pull_request_review" if "review" in payload else "pull_request"
        self.speech.monkeypatch.setenv("GITHUB_EVENT_NAME", name)
        capsys.readouterr()
        self.night.github.calls.clear()
        assert main(["answer", "--repo", str(self.night.top)]) == 0
        return capsys.readouterr().out.strip()

    def comments(self, experiment: int) -> list[str]:
        number = self.night.pull_of(experiment)
        return [
            each.body for each in self.night.repository.contents.comments.values() if each.issue == number
        ]


@pytest.fixture
def hand(night: Night, speech: Speech) -> Hand:
    return Hand(night, speech)


def reopen(hand: Hand, by: str) -> None:
    """Restore the branch and open the pull request again, as GitHub's two buttons do."""
    night, number = hand.night, hand.night.pull_of(DISCARDED)
    head = night.rest("octo", "GET", f"/pulls/{number}")["head"]
    night.rest("alice", "POST", "/git/refs", {"ref": f"refs/heads/{head['ref']}", "sha": head["sha"]})
    night.rest(by, "PATCH", f"/pulls/{number}", {"state": "open"})


def test_reopening_is_a_retry_heard_once(hand: Hand, capsys: pytest.CaptureFixture[str]) -> None:
    reopen(hand, "alice")
    payload = hand.payload("reopened", DISCARDED, "alice")
    assert "is tried again" in hand.hear(payload, capsys)
    assert "nothing new" in hand.hear(payload, capsys)
    (given,) = hand.night.events("command_given")
    assert (given["command"], given["experiment"]) == ("retry", DISCARDED)
    assert given["source"].startswith("reopened:")
    assert sum("alice opened this again" in body for body in hand.comments(DISCARDED)) == 1


@pytest.mark.parametrize("by", ["tom", "rita"])
def test_of_others_nothing_is_heard(hand: Hand, by: str, capsys: pytest.CaptureFixture[str]) -> None:
    if by == "tom":  # who may triage may reopen
        reopen(hand, by)
    before = hand.comments(DISCARDED)
    assert "has no permission to write" in hand.hear(hand.payload("reopened", DISCARDED, by), capsys)
    assert [call.method for call in hand.night.github.calls] == ["GET"]
    assert not hand.night.events("command_given") and hand.comments(DISCARDED) == before


def test_a_review_counts_as_read_at_once(hand: Hand, capsys: pytest.CaptureFixture[str]) -> None:
    number = hand.night.pull_of(MERGED)
    # A review as old as the merge is the checker's own: people take longer.
    issue = hand.night.repository.pull(number)
    made = hand.night.rest("alice", "POST", f"/pulls/{number}/reviews", {"event": "COMMENT", "body": "Read."})
    issue.updated = issue.updated.replace(year=issue.updated.year + 1)
    payload = hand.payload("submitted", MERGED, "alice", review=made)
    assert "counts as read" in hand.hear(payload, capsys)
    (read,) = hand.night.events("experiment_read")
    assert read["experiment"] == MERGED


def test_a_label_of_ours_is_answered_and_an_edit_kept(hand: Hand, capsys: pytest.CaptureFixture[str]) -> None:
    hand.night.rest(
        "alice", "POST", f"/issues/{hand.night.pull_of(MERGED)}/labels", {"labels": ["nocturne:rejected"]}
    )
    label = {"label": {"name": "nocturne:rejected"}}
    assert "answered" in hand.hear(hand.payload("labeled", MERGED, "alice", **label), capsys)
    (said,) = [body for body in hand.comments(MERGED) if "says what was measured" in body]
    assert "`/nocturne revert`" in said and not hand.night.events("command_given")
    assert "kept as they are" in hand.hear(hand.payload("edited", MERGED, "alice"), capsys)


def test_what_is_passed_over_by_itself(hand: Hand) -> None:
    payload = hand.payload("closed", DISCARDED, "alice")
    assert why_left_alone(handling_of(payload)) is None
    bot = {**payload, "sender": {**payload["sender"], "type": "Bot"}}
    assert why_left_alone(handling_of(bot)) == "no person did it"
    head = {**payload["pull_request"]["head"], "repo": None}
    fork = {**payload, "pull_request": {**payload["pull_request"], "head": head}}
    assert "another repository" in (why_left_alone(handling_of(fork)) or "")
    assert "none of ours" in (
        why_left_alone(handling_of({**payload, "action": "labeled", "label": {"name": "x"}})) or ""
    )
    assert "says nothing to us" in (why_left_alone(handling_of({**payload, "action": "opened"})) or "")
