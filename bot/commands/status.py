"""`nocturne status`: where the campaign stands."""

from __future__ import annotations

import json
from pathlib import Path

from bot.commands.session import campaign_session
from bot.loop.render import figures_of
from bot.tell.figures.campaign import status_json
from bot.tell.views.campaign import latest_experiments, overview
from bot.tell.words import title
from bot.tell.writers import terminal


def run(*, repo: Path, campaign: str | None, as_json: bool) -> int:
    with campaign_session(repo, campaign, quiet=as_json) as session:
        known = figures_of(session.context, session.context.ledger.refresh())
        if as_json:
            print(json.dumps(status_json(known), indent=2))
            return 0
        from rich.console import Console

        console = Console(highlight=False)
        console.print(terminal.panel(title(known), overview(known)))
        terminal.show(latest_experiments(known, width=console.width), console)
    return 0
