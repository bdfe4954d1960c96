"""`nocturne outer`: what the outer loop has shown; a mechanism taken out or let in again; the file to carry along."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bot.base.text import clean_data
from bot.commands.session import campaign_session
from bot.loop.mechanisms import carried, switch
from bot.loop.render import figures_of
from bot.rules.outer.reading import to_json
from bot.tell.document import heading, say
from bot.tell.views.outer import outer
from bot.tell.words import title
from bot.tell.writers import terminal


def run(*, repo: Path, campaign: str | None, words: Sequence[str], prior: bool, as_json: bool) -> int:
    with campaign_session(repo, campaign, quiet=as_json or prior) as session:
        state = session.context.ledger.refresh()
        if words:
            session.say(switch(session.context, " ".join(words)))
        elif prior:
            print(json.dumps(to_json(carried(session.context, state)), indent=1))
        elif as_json:
            print(json.dumps(clean_data(asdict(figures_of(session.context, state).outer)), indent=2))
        else:
            known = figures_of(session.context, state)
            terminal.show((heading(say("{}: the outer loop", title(known)), 1), *outer(known.outer)))
    return 0
