"""Ideas from labelled issues and from comments: who is heard, what is kept, what is said, what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from bot.commands.cli import main
from bot.forge import github_client
from bot.forge.labels import LABEL_IDEA
from bot.git import patience
from bot.github.event import labelling_of
from bot.github.parse import Asked, NotUnderstood, parse
from bot.github.workflows import commands_caller
from tests.github.faults import Fault
from tests.github.records import Issue
from tests.remarks.conftest import ACTION, MERGED, NAME, PERMISSIONS, Night, Speech
from tests.remarks.test_answer import writes

KINDS = (Fault.before, Fault.after, Fault.bad_gateway, Fault.forbidden(retry_after=0), Fault.reset)


@dataclass
class Context:
    """Labels issues as people do, and has the workflow's job run."""

    night: Night
    speech: Speech
    monkeypatch: pytest.MonkeyPatch
    events: int = 0

    def open(self, title: str, body: str | None = None, by: str = "alice") -> int:
        return int(self.night.rest(by, "POST", "/issues", {"title": title, "body": body})["number"])

    def event(self, action: str, number: int, by: str, label: str = LABEL_IDEA) -> dict[str, Any]:
        """Do it on GitHub, and return what its webhook tells."""
        night = self.night
        if action == "labeled":
            night.rest(by, "POST", f"/issues/{number}/labels", {"labels": [label]})
        elif action == "unlabeled":
            night.rest(by, "DELETE", f"/issues/{number}/labels/{label}")
        else:
            night.rest(by, "PATCH", f"/issues/{number}", {"state": "closed"})
        issue = night.rest("octo", "GET", f"/issues/{number}")
        # The server's clock is finer than what it shows, and these tests are quicker than people.
        self.events += 1
        issue["updated_at"] = f"2026-03-08T21:00:{self.events:02}Z"
        sender = night.rest("octo", "GET", f"/collaborators/{by}/permission")["user"]
        repository = night.rest("octo", "GET", "")
        known = next(each for each in night.rest("octo", "GET", "/labels") if each["name"] == label)
        about = {"label": known} if action != "closed" else {}
        return {"action": action, "issue": issue, "sender": sender, "repository": repository, **about}

    def hear(self, payload: dict[str, Any]) -> int:
        """Do what the workflow's job does; return the exit code."""
        event = self.night.folder / "issues-event.json"
        event.write_text(json.dumps(payload))
        for key, value in (self.night.environ(event) | {"GITHUB_EVENT_NAME": "issues"}).items():
            self.monkeypatch.setenv(key, value)
        self.night.github.calls.clear()
        self.night.github.git_calls.clear()
        return main(["answer", "--repo", str(self.night.top)])

    def label(self, number: int, by: str = "alice", label: str = LABEL_IDEA) -> dict[str, Any]:
        payload = self.event("labeled", number, by, label)
        assert self.hear(payload) == 0
        return payload

    def iterate(self) -> None:
        """One experiment, by a job of its own."""
        token = self.night.github.token(
            "github-actions[bot]", "workflow", self.night.repository, PERMISSIONS | {"statuses": "write"}
        )
        self.monkeypatch.setenv("GITHUB_TOKEN", token)
        assert main(["iterate", "--repo", str(self.night.top)]) == 0

    def issue(self, number: int) -> Issue:
        return self.night.repository.contents.issues[number]

    def told(self, number: int) -> list[str]:
        """Our comments on an issue, without their marks."""
        comments = self.night.repository.contents.comments.values()
        return [
            each.body.partition("\n")[2]
            for each in comments
            if each.issue == number and each.body.startswith("<!-- nocturne:idea main")
        ]

    def given(self) -> list[dict[str, Any]]:
        return self.night.events("idea_given")


@pytest.fixture
def context(night: Night, speech: Speech, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    yield Context(night, speech, monkeypatch)


# What is heard


def test_the_event_is_as_github_sends_it(context: Context) -> None:
    webhooks = pytest.importorskip("githubkit.webhooks", exc_type=ImportError)
    number = context.open("LEARNING_RATE = 0.004")
    for action in ("labeled", "unlabeled", "closed"):
        payload = context.event(action, number, "alice")
        assert webhooks.parse_obj("issues", payload).action == action
        told = labelling_of(payload)
        assert (told.issue, told.action, told.by_person, told.repository) == (number, action, True, NAME)
        assert told.label == ("" if action == "closed" else LABEL_IDEA)


def test_an_idea_is_kept_as_it_stood_when_it_was_labelled(context: Context) -> None:
    number = context.open("Learn faster", "LEARNING_RATE = 0.004\x1b[31m")
    payload = context.event("labeled", number, "alice")
    context.night.rest("octo", "PATCH", f"/issues/{number}", {"body": "LEARNING_RATE = 4"})
    assert context.hear(payload) == 0
    (idea,) = context.given()
    assert idea["text"] == "Learn faster\n\nLEARNING_RATE = 0.004"
    assert (idea["issue"], idea["giver"], idea["labelled"], idea["number"]) == (number, "alice", True, 1)
    (said,) = context.told(number)
    assert said.startswith("**Idea 1 is noted as it stands here now.**")
    assert context.hear(payload) == 0  # the job is run again
    assert len(context.given()) == 1 and len(context.told(number)) == 1


@pytest.mark.long
def test_an_edit_counts_when_it_is_labelled_anew(context: Context) -> None:
    number = context.open("LEARNING_RATE = 0.004")
    first = context.label(number)
    context.night.rest("alice", "PATCH", f"/issues/{number}", {"title": "LEARNING_RATE = 0.005"})
    assert context.hear(context.event("unlabeled", number, "alice")) == 0
    context.label(number)
    assert context.hear(first) == 0  # a job that was late
    assert [idea["text"] for idea in context.given()] == ["LEARNING_RATE = 0.004", "LEARNING_RATE = 0.005"]
    context.iterate()
    proposals = [(e["idea"], e["changes"][0]["new"]) for e in context.night.events("experiment_proposed")]
    assert proposals[2:] == [(2, "0.005")]


@pytest.mark.parametrize("login", ["rita", "tom", "mallory"])
def test_who_may_not_write_gives_no_idea(context: Context, login: str) -> None:
    number = context.open("LEARNING_RATE = 0.004")
    payload = context.event("labeled", number, "alice")
    payload["sender"] = {"login": login, "id": context.night.github.user(login).id, "type": "User"}
    assert context.hear(payload) == 0
    assert writes(context.night) == [] and context.night.github.git_calls == [] and context.given() == []
    assert context.told(number) == []


@pytest.mark.parametrize(
    "what", ["bot", "another label", "opened", "closed without the label", "another one's id"]
)
def test_what_is_no_idea(context: Context, what: str) -> None:
    number = context.open("LEARNING_RATE = 0.004")
    payload = context.event("labeled", number, "alice")
    if what == "bot":
        payload["sender"] |= {"login": "github-actions[bot]", "type": "Bot"}
    if what == "another label":
        payload["label"]["name"] = "bug"
    if what == "opened":
        payload["action"] = "opened"
    if what == "closed without the label":
        payload |= {"action": "closed", "issue": payload["issue"] | {"labels": []}}
    if what == "another one's id":
        payload["sender"]["id"] += 1
    assert context.hear(payload) == 0
    assert writes(context.night) == [] and context.given() == [] and context.night.github.git_calls == []


@pytest.mark.parametrize("action", ["unlabeled", pytest.param("closed", marks=pytest.mark.long)])
@pytest.mark.long
def test_an_idea_is_taken_back(context: Context, action: str, capsys: pytest.CaptureFixture[str]) -> None:
    number = context.open("LEARNING_RATE = 0.004")
    context.label(number)
    assert context.hear(context.event(action, number, "tom" if action == "unlabeled" else "octo")) == 0
    assert "taken back" in capsys.readouterr().out
    context.iterate()
    assert context.night.events("experiment_proposed")[-1]["idea"] is None
    assert len(context.told(number)) == 1 and len(context.night.events("idea_withdrawn")) == 1


# In comments


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("/nocturne idea DEPTH = 6", "DEPTH = 6"),
        ("/nocturne IDEA  DEPTH = 6\n\nand LR = 1\n", "DEPTH = 6\n\nand LR = 1\n"),
        ("/nocturne idea\nDEPTH = 6", "DEPTH = 6"),
        ("/nocturne idea", ""),
    ],
)
def test_how_a_comment_s_idea_is_read(body: str, text: str) -> None:
    assert parse(body) == Asked("idea", text=text)
    assert isinstance(parse("/nocturne ideas x"), NotUnderstood)


@pytest.mark.long
def test_an_idea_in_a_comment(context: Context) -> None:
    place = context.open("Shall we learn faster?")
    said = context.speech.say("/nocturne idea LEARNING_RATE = 0.004\nIt may help.", on=place)
    assert said.reactions == ["eyes", "+1"] and "Idea 1 is noted" in said.answers[0]
    assert context.speech.answer(said) == 0  # the job is run again
    (idea,) = context.given()
    assert (idea["text"], idea["issue"], idea["labelled"]) == (
        "LEARNING_RATE = 0.004\nIt may help.",
        place,
        False,
    )
    context.iterate()
    assert context.night.events("experiment_proposed")[-1]["idea"] == 1
    assert context.issue(place).state == "open"
    (told,) = context.told(place)
    assert told.startswith("**Idea 1 was tried: ")
    assert "confused" in context.speech.say("/nocturne idea", on=place).reactions


def test_a_stranger_s_comment_is_no_idea(context: Context) -> None:
    said = context.speech.say(
        "/nocturne idea LEARNING_RATE = 0.004", on=context.night.pull_of(MERGED), by="mallory"
    )
    assert writes(context.night) == [] and said.answers == [] and context.given() == []


# What becomes of it


def test_an_idea_is_tried_linked_answered_and_closed(context: Context) -> None:
    winner = context.open("Smaller batches", "Set BATCH_SIZE to 16, **@octocat** <b>")
    loser = context.open("BATCH_SIZE = 512")
    for number in (winner, loser):
        context.label(number)
    for _ in range(2):
        before = len(context.night.github.calls)
        context.iterate()
        assert len(context.night.github.calls) - before <= 25
    proposals = context.night.events("experiment_proposed")[2:]
    assert [event["idea"] for event in proposals] == [1, 2]
    for idea, issue, reason, verdict in (
        (1, winner, "completed", "improved"),
        (2, loser, "not_planned", "discarded"),
    ):
        number = proposals[idea - 1]["experiment"]
        pull = context.issue(context.night.pull_of(number))
        assert f"It follows idea {idea} from #{issue} by alice: " in (pull.body or "")
        assert "@octocat" not in (pull.body or "") and "<b>" not in (pull.body or "")
        (said,) = context.told(issue)
        for part in (
            f"**Idea {idea} was tried: {verdict}.**",
            "Measured: ",
            "What it teaches: ",
            f"/pull/{pull.number})",
        ):
            assert part in said, part
        assert (context.issue(issue).state, context.issue(issue).reason) == ("closed", reason)
    explained = context.speech.say("/nocturne explain", on=context.night.pull_of(proposals[0]["experiment"]))
    assert f"It follows idea 1 from #{winner}" in explained.answers[0]


@pytest.mark.long
def test_an_idea_that_nobody_can_read_is_told_once_and_waits(context: Context) -> None:
    number = context.open("Use a better optimizer")
    context.label(number)
    for _ in range(2):
        context.iterate()
    (said,) = context.told(number)
    assert said.startswith("**Idea 1 waits.**") and "`LEARNING_RATE = 0.004`" in said
    assert context.issue(number).state == "open" and len(context.night.events("idea_passed")) == 1
    assert [event["idea"] for event in context.night.events("experiment_proposed")[2:]] == [None, None]


@pytest.mark.long
def test_an_issue_that_is_gone_holds_nothing_up(context: Context) -> None:
    number = context.open("BATCH_SIZE = 512")
    context.label(number)
    del context.night.repository.contents.issues[number]
    finished = len(context.night.events("experiment_finished"))
    context.iterate()
    assert len(context.night.events("experiment_finished")) == finished + 1


@pytest.mark.long
def test_a_token_that_may_not_close_issues_holds_nothing_up(context: Context) -> None:
    number = context.open("BATCH_SIZE = 512")
    context.label(number)
    context.monkeypatch.setitem(PERMISSIONS, "issues", "read")
    finished = len(context.night.events("experiment_finished"))
    context.iterate()
    assert len(context.night.events("experiment_finished")) == finished + 1
    assert context.issue(number).state == "open"


# Failures


@pytest.fixture
def hasty(context: Context) -> Context:
    """A job that gives up at the first failure, so that it is the next one that mends."""
    context.monkeypatch.setattr(github_client, "TRIES", 1)
    context.monkeypatch.setattr(patience, "TRIES", 1)
    return context


def labelled(context: Context) -> dict[str, Any]:
    context.night.put_back()
    return context.event("labeled", context.open("BATCH_SIZE = 512"), "alice")


@pytest.mark.long
def test_a_job_may_die_at_any_call(hasty: Context) -> None:
    faults = hasty.night.github.faults
    payload = labelled(hasty)
    before = faults.count
    assert hasty.hear(payload) == 0
    calls, died = faults.count - before, 0
    for index in range(calls):
        payload = labelled(hasty)
        faults.at(index, KINDS[index % len(KINDS)])
        died += hasty.hear(payload) != 0
        assert faults.pending == 0
        assert hasty.hear(payload) == 0
        assert len(hasty.given()) == 1 and len(hasty.told(payload["issue"]["number"])) == 1, index
    print(f"{calls} failures, {died} jobs died, nothing doubled")
    assert calls >= 6 and died >= 4


@pytest.mark.long
@pytest.mark.parametrize(
    ("call", "kind"),
    [
        pytest.param("comment", Fault.before, marks=pytest.mark.slow),
        pytest.param("comment", Fault.after, marks=pytest.mark.long),
        pytest.param("close", Fault.before, marks=pytest.mark.slow),
        ("close", Fault.after),
    ],
    ids=["comment before", "comment after", "close before", "close after"],
)
def test_a_job_that_dies_over_the_outcome_is_made_good(hasty: Context, call: str, kind: Fault) -> None:
    payload = labelled(hasty)
    assert hasty.hear(payload) == 0
    number = payload["issue"]["number"]
    token = hasty.night.github.token(
        "github-actions[bot]", "workflow", hasty.night.repository, PERMISSIONS | {"statuses": "write"}
    )
    hasty.monkeypatch.setenv("GITHUB_TOKEN", token)
    path = f"/issues/{number}$"
    if call == "comment":
        (comment,) = (c.id for c in hasty.night.repository.contents.comments.values() if c.issue == number)
        path = f"/issues/comments/{comment}$"
    hasty.night.github.faults.next("PATCH", path, kind)
    assert main(["iterate", "--repo", str(hasty.night.top)]) == 2
    assert main(["iterate", "--repo", str(hasty.night.top)]) == 0
    (said,) = hasty.told(number)
    assert "was tried: discarded" in said
    assert (hasty.issue(number).state, hasty.issue(number).reason) == ("closed", "not_planned")
    closings = [
        e for e in hasty.night.repository.contents.events if e.issue == number and e.event == "closed"
    ]
    assert len(closings) == 1 and len(hasty.night.events("experiment_proposed")) == 3


# The workflow


def test_the_workflow_listens_to_labels() -> None:
    workflow = yaml.safe_load(commands_caller(ACTION))
    triggers = workflow[True]  # YAML 1.1 reads `on` so
    assert triggers["issues"] == {"types": ["labeled", "unlabeled", "closed"]}
    condition = workflow["jobs"]["answer"]["if"]
    assert condition.count(f"'{LABEL_IDEA}'") == 2 and "github.event.label.name" in condition
    assert "pull_request_target" not in triggers
    assert "github.run_id" in workflow["concurrency"]["group"]
