"""Each command's effect on the ledger, and its reply; and who is not heard."""

from __future__ import annotations

import pytest

from bot.commands.cli import main
from bot.github.event import comment_of
from tests.bot.repositories import git
from tests.families import few
from tests.remarks.conftest import DISCARDED, MERGED, NAME, Night, Speech, verdict_of


def writes(night: Night) -> list[str]:
    """Return what was written to GitHub since the comment was."""
    rest = [f"{call.method} {call.path}" for call in night.github.calls if call.method != "GET"]
    return rest + [call.path for call in night.github.git_calls if call.path.endswith("git-receive-pack")]


def test_the_event_is_as_github_sends_it(night: Night, speech: Speech) -> None:
    webhooks = pytest.importorskip("githubkit.webhooks", exc_type=ImportError)
    on_pull = speech.write("/nocturne status", on=night.pull_of(MERGED)).payload
    on_issue = speech.write("/nocturne status", on=night.issue()).payload
    for payload in (on_pull, on_issue):
        assert webhooks.parse_obj("issue_comment", payload).action == "created"
    assert comment_of(on_pull).on_pull and not comment_of(on_issue).on_pull
    assert comment_of(on_issue).repository == NAME and comment_of(on_issue).default_branch == "main"


def test_status(night: Night, speech: Speech) -> None:
    for place in (night.issue(), night.pull_of(DISCARDED)):
        said = speech.say("/nocturne status", on=place)
        assert said.reactions == ["eyes", "+1"] and len(said.answers) == 1 and said.commands == []
        (answer,) = said.answers
        assert answer.startswith("> `/nocturne status`\n\n**Campaign main**: **loss ")
        assert "better by" in answer and "| Experiments | " in answer
        assert f"[{MERGED}]({night.github.server_url}/{NAME}/pull/{night.pull_of(MERGED)})" in answer
        assert "improved" in answer and verdict_of(night, DISCARDED) in answer
        assert not any(path.endswith("git-receive-pack") for path in writes(night))


def test_pause_stop_and_resume(night: Night, speech: Speech) -> None:
    place = night.issue()
    paused = speech.say("/nocturne pause\n\nThe machine is needed.", on=place)
    assert paused.commands == [("pause", None)] and "**Paused.**" in paused.answers[0]
    assert "paused" in speech.say("/nocturne status", on=place).answers[0]
    stopped = speech.say("/nocturne stop", on=night.pull_of(MERGED))
    assert stopped.commands == [("stop", None)] and "**Stopped.**" in stopped.answers[0]
    assert night.github.dispatches == []
    resumed = speech.say("/nocturne resume", on=place)
    assert resumed.commands == [("resume", None)] and "The loop goes on." in resumed.answers[0]
    assert [(d.workflow, d.ref, d.inputs["campaign"]) for d in night.github.dispatches] == [
        (".github/workflows/nocturne.yml", "main", "main")
    ]
    assert [e["number"] for e in night.events("command_given")] == [1, 2, 3]


def test_resume_where_the_workflow_cannot_be_started(night: Night, speech: Speech) -> None:
    known = night.github.tokens[night.token]
    speech.monkeypatch.delitem(known.permissions, "actions")
    said = speech.say("/nocturne resume", on=night.issue())
    assert said.commands == [("resume", None)] and said.reactions == ["eyes", "+1"]
    assert "has to be started by hand" in said.answers[0] and "actions: write" in said.answers[0]


def test_revert_on_the_pull_request_and_by_number(night: Night, speech: Speech) -> None:
    said = speech.say("/nocturne revert", on=night.pull_of(MERGED))
    assert said.commands == [("revert", MERGED)] and said.reactions == ["eyes", "+1"]
    assert f"takes experiment {MERGED} out again" in said.answers[0]
    again = speech.say(f"/nocturne revert {MERGED}", on=night.issue())
    assert again.commands == [] and again.reactions == ["eyes", "confused"]
    assert "already" in again.answers[0]


@pytest.mark.long
def test_a_revert_is_done_by_the_next_experiment(night: Night, speech: Speech) -> None:
    assert speech.say(f"/nocturne revert {MERGED}", on=night.issue()).reactions == ["eyes", "+1"]
    speech.say("/nocturne resume", on=night.issue())
    claimed = len(night.events("experiment_claimed"))
    with_statuses = night.github.token(
        "github-actions[bot]", "workflow", night.repository, dict.fromkeys(("contents", "pull-requests"), "write")
        | {"statuses": "write"},
    )  # fmt: skip
    speech.monkeypatch.setenv("GITHUB_TOKEN", with_statuses)
    assert main(["propose", "--repo", str(night.top)]) == 0
    assert [e["reverts"] for e in night.events("experiment_claimed")[claimed:]] == [MERGED]


@pytest.mark.parametrize(
    ("body", "told"),
    few(
        [
            ("/nocturne revert", "needs the number"),
            (f"/nocturne revert {DISCARDED}", "was not merged"),
            ("/nocturne revert 77", "no experiment 77"),
            ("/nocturne explain", "needs the number"),
            ("/nocturne dance @octocat", "I don't know"),
            ("/nocturne pause for a while", "takes nothing more"),
        ],
        2,
    ),
)
def test_what_cannot_be_done(night: Night, speech: Speech, body: str, told: str) -> None:
    said = speech.say(body, on=night.issue())
    assert said.reactions == ["eyes", "confused"] and said.commands == []
    assert len(said.answers) == 1 and told in said.answers[0] and "@o" not in said.answers[0]
    assert night.events("command_given") == []


def test_another_experiments_number_on_a_pull_request(night: Night, speech: Speech) -> None:
    said = speech.say(f"/nocturne revert {MERGED}", on=night.pull_of(DISCARDED))
    assert said.commands == [] and f"the pull request of experiment {DISCARDED}" in said.answers[0]


def test_explain(night: Night, speech: Speech) -> None:
    merged = speech.say("/nocturne explain", on=night.pull_of(MERGED))
    assert merged.reactions == ["eyes", "+1"]
    landed = night.events("experiment_landed")[0]["commit"]
    for part in (f"Experiment {MERGED}: ", "**improved**", f"merged as `{landed[:12]}`", "scatter by about"):
        assert part in merged.answers[0], part
    discarded = speech.say(f"/nocturne explain {DISCARDED}", on=night.issue())
    for part in (f"Experiment {DISCARDED}: ", f"**{verdict_of(night, DISCARDED)}**", "is closed"):
        assert part in discarded.answers[0], part


def test_help(night: Night, speech: Speech) -> None:
    said = speech.say("/nocturne help", on=night.issue())
    assert said.reactions == ["eyes", "+1"] and "| `/nocturne explain` |" in said.answers[0]


def test_one_who_maintains_and_the_owner_are_heard(night: Night, speech: Speech) -> None:
    for login in ("mona", "octo"):
        assert speech.say("/nocturne pause", on=night.issue(), by=login).commands == [("pause", None)]


@pytest.mark.parametrize("login", few(["rita", "tom", "mallory"], 4))
@pytest.mark.parametrize("body", ["/nocturne stop", "/nocturne status", "/nocturne dance"])
def test_strangers_and_readers_are_not_heard(
    night: Night, speech: Speech, login: str, body: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = speech.say(body, on=night.pull_of(MERGED), by=login)
    assert writes(night) == [] and night.github.git_calls == []
    assert [(call.method, call.path) for call in night.github.calls] == [
        ("GET", f"/repos/{NAME}/collaborators/{login}/permission")
    ]
    assert said.reactions == [] and said.answers == []
    told = capsys.readouterr()
    assert told.out.count("\n") == 1 and "no permission to write" in told.out and told.err == ""


@pytest.mark.parametrize("what", ["edited", "deleted", "bot", "account gone", "other first word"])
def test_bots_and_old_comments_are_not_heard(night: Night, speech: Speech, what: str) -> None:
    body = "/nocturnes stop" if what == "other first word" else "/nocturne stop"
    payload = speech.write(body, on=night.issue()).payload
    if what in ("edited", "deleted"):
        payload["action"] = what
    if what == "bot":
        payload["comment"]["user"] |= {"login": "github-actions[bot]", "type": "Bot"}
    if what == "account gone":
        payload["comment"]["user"] = payload["sender"] = None
    said = speech.of(payload)
    assert speech.answer(said) == 0
    assert night.github.calls == [] and night.github.git_calls == []
    assert said.reactions == [] and night.events("command_given") == []


def test_a_login_that_has_a_new_owner_is_not_heard(night: Night, speech: Speech) -> None:
    payload = speech.write("/nocturne stop", on=night.issue()).payload
    payload["comment"]["user"]["id"] += 1
    said = speech.of(payload)
    assert speech.answer(said) == 0
    assert writes(night) == [] and said.commands == []


def test_one_who_lost_the_permission_is_not_heard(night: Night, speech: Speech) -> None:
    said = speech.write("/nocturne stop", on=night.issue())
    night.repository.collaborator("alice", "read")
    try:
        assert speech.answer(said) == 0
        assert writes(night) == []
    finally:
        night.repository.collaborator("alice", "write")


def test_a_comment_that_is_gone_asks_for_nothing(night: Night, speech: Speech) -> None:
    said = speech.write("/nocturne stop", on=night.issue())
    del night.repository.contents.comments[said.comment.id]
    assert speech.answer(said) == 0
    assert said.answers == [] and night.events("command_given") == []


def test_a_fork_s_pull_request_is_no_experiment(night: Night, speech: Speech) -> None:
    fork = night.github.fork(night.repository, "mallory")
    at = git(fork.path, "rev-parse", "main")
    who = ("-c", "user.name=M", "-c", "user.email=m@example.org")
    tree = git(fork.path, "rev-parse", "main^{tree}")
    commit = git(fork.path, *who, "commit-tree", tree, "-p", at, "-m", "Evil")
    git(fork.path, "update-ref", "refs/heads/nocturne/exp/main/2", commit)
    fork.sync()
    opened = {"title": "x", "head": "mallory:nocturne/exp/main/2", "base": "main"}
    number = night.rest("mallory", "POST", "/pulls", opened)["number"]
    said = speech.say("/nocturne revert", on=number)
    assert said.commands == [] and "needs the number" in said.answers[0]


def test_outside_of_a_workflow(
    night: Night, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in ("GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH"):
        monkeypatch.delenv(key, raising=False)
    assert main(["answer", "--repo", str(night.top)]) == 2
    assert capsys.readouterr().err.startswith("nocturne: `nocturne answer` does what a comment")
    monkeypatch.setenv("GITHUB_EVENT_NAME", "issue_comment")
    for text in ("{", "[]", '{"action": "created"}'):
        event = night.folder / "broken.json"
        event.write_text(text)
        monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))
        assert main(["answer", "--repo", str(night.top)]) == 2
        assert "GITHUB_EVENT_PATH" in capsys.readouterr().err


def test_a_comment_of_another_repository_is_refused(night: Night, speech: Speech) -> None:
    payload = speech.write("/nocturne stop", on=night.issue()).payload
    payload["repository"]["full_name"] = "octo/other"
    assert speech.answer(speech.of(payload)) == 2
    assert night.github.calls == []
