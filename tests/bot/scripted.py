"""Loops within the test's own process, whose proposer sets the constants that it is told to.

`python -m tests.bot.scripted REPOSITORY` is such a loop in a process of its own, until the campaign ends.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from bot.agents.constants import changes_between, rewrite
from bot.agents.protocol import Question
from bot.loop.context import Context, open_context
from bot.loop.runner import Until, run_loop
from bot.rules import events as ev
from bot.rules.campaign import Campaign
from bot.rules.proposal import Proposal
from bot.rules.schedule import run_id
from bot.rules.stopping import Stop
from bot.tell.display import PlainDisplay
from tests.bot.repositories import events

# On the formula task: two changes that win on neighbouring constants, one on the same again, one that loses.
WINS = ({"LEARNING_RATE": "0.002"}, {"LEARNING_RATE": "0.004"}, {"BATCH_SIZE": "32"}, {"BATCH_SIZE": "16"})
LOSS = {"BATCH_SIZE": "128"}
WHEN = datetime(2026, 3, 1, tzinfo=timezone.utc)


class Scripted:
    """Proposes the constants of `script` for experiments 1, 2, 3, ... and has then nothing left to try."""

    def __init__(self, script: Sequence[Mapping[str, str]]) -> None:
        self.script = script

    def propose(self, question: Question) -> Proposal | None:
        if question.number > len(self.script):
            return None
        wanted = self.script[question.number - 1]
        new = {"train.py": rewrite(question.files["train.py"], wanted)}
        said = " and ".join(f"{name} {value}" for name, value in wanted.items())
        changes = changes_between(question.files, new)
        return Proposal(f"Set {said}", "other", "Because.", "better", "low", new, changes, proposer="script")


class Loop:
    """One loop on the repository at `top`, and all that it said."""

    def __init__(
        self,
        top: Path,
        script: Sequence[Mapping[str, str]] = WINS,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.top = top
        self.out = io.StringIO()
        self.context: Context = open_context(
            top, None, PlainDisplay(self.out), environ or {}, Scripted(script)
        )

    def run(self, experiments: int | None = 1, *, is_the_end: bool = False) -> Stop:
        return run_loop(self.context, Until(experiments, is_the_end=is_the_end))

    @property
    def campaign(self) -> Campaign:
        return self.context.ledger.refresh()

    @property
    def said(self) -> str:
        return self.out.getvalue()


def recorded(folder: Path, kind: type[ev.Event], ref: str = "nocturne/ledger") -> list[ev.Event]:
    """Return the ledger's events of one kind, as git holds them."""
    found = [ev.from_json(record).event for record in events(folder, ref)]
    return [event for event in found if isinstance(event, kind)]


def win(
    loop: Loop, number: int, constant: str, value: str, *, score: float, reverts: int | None = None
) -> str:
    """Let experiment `number` set a constant of train.py and land, as the stages do it but without training.

    Its incumbent is measured first where it never was; scores are lower by themselves. Returns the commit.
    """
    context, campaign = loop.context, loop.campaign
    parent = campaign.incumbent
    text = (context.git.read_blob(parent, "train.py") or b"").decode()
    new = rewrite(text, {constant: value}).encode()
    said = f"Set {constant} to {value}"
    commit = context.git.commit_files(parent, {"train.py": new}, said, WHEN)
    branch = context.experiment_branch(number)
    context.forge.replace_branch(branch, commit)
    pull = context.forge.open_pull(head=branch, base=context.branch, title=said, body=said, number=number)
    measured = [_run(parent, None, place, score + 0.1) for place in (1, 2) if not campaign.runs_of(parent)]
    context.ledger.append(
        lambda _: [
            *measured,
            ev.ExperimentClaimed(number, parent, reverts),
            ev.ExperimentProposed(number, said, "other", "Because.", "better", "low", "script"),
            ev.CandidateBuilt(number, 1, parent, commit, 1, 1),
            ev.PullOpened(number, pull.number, branch, pull.url),
            *(_run(commit, number, place, score) for place in (1, 2)),
            ev.ExperimentDecided(
                number, 1, "improved", True, -0.1, 0.01, 0.002, score, score + 0.1, 2, 2, "beyond it", said
            ),
        ]
    )
    assert context.forge.land(context.branch, commit, parent) == "landed"
    landed = ev.ExperimentLanded(number, commit, parent)
    context.ledger.append(
        lambda _: [landed, ev.ExperimentFinished(number), _run(commit, None, 3, score + 0.01)]
    )
    context.forge.delete_branch(branch)
    return commit


def _run(commit: str, experiment: int | None, replicate: int, score: float) -> ev.RunFinished:
    return ev.RunFinished(
        run_id(commit, replicate), commit, 1, replicate, experiment, score, None, {}, "f", "bubblewrap", "test", 1.0,
        1.0,
    )  # fmt: skip


if __name__ == "__main__":
    print(Loop(Path(sys.argv[1]), [*WINS, LOSS, {"BATCH_SIZE": "256"}]).run(None, is_the_end=True))
