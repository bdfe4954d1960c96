"""A campaign on GitHub by the command line: what others see of it, what it costs, and what stays secret."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.bot.repositories import CONFIG, SCORE, TRAIN, git, make_repository, nocturne
from tests.github.server import GitHub, Repository, serve

EXPERIMENTS = 2  # the first is discarded, the second merged
PERMISSIONS = dict.fromkeys(("contents", "pull-requests", "statuses", "issues", "checks"), "write")
REQUIRED = tuple(f"nocturne/{name}" for name in ("scope", "review", "train", "score", "report"))
START = TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.003").replace('"gelu"  #', '"relu2"  #')
# The task itself looks whether a credential reaches it.
WATCHFUL = SCORE + "assert not any('ghs_' in value for value in os.environ.values()), 'a token in the jail'\n"
# Every command line of git, in the place of git.
SPY = '#!/bin/sh\nprintf "%s\\n" "$*" >> "$(dirname "$0")/commands"\nexec {git} "$@"\n'


class Night:
    """A campaign that was run to its end, and what it left everywhere."""

    def __init__(self, folder: Path, github: GitHub) -> None:
        self.github = github
        self.repository: Repository = github.repository("octo/models", private=True, default_branch="main")
        # Nothing lands that these are not said of, and said well.
        self.repository.required = {"nocturne/main": REQUIRED}
        self.token = github.token(
            "github-actions[bot]", kind="workflow", repository=self.repository, permissions=PERMISSIONS
        )
        self.top = make_repository(
            folder / "repo",
            config=CONFIG + "seed: 1\n",
            files={"score.py": WATCHFUL, "train.py": START},
            shared=True,
        )
        git(self.top, "push", "--quiet", str(self.repository.path), "main")
        git(self.top, "remote", "add", "origin", f"{github.server_url}/octo/models.git")
        self.spy = folder / "spy"
        self.spy.mkdir()
        (self.spy / "git").write_text(SPY.format(git=shutil.which("git")))
        (self.spy / "git").chmod(0o755)
        self.said = self.run("run", "-n", str(EXPERIMENTS))
        self.calls = list(github.calls)

    def run(self, *words: str) -> str:
        environ = {
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_SERVER_URL": self.github.server_url,
            "GITHUB_REPOSITORY": "octo/models",
            "GITHUB_TOKEN": self.token,
            "PATH": f"{self.spy}{os.pathsep}{os.environ['PATH']}",
        }
        done = nocturne(self.top, *words, env=environ, process=True)  # as everywhere, and with the real jail
        return done.stdout + done.stderr

    def events(self, kind: str) -> list[dict[str, object]]:
        names = git(self.repository.path, "ls-tree", "-r", "--name-only", "nocturne/ledger", "main/events/")
        texts = [git(self.repository.path, "show", f"nocturne/ledger:{name}") for name in names.splitlines()]
        found = [json.loads(line) for text in texts for line in text.splitlines()]
        return [event for event in found if event["kind"] == kind]


@pytest.mark.long
def test_a_night_on_github(tmp_path: Path) -> None:
    with serve(tmp_path / "github") as github:
        night = Night(tmp_path, github)
        check_that_pull_requests_tell_the_verdicts(night)
        check_what_it_costs(night)
        check_that_the_token_is_nowhere(night)
        check_that_looking_is_cheap(night)
        night.repository.required.clear()
        night.run("uninstall", "--remote", "--yes")
        assert (
            git(night.repository.path, "for-each-ref", "--format=%(refname)", "refs/heads")
            == "refs/heads/main"
        )


def check_that_pull_requests_tell_the_verdicts(night: Night) -> None:
    decided = {event["experiment"]: event for event in night.events("experiment_decided")}
    opened = {event["experiment"]: event["pull"] for event in night.events("pull_opened")}
    landed = {event["experiment"]: event["commit"] for event in night.events("experiment_landed")}
    assert len(decided) == len(opened) == EXPERIMENTS and list(landed) == [2]
    contents = night.repository.contents
    for number, pull_number in opened.items():
        issue = night.repository.pull(int(str(pull_number)))
        assert issue.pull is not None
        assert issue.state == "closed"
        assert (issue.pull.merged is not None) == (number in landed), number
        if number in landed:
            assert issue.pull.merged_sha == issue.pull.head_sha == landed[number]
        assert f"nocturne:{decided[number]['verdict']}" in issue.labels
        told = {
            status.context: status.state for status in contents.statuses if status.sha == issue.pull.head_sha
        }
        # They are said of what lands on a branch that requires them, and of nothing else.
        names = ("scope", "review", "train", "score") if number in landed else ()
        assert told == {f"nocturne/{name}": "success" for name in names}
        (report,) = [run for run in contents.check_runs.values() if run.sha == issue.pull.head_sha]
        assert (report.name, report.status) == ("nocturne/report", "completed")
        assert report.conclusion == ("success" if number in landed else "neutral")
        assert str(decided[number]["verdict"]) in report.output["title"]
        assert "### Verdict" in report.output["summary"] and "### Runs" in report.output["text"]
    (promoted,) = night.events("promotion_opened")
    promotion = night.repository.pull(int(str(promoted["pull"])))
    assert promotion.pull is not None and promotion.pull.base == "main" and promotion.state == "open"
    assert promotion.pull.head_sha == landed[2] and "1 self-reported change" in promotion.title
    assert set(promotion.labels) == {"nocturne", "nocturne:promotion"}
    heads = [ref for ref in contents.refs if ref.startswith("refs/heads/")]
    assert sorted(heads) == ["refs/heads/main", "refs/heads/nocturne/ledger", "refs/heads/nocturne/main"]
    assert not any(ref.startswith("refs/nocturne/") for ref in contents.refs)


def check_what_it_costs(night: Night) -> None:
    assert [call for call in night.calls if call.status is None or call.status >= 400] == []
    print(
        f"{len(night.calls)} REST calls for {EXPERIMENTS} experiments, {len(night.github.git_calls)} of git"
    )
    print(Counter(call.method for call in night.calls))
    # Merged or not, an experiment takes 4, its promotion 1; the branch requires 4 statuses more of what lands.
    # The first promotion, the labels' colours, and the look at reviews at the end are once in a campaign.
    once = [call for call in night.calls if "/labels" in call.path or call.method == "GET"]
    print(f"{len(once)} of them once in a campaign")
    assert len(once) <= 6 and len(night.calls) - len(once) <= 4 * EXPERIMENTS + 4 + 2
    assert len(night.github.queries) <= 2 * EXPERIMENTS + 1
    assert len(night.github.git_calls) <= 55 * EXPERIMENTS


def check_that_the_token_is_nowhere(night: Night) -> None:
    login = base64.b64encode(f"x-access-token:{night.token}".encode()).decode()
    secrets = (night.token, login)

    def tells(text: str | bytes) -> bool:
        data = text.encode() if isinstance(text, str) else text
        return any(secret.encode() in data for secret in secrets)

    commands = (night.spy / "commands").read_text()
    assert commands.count("\n") > 40 and not tells(commands) and not tells(night.said)
    folder = night.top.parent
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 100
    assert [path for path in files if tells(path.read_bytes())] == []
    for event in night.events("run_finished"):
        assert event["failure"] is None, event
    listed = git(night.repository.path, "rev-list", "--objects", "--no-object-names", "--all").split()
    assert len(listed) > 30
    assert not any(tells(git(night.repository.path, "cat-file", "-p", name)) for name in listed)
    assert not any(tells(str(call.body)) for call in night.calls)


def check_that_looking_is_cheap(night: Night) -> None:
    before = len(night.github.calls)
    night.run("status")
    assert night.run("show", "1").count("nocturne:") >= 1
    assert len(night.github.calls) - before <= 4  # the pull request, its statuses, its comments
