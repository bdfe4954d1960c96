"""Whether `run` would begin here: its files are committed, and whoever proposes has something to turn."""

from __future__ import annotations

from bot.agents.offline.space import Space, reasons, space_of
from bot.base.text import one_line
from bot.config import CONFIG_PATH
from bot.doctor.finding import Finding, amber, green, red
from bot.errors import UserError
from bot.loop.commits import editable_files, require_commit
from bot.loop.context import Context
from bot.loop.start import check_files, check_names, check_tree, check_working_tree, require_space, rules_of
from bot.rules.campaign import Campaign

FILES, SEARCH = "the campaign's files", "what the search may turn"
_NAMED = 8
_LEFT = 5


def files(context: Context, campaign: Campaign) -> list[Finding]:
    """Look for what `run` looks for before it begins; what is missing is said in the same words."""
    commit = _commit(context, campaign)
    check_working_tree(context)
    if campaign.started is None:
        check_files(context, commit)
    else:
        check_tree(context, commit)
    count = len(context.config.editable)
    named = "the editable file" if count == 1 else f"all {count} editable files"
    return [green(FILES, f"{named} and what goes with them are committed, and their Python parses")]


def search(context: Context, campaign: Campaign) -> list[Finding]:
    """Say how many things the offline search will turn, the first of them, and what it leaves alone and why."""
    commit = _commit(context, campaign)
    texts = editable_files(context, commit)
    space = space_of(texts, rules_of(context, commit, texts))
    if campaign.started is None:
        check_names(context, commit, texts)
    if context.config.proposer == "claude":
        if space.knobs:
            return [
                green(SEARCH, f"Claude proposes; where it doesn't, the offline search turns {_told(space)}")
            ]
        said = "Claude proposes; the offline search, which goes on where it doesn't, finds nothing to turn"
        return [amber(SEARCH, said, f"name constants under `turn:` in {CONFIG_PATH}")]
    try:
        require_space(context, campaign, commit, texts)
    except UserError as error:
        return [red(SEARCH, str(error))]
    if not space.knobs:
        return [
            amber(
                SEARCH, "nothing but what a human asked for", f"name constants under `turn:` in {CONFIG_PATH}"
            )
        ]
    return [green(SEARCH, _told(space))]


def _told(space: Space) -> str:
    """Return `5 things: LR, DEPTH, ...; left alone: SEED (...)`."""
    count = len(space.knobs)
    names = ", ".join(
        f"{one_line(k.name, 60)} ({one_line(k.constant.literal, 24)})" for k in space.knobs[:_NAMED]
    )
    more = f" and {count - _NAMED} more" if count > _NAMED else ""
    said = f"{count} {'thing' if count == 1 else 'things'}: {names}{more}"
    if space.left:
        said += f"; left alone: {one_line(reasons(space.left, _LEFT), 600)}"
    unread = [f"{path} ({why})" for path, why in space.unread]
    return said + (f"; nothing is read from {one_line(', '.join(unread), 200)}" if unread else "")


def _commit(context: Context, campaign: Campaign) -> str:
    """Return the commit that a run would begin with. Raises UserError if it is not there."""
    if campaign.started is not None:
        require_commit(context, campaign.incumbent)
        return campaign.incumbent
    commit = context.git.resolve(context.base)
    if commit is None:
        raise UserError(f"branch {context.base!r} has no commit yet: run `git add -A && git commit` first")
    return commit
