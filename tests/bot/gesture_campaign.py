"""A campaign on the GitHub on loopback in which people do by hand what they can, at the worst moments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.agents.constants import changes_between, rewrite
from bot.agents.protocol import Question
from bot.forge import Report
from bot.forge.github_client import GitHubClient
from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from bot.rules.proposal import Proposal
from tests.bot.campaigns import NOW
from tests.bot.repositories import git
from tests.bot.scripted import Loop
from tests.bot.test_promotion import Home, on_github
from tests.github.records import Issue, Role

ROLES: dict[str, Role] = {"alice": "write", "tom": "triage", "rita": "read"}
Act = Callable[["Humans", Experiment], None]


@dataclass
class Row:
    """One gesture: who did what when, on which experiment, and what came of it."""

    who: str
    gesture: str
    moment: str
    experiment: int
    came: str = ""
    heard: bool = False


@dataclass
class Humans:
    """People at the repository, and the loop that they disturb."""

    home: Home
    loop: Loop
    rows: list[Row] = field(default_factory=list)
    clients: dict[str, GitHubClient] = field(default_factory=dict)

    @property
    def contents(self) -> Any:
        assert self.home.github is not None
        return self.home.github.repository("octo/models").contents

    def does(self, who: str, gesture: str, moment: str, experiment: Experiment) -> Row:
        self.rows.append(Row(who, gesture, moment, experiment.number))
        return self.rows[-1]

    def rest(self, who: str, method: Any, path: str, body: Any = None) -> Any:
        github = self.home.github
        assert github is not None
        if who not in self.clients:
            token = github.token(who, kind="pat")
            self.clients[who] = GitHubClient(token=token, api_url=github.api_url, repository="octo/models")
        return self.clients[who].request(method, path, body)

    def pull(self, experiment: Experiment) -> Issue:
        assert experiment.pull is not None
        found: Issue = self.contents.issues[experiment.pull.pull]
        return found

    def close(self, who: str, experiment: Experiment) -> None:
        self.rest(who, "PATCH", f"/pulls/{self.pull(experiment).number}", {"state": "closed"})

    def delete_branch(self, who: str, experiment: Experiment) -> None:
        assert experiment.pull is not None
        self.rest(who, "DELETE", f"/git/refs/heads/{experiment.pull.branch}")

    def reopen(self, who: str, experiment: Experiment) -> None:
        """Restore the branch, as GitHub's button does, and open the pull request again."""
        assert experiment.pull is not None and experiment.candidate is not None
        ref = {"ref": f"refs/heads/{experiment.pull.branch}", "sha": experiment.candidate.commit}
        self.rest("alice", "POST", "/git/refs", ref)
        self.rest(who, "PATCH", f"/pulls/{self.pull(experiment).number}", {"state": "open"})

    def label(self, who: str, experiment: Experiment, name: str) -> None:
        self.rest(who, "POST", f"/issues/{self.pull(experiment).number}/labels", {"labels": [name]})

    def push(self, experiment: Experiment, constant: str, value: str) -> None:
        """Push a commit of alice's onto the experiment's branch."""
        assert (
            experiment.pull is not None and experiment.candidate is not None and self.home.github is not None
        )
        here, repository = self.loop.context.git, self.home.github.repository("octo/models")
        parent = experiment.candidate.commit
        text = rewrite((here.read_blob(parent, "train.py") or b"").decode(), {constant: value})
        said, author = f"Set {constant} to {value} by hand", "Alice Liddell <alice@example.org>"
        commit = here.commit_files(parent, {"train.py": text.encode()}, said, NOW, author)
        git(
            self.home.top,
            "push",
            "--quiet",
            str(repository.path),
            f"{commit}:refs/heads/{experiment.pull.branch}",
        )
        repository.sync(self.home.github.users["alice"])

    def comments(self, experiment: Experiment) -> str:
        number = self.pull(experiment).number
        return "\n".join(each.body for each in self.contents.comments.values() if each.issue == number)


class Values:
    """Proposes one set of constants after the other, and lets people act while it thinks."""

    def __init__(self, values: list[dict[str, str]], thinking: Callable[[int], None]) -> None:
        self.values, self.thinking = iter(values), thinking

    def propose(self, question: Question) -> Proposal | None:
        self.thinking(question.number)
        wanted = next(self.values, None)
        if wanted is None:
            return None
        new = {"train.py": rewrite(question.files["train.py"], wanted)}
        said = " and ".join(f"{name} {value}" for name, value in wanted.items())
        changes = changes_between(question.files, new)
        return Proposal(f"Set {said}", "other", "Because.", "better", "low", new, changes, proposer="script")


@dataclass
class Moments:
    """What is done when: by the place of a proposal among the proposer's own, from 1 on."""

    thinking: dict[int, Callable[[Humans], None]] = field(default_factory=dict)
    training: dict[int, Act] = field(default_factory=dict)
    scored: dict[int, Act] = field(default_factory=dict)
    landing: dict[int, Act] = field(default_factory=dict)


@contextmanager
def at_work(folder: Path, values: list[dict[str, str]], moments: Moments) -> Iterator[Humans]:
    """A campaign that has begun on GitHub, whose loop lets people act at these moments."""
    with pytest.MonkeyPatch.context() as patch, on_github(folder, patch) as home:
        patch.setattr("bot.forge.github_client.WRITES_A_MINUTE", 10**6)
        assert home.github is not None
        repository = home.github.repository("octo/models")
        for login, role in ROLES.items():
            repository.collaborator(login, role)
        home.github.limits.workflow = 10**6
        humans = Humans(home, Loop(home.top, [], home.environ))
        context, place, done = humans.loop.context, 0, set[tuple[str, int]]()

        def thinking(_: int) -> None:
            nonlocal place
            place += 1
            if place in moments.thinking:
                moments.thinking[place](humans)

        object.__setattr__(context, "proposer", Values(values, thinking))

        def meet(moment: str, acts: dict[int, Act]) -> None:
            """Act once at a moment of the proposer's own experiment of this place."""
            mine = context.ledger.known().experiments.get(max(context.ledger.known().experiments, default=0))
            own = mine is not None and mine.proposal is not None and mine.proposal.proposer == "script"
            if own and mine is not None and place in acts and (moment, place) not in done:
                done.add((moment, place))
                acts[place](humans, mine)

        begin, state, land = context.display.run_started, context.forge.put_report, context.forge.land

        def run_started(*, title: str, replicate: int, seed: int) -> None:
            if not title.startswith(("incumbent", "reference")):
                meet("training", moments.training)
            begin(title=title, replicate=replicate, seed=seed)

        def put_report(sha: str, report: Report, **more: Any) -> int | None:
            if report.conclusion is not None:
                meet("scored", moments.scored)
            return state(sha, report, **more)

        def landing(*words: Any) -> Any:
            meet("landing", moments.landing)
            return land(*words)

        context.display.run_started = run_started  # type: ignore[method-assign]
        context.forge.put_report = put_report  # type: ignore[method-assign]
        context.forge.land = landing  # type: ignore[method-assign, assignment]
        yield humans


def of_own(campaign: Campaign, place: int) -> Experiment:
    """Return the proposer's own experiment of this place."""
    own = [e for e in campaign.experiments.values() if e.proposal and e.proposal.proposer == "script"]
    return own[place - 1]
