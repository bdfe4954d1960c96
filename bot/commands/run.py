"""The verbs that work on experiments: all their stages, or some of them."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from bot.base.process import in_actions
from bot.commands.session import campaign_session
from bot.errors import UserError
from bot.forge.github import GitHubForge
from bot.github.chain import pick_up
from bot.github.files import set_outputs
from bot.github.outputs import tell
from bot.ledger import now
from bot.loop.confirming import confirm as confirm_gain
from bot.loop.jobs import (
    advance,
    decide_experiment,
    propose_next,
    stage_in_hand,
    train_apart,
)
from bot.loop.render import figures_of
from bot.loop.runner import Until, deadline_today, run_loop
from bot.loop.workers import run_workers
from bot.rules.reasons import BASELINE, REQUESTED
from bot.tell.words import confirmation_words


def run(
    *, repo: Path, campaign: str | None, experiments: int | None, until: str | None, workers: int = 1
) -> int:
    """The loop, until a stop condition says why not; with several `workers` as many loops, each on its own GPU."""
    deadline = deadline_today(until, now()) if until else None
    if workers > 1:
        with campaign_session(repo, campaign) as session:  # what is wrong is said once
            named = ["--campaign", session.context.name, *(["--until", until] if until else [])]
        return run_workers(["--repo", str(repo.absolute()), *named], workers, experiments)
    with campaign_session(repo, campaign, thinks=True) as session:
        stop = run_loop(session.context, Until(experiments, deadline))
        if stop.reason == BASELINE.name:
            raise UserError(stop.detail)
        session.say_end(stop)
    return 0


def confirm(*, repo: Path, campaign: str | None, pairs: int) -> int:
    """Head and baseline side by side on new seeds: what the campaign gained."""
    with campaign_session(repo, campaign) as session:
        known = session.context.ledger.refresh()
        if not known.landed_as:
            raise UserError("nothing was merged yet, so there is nothing to confirm: `nocturne run` goes on")
        found = figures_of(session.context, confirm_gain(session.context, known, pairs=pairs))
        session.context.ledger.flush()
        if found.confirmation is None:
            raise UserError(
                "head or baseline failed when run side by side: `nocturne status` shows their runs"
            )
        session.say(confirmation_words(found, found.confirmation))
    return 0


def iterate(*, repo: Path, campaign: str | None) -> int:
    """One experiment, all stages in one process; the job of the quick-start action."""
    with campaign_session(repo, campaign, thinks=True) as session:
        before = len(session.context.ledger.refresh().order)
        stop = run_loop(session.context, Until(experiments=1, is_the_end=False))
        for experiment in session.context.ledger.known().finished()[before:]:
            tell(os.environ, session.context, experiment.number)
        set_outputs(os.environ, {"stop": "" if stop.reason == REQUESTED.name else stop.reason})
        if stop.reason != REQUESTED.name:
            session.say_end(stop)
    return 0


def propose(*, repo: Path, campaign: str | None, finish_first: bool) -> int:
    """The next experiment up to its reviewed pull request, without training anything."""
    with campaign_session(repo, campaign, thinks=True) as session:
        forge = session.context.forge
        look = None
        if finish_first and in_actions(os.environ) and isinstance(forge, GitHubForge):
            look = partial(pick_up, session.context, forge.client, os.environ)
        outcome = propose_next(session.context, finish_first=finish_first, pick_up=look)
        number, stop = (outcome, "") if isinstance(outcome, int) else ("", outcome.reason)
        set_outputs(os.environ, {"experiment": number, "stop": stop})
        if isinstance(outcome, int):
            session.say(f"experiment {outcome} is open: `nocturne show {outcome}`, then `nocturne train`")
        else:
            session.say_end(outcome)
    return 0


def train(*, repo: Path, campaign: str | None, number: int | None, handover: Path | None) -> int:
    """Run an open experiment, and its incumbent, until the verdict is known."""
    with campaign_session(repo, campaign) as session:
        if handover is not None:
            if number is None:
                raise UserError("--handover: name the experiment: `nocturne train N --handover FILE`")
            made = train_apart(session.context, number, handover.absolute())
            set_outputs(os.environ, {"experiment": number, "handover": handover.read_text().strip()})
            session.say(f"{made} run{'s' if made != 1 else ''} of experiment {number} are in {handover}")
            return 0
        trained = advance(session.context, number, first_stage="publish", last_stage="audit")
        if stage_in_hand(session.context, trained) == "repair":
            session.say(f"experiment {trained} crashed and goes back to its maker: `nocturne propose`")
        else:
            session.say(f"experiment {trained} has its verdict: `nocturne decide {trained}`")
    return 0


def decide(*, repo: Path, campaign: str | None, number: int | None, handover: Path | None) -> int:
    """Merge or close an experiment whose verdict is known. Never runs candidate code."""
    with campaign_session(repo, campaign) as session:
        decided, trained = decide_experiment(session.context, number, handover)
        tell(os.environ, session.context, decided, trained=trained)
        match stage_in_hand(session.context, decided):
            case None:
                said = "is finished"
            case "held":
                said = "waits until somebody has read earlier merges: `nocturne status` lists them"
            case "repair":
                said = "crashed and goes back to its maker: `nocturne propose`"
            case _:
                said = "needs another run: `nocturne train`"
        session.say(f"experiment {decided} {said}")
    return 0
