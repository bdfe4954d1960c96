"""`nocturne iterate`: one experiment, all stages in one process; the job of the quick-start action."""

from __future__ import annotations

import os
from pathlib import Path

from bot.commands.session import campaign_session
from bot.github.files import set_outputs
from bot.github.outputs import tell
from bot.loop.runner import Until, run_loop
from bot.rules.reasons import REQUESTED


def run(*, repo: Path, campaign: str | None) -> int:
    with campaign_session(repo, campaign, thinks=True) as session:
        before = len(session.context.ledger.refresh().order)
        stop = run_loop(session.context, Until(experiments=1, is_the_end=False))
        for experiment in session.context.ledger.known().finished()[before:]:
            tell(os.environ, session.context, experiment.number)
        set_outputs(os.environ, {"stop": "" if stop.reason == REQUESTED.name else stop.reason})
        if stop.reason != REQUESTED.name:
            session.say_end(stop)
    return 0
