"""`nocturne report`: Markdown to the terminal, or one self-contained page."""

from __future__ import annotations

import json
from pathlib import Path

from bot.commands.session import campaign_session
from bot.errors import UserError
from bot.loop.render import figures_of
from bot.tell.figures.campaign import experiment_json, status_json
from bot.tell.figures.results import results_tsv
from bot.tell.page import report_html
from bot.tell.views.campaign import report
from bot.tell.writers import markdown


def run(*, repo: Path, campaign: str | None, html: Path | None, tsv: Path | None, as_json: bool) -> int:
    with campaign_session(repo, campaign, quiet=as_json) as session:
        state = session.context.ledger.refresh()
        known = figures_of(session.context, state, details=html is not None)
        if html is not None:
            write_text(html, report_html(known))
            session.say(f"wrote {html}")
        if tsv is not None:
            write_text(tsv, results_tsv(state))
            session.say(f"wrote {tsv}")
        if as_json:
            rows = [experiment_json(row) for row in known.rows]
            print(json.dumps({**status_json(known), "rows": rows}, indent=2))
        elif html is None and tsv is None:
            print(markdown.write(report(known)))
    return 0


def write_text(path: Path, text: str) -> None:
    """Write a file that the user named."""
    try:
        path.write_text(text)
    except OSError as error:
        raise UserError(f"{path}: can't write ({error.strerror}): name another file") from None
