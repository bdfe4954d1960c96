"""One experiment on GitHub, each of its outgoing calls failing in each way: it ends as it would have.

Once by the loop in one process, and once as the three jobs of a workflow run, the dispatch of the next run included.
"""

from __future__ import annotations

import io
import itertools
import json
import re
import shutil
import types
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bot.agents.constants import changes_between
from bot.agents.protocol import Case, Question
from bot.commands.cli import main
from bot.config import CONFIG_PATH
from bot.forge import github as github_forge
from bot.forge import github_client
from bot.git import patience
from bot.github.workflows import WORKFLOW_PATH, caller
from bot.loop.context import open_context
from bot.loop.runner import Until, run_loop
from bot.rules.proposal import Opinion, Proposal, Remark
from bot.tell.display import PlainDisplay
from tests.bot.repositories import SCORE, TRAIN, git, make_repository
from tests.github.faults import Fault, Faults
from tests.github.server import GitHub, Repository, serve

KINDS = (Fault.before, Fault.after, Fault.bad_gateway, Fault.forbidden(retry_after=0), Fault.reset)
PERMISSIONS = dict.fromkeys(("actions", "contents", "pull-requests", "statuses", "issues", "checks"), "write")
ACTION = "nocturne-ci/nocturne@" + "1" * 40
PARTS = 3  # neighbours among the calls fail in different runs, since three failures in a row end a command
CONFIG = """\
evaluator:
  kind: command
  command: [python3, score.py]
  metric: {name: loss}
runner: test
"""
BETTER = TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.004")
# Where such a call had its effect, that is seen before it is repeated, and it is not.
LOOKED_FOR = re.compile(r"^POST .*(/git-receive-pack|/pulls|/comments|/reviews|/check-runs|/dispatches)$")
Call = tuple[str, str, int]  # method, path, and how many of these went before


@dataclass
class Failing:
    """Stands in the server's way: lets each call of `wanted` fail once as it says there, and notes the others.

    What is repeated after a failure is the same call again, so that a call has one name in all runs.
    """

    number: int
    wanted: dict[Call, Fault] = field(default_factory=dict)
    passed: list[Call] = field(default_factory=list)
    _seen: Counter[tuple[str, str]] = field(default_factory=Counter)

    def decide(self, method: str, path: str) -> Fault | None:
        """Say whether this call is to fail, and how."""
        plain = re.sub(
            r"[0-9a-f]{40}|(?<=comments/)\d+|(?<=check-runs/)\d+",
            "ID",
            path.replace(f"models-{self.number}", "models"),
        )
        call = (method, plain, self._seen[method, plain])
        fault = self.wanted.pop(call, None)
        if fault is None:
            self.passed.append(call)
        if fault is None or (fault.spares and LOOKED_FOR.search(f"{method} {path}")):
            self._seen[method, plain] += 1
        return fault


class Better:
    """A maker with one idea."""

    def propose(self, question: Question) -> Proposal | None:
        new = {"train.py": BETTER}
        changes = changes_between(question.files, new)
        return Proposal("Learn faster", "other", "Because.", "better", "low", new, changes, proposer="script")


class Remarking:
    """A checker that approves, with a remark on a line."""

    def review(self, case: Case) -> Opinion:
        return Opinion("approve", "Sound.", (Remark("train.py", 1, "Four times is much."),), "script")


def loop(
    top: Path, environ: Mapping[str, str], repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Do one experiment in one process."""
    context = open_context(top, None, PlainDisplay(io.StringIO()), environ, Better())
    run_loop(replace(context, reviewer=Remarking()), Until(experiments=1))


def jobs(
    top: Path, environ: Mapping[str, str], repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Do one experiment as the jobs of a workflow run do, each in a new clone, and start the next run."""
    handover = top.parent / f"{top.name}.json"
    reference = f"{repository.full_name}/{WORKFLOW_PATH}@refs/heads/main"
    for name, value in ({**environ, "GITHUB_WORKFLOW_REF": reference, "GITHUB_RUN_ID": "1"}).items():
        monkeypatch.setenv(name, value)
    for words in (
        ["propose", "--finish-first"],
        ["train", "1", "--handover", str(handover)],
        ["decide", "1", "--handover", str(handover)],
        ["next"],
    ):
        clone = top.parent / f"{top.name}-{words[0]}"
        git(top.parent, "clone", "--quiet", str(repository.path), str(clone))
        git(clone, "remote", "set-url", "origin", git(top, "remote", "get-url", "origin"))
        assert main([*words, "--repo", str(clone)]) == 0, words
        shutil.rmtree(clone)


WAYS = {"loop": loop, "jobs": jobs}


def play(
    folder: Path, github: GitHub, number: int, failing: Failing, monkeypatch: pytest.MonkeyPatch, way: str
) -> Any:
    """Run one experiment in a new repository, and return all that anybody can see of it."""
    repository = github.repository(f"octo/models-{number}", private=True, default_branch="main")
    token = github.token("github-actions[bot]", "workflow", repository, PERMISSIONS)
    workflow = caller(form="three", action=ACTION, campaign="main", labels=["gpu"], config=CONFIG_PATH)
    files = {"score.py": SCORE, WORKFLOW_PATH: workflow}
    top = make_repository(folder / f"repo-{number}", config=CONFIG, files=files, shared=True)
    git(top, "push", "--quiet", str(repository.path), "main")
    git(top, "remote", "add", "origin", f"{github.server_url}/{repository.full_name}.git")
    environ = {
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.server_url,
        "GITHUB_TOKEN": token,
    }
    meet = Faults.meet

    def first_decide(faults: Faults, method: str, path: str) -> Any:
        fault = failing.decide(method, path)
        if fault is not None:
            faults.at(0, fault)
        return meet(faults, method, path)

    monkeypatch.setattr(github.faults, "meet", types.MethodType(first_decide, github.faults))
    before = len(github.dispatches)
    WAYS[way](top, environ, repository, monkeypatch)
    return seen(repository) | {"dispatches": [each.inputs for each in github.dispatches[before:]]}


def seen(repository: Repository) -> dict[str, Any]:
    """Return what is the same in each run: all but times and names of commits."""
    contents = repository.contents
    names = git(repository.path, "ls-tree", "-r", "--name-only", "nocturne/ledger", "main/events/")
    texts = [git(repository.path, "show", f"nocturne/ledger:{name}") for name in names.splitlines()]
    events = [json.loads(line) for text in texts for line in text.splitlines()]
    return {
        "pulls": [
            (i.title, i.state, i.pull.merged is not None, sorted(i.labels)) for i in contents.issues.values() if i.pull
        ],
        "landed": git(repository.path, "rev-list", "--count", "nocturne/main"),
        "comments": sorted(each.body.partition("\n")[0] for each in contents.comments.values()),
        "reviews": sorted(each.body for each in contents.review_comments.values()),
        "statuses": sorted({each.context: each.state for each in contents.statuses}.items()),
        "reports": [(run.name, run.status, run.conclusion) for run in contents.check_runs.values()],
        "branches": sorted(ref for ref in contents.refs if ref.startswith("refs/heads/")),
        "ledger": [(e["kind"], e.get("experiment"), e.get("verdict"), e.get("score")) for e in events],
        "colours": sorted((label.name, label.color) for label in contents.labels.values()),
    }  # fmt: skip


def walk(folder: Path, monkeypatch: pytest.MonkeyPatch, way: str, turns: int) -> tuple[int, int]:
    """Let every call fail in `turns` ways, one after the other; return how many calls there are and how many failed."""
    monkeypatch.setattr(patience, "PAUSE", 0.0)
    # Where the answer to a push is lost, git asks once more, and meets the failure meant for its next command.
    monkeypatch.setattr(patience, "TRIES", 5)
    monkeypatch.setattr(github_client, "PAUSE", 0.0)
    monkeypatch.setattr(github_forge, "LAGS", (0.0, 0.0, 0.0, 0.0))
    with serve(folder / "github") as github:
        github.limits.workflow = 10**6
        clean = Failing(0)
        expected = play(folder, github, 0, clean, monkeypatch, way)
        # The experiment's, merged, and the promotion.
        assert [pull[1:3] for pull in expected["pulls"]] == [("closed", True), ("open", False)], expected
        calls, failed = clean.passed, 0
        for number, (turn, part) in enumerate(itertools.product(range(turns), range(PARTS)), start=1):
            ways = {call: KINDS[(place + turn) % len(KINDS)] for place, call in enumerate(calls)}
            # What GraphQL refuses is asked of REST instead (test_github_forge), and the same call never comes again.
            ways |= {c: KINDS[0] for c in calls if c[1] == "/graphql" and ways[c] not in KINDS[:3]}
            wanted = {call: ways[call] for call in calls[part::PARTS]}
            failing = Failing(number, dict(wanted))
            assert play(folder, github, number, failing, monkeypatch, way) == expected, (turn, part)
            assert failing.wanted == {}, (turn, part)
            failed += len(wanted)
        rest = sum("/repos/" in path for _, path, _ in calls)
        print(
            f"{way}: {len(calls)} calls of one experiment, {rest} of them REST; {failed} failures, nothing doubled"
        )
    return len(calls), failed


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    ("way", "turns"),
    [
        pytest.param("jobs", 1, marks=pytest.mark.long),
        *(pytest.param(way, len(KINDS), marks=pytest.mark.slow) for way in WAYS),
    ],
)
def test_every_call_of_an_experiment_may_fail_in_every_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, turns: int
) -> None:
    """In one turn each call fails in one of the ways, and each way is met by some calls; in all of them, in each."""
    calls, failed = walk(tmp_path, monkeypatch, way, turns)
    assert failed == turns * calls
