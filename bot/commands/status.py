"""`nocturne status`: where the campaign stands."""

from __future__ import annotations

import json
from pathlib import Path

from bot.commands.session import campaign_session
from bot.loop.render import figures_of
from bot.report.figures import status_json
from bot.report.terminal import experiment_table, headline


def run(*, repo: Path, campaign: str | None, as_json: bool) -> int:
    with campaign_session(repo, campaign, quiet=as_json) as session:
        known = figures_of(session.context, session.context.ledger.refresh())
        if as_json:
            print(json.dumps(status_json(known), indent=2))
            return 0
        from rich.console import Console

        console = Console(highlight=False)
        console.print(headline(known))
        if known.rows:
            console.print(experiment_table(known, width=console.width))
    return 0
