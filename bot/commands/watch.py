"""`nocturne watch`: the campaign on a terminal as it goes. Reads the ledger and progress files, and writes nothing."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bot.commands.session import Session, campaign_session
from bot.loop.progress import progress_of
from bot.loop.render import figures_of
from bot.tell.document import Document
from bot.tell.figures.campaign import Figures
from bot.tell.views.watch import watching
from bot.tell.words import title
from bot.tell.writers import terminal

SECONDS = 1.0  # between two looks at this machine
NEAR, FAR = 2.0, 30.0  # seconds between two looks at a ledger on this machine, and at one elsewhere


def run(*, repo: Path, campaign: str | None, once: bool) -> int:
    """The screen, until Ctrl-C; once if that is asked, or if nobody sees it."""
    from rich.console import Console

    console = Console(highlight=False)
    with campaign_session(repo, campaign, quiet=True) as session:
        if once or not console.is_terminal or not sys.stdout.isatty():
            known = figures_of(session.context, session.context.ledger.look())
            terminal.show(_screen(session, known, console.width), None if console.is_terminal else console)
            return 0
        try:
            _watch(session, console.width)
        except KeyboardInterrupt:
            return 0
    return 0


def _watch(session: Session, width: int) -> None:
    from rich.live import Live

    every = NEAR if session.context.remote.kind == "embedded" else FAR
    known, looked = None, 0.0
    with Live(auto_refresh=False, screen=True) as live:
        while True:
            if known is None or time.monotonic() >= looked + every:
                known, looked = figures_of(session.context, session.context.ledger.look()), time.monotonic()
            live.update(terminal.panel(title(known), _screen(session, known, width)), refresh=True)
            time.sleep(SECONDS)


def _screen(session: Session, known: Figures, width: int) -> Document:
    now = progress_of(session.context.runs.folder)
    if now is None:
        return watching(known, title=None, width=width)
    return watching(
        known, title=now.title, fraction=now.fraction, left=now.seconds_left, losses=now.losses,
        scoring=now.is_scoring, width=width,
    )  # fmt: skip
