"""`nocturne morning`: the summary of a date, sent, or shown and kept in a file if there is nobody to send it to."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from bot.commands.session import Session, campaign_session
from bot.config import CONFIG_PATH, campaigns
from bot.git import Git
from bot.git.user_state import default_branch
from bot.github.files import add_summary
from bot.ledger import now
from bot.loop.telling import morning
from bot.notify.file import FileNotifier
from bot.tell.writers import markdown, terminal

_SAID = {
    "sent": "sent to {channel}",
    "already": "is in {channel} already",
    "elsewhere": "is being sent by another process",
    "unknown": "went out to {channel}, and whether it arrived can't be known: it is not sent again",
}


def run(*, repo: Path, campaign: str | None, day: date | None, dry_run: bool, as_json: bool) -> int:
    with ExitStack() as stack:
        for name in [campaign] if campaign else _campaigns(repo):
            _one(
                stack.enter_context(campaign_session(repo, name, quiet=True)),
                day,
                dry_run=dry_run,
                as_json=as_json,
            )
    return 0


def _one(session: Session, day: date | None, *, dry_run: bool, as_json: bool) -> None:
    context = session.context
    notifier = None if dry_run else context.notifier
    told = morning(context, notifier, day)
    if told.message is None:
        session.say(f"{context.name}: nothing new to tell")
        return
    document = told.message.document()
    text = markdown.write(document)
    add_summary(os.environ, text)
    if as_json:
        said = {"campaign": context.name, "key": told.message.key, "outcome": told.outcome, "text": text}
        print(json.dumps(said))
    if notifier is not None and told.outcome is not None:
        sent = _SAID[told.outcome].format(channel=notifier.channel)
        session.say(f"{context.name}: the summary {told.message.key.partition(':')[2]} {sent}")
        return
    if not as_json:
        terminal.show(document)
    if dry_run:
        return
    kept = FileNotifier(context.git.common_dir / "nocturne" / context.name / "messages")
    file = kept.find(told.message.key, since=now()) or kept.post(told.message)
    if file is not None and told.png is not None:
        kept.show_chart(file, told.message, told.png)
    session.say(f"Slack is not set up; the summary is in .git/nocturne/{context.name}/messages/{file}")


def _campaigns(repo: Path) -> list[str | None]:
    """Return the names of all campaigns, as committed; [None] leaves it to the context to say what is wrong."""
    git = Git.open(repo.absolute())
    content = git.read_blob(default_branch(git), CONFIG_PATH)
    return [None] if content is None else [*campaigns(content.decode(errors="replace"))]
