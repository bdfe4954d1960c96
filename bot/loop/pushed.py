"""Commits that a human pushed onto an experiment's pull request: each is tried as an experiment of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.agents.constants import changes_between
from bot.base.text import one_line
from bot.errors import UserError
from bot.git.objects import commit_words
from bot.loop.commits import carry, require_commit, text_of
from bot.loop.context import Context
from bot.loop.ideas import idea_text
from bot.rules.campaign import Campaign
from bot.rules.events import IdeaGiven
from bot.rules.experiment import Experiment
from bot.rules.ideas import IdeaState
from bot.rules.proposal import Idea, Proposal

PUSH = "push:"  # how the source of an idea begins that is a commit
_PLAIN, _ODD, _MOST = re.compile(r"[\w./ +@=-]{1,200}"), "a file with an odd name", 100
_PERSON = re.compile(r"[^<>\n]{1,100} <[^<>\s]{1,100}>")


def take_up(context: Context, experiment: Experiment, commit: str) -> IdeaState:
    """Write down a commit that is in this clone as an idea, once, with its files: its branch may go then."""
    assert experiment.pull is not None
    campaign = context.ledger.known()
    base = next((c for c in reversed(campaign.incumbents) if context.git.is_ancestor(c, commit)), None)
    base = base or experiment.parent
    require_commit(context, base)
    changed = sorted(change.path for change in context.git.file_changes(base, commit))
    paths = tuple(path if _PLAIN.fullmatch(path) else _ODD for path in changed[:_MOST])
    name, address, subject = (one_line(words, 100) for words in commit_words(context.git.store, commit))
    author = f"{name} <{address}>" if _PERSON.fullmatch(f"{name} <{address}>") else name or "A human"
    source = f"{PUSH}{commit}"
    text = f"The commit {commit[:12]} ({subject}) was pushed onto the pull request of experiment {experiment.number}."
    pull = experiment.pull.pull if context.forge.shows else None

    def make(fresh: Campaign) -> list[IdeaGiven]:
        number = max(fresh.ideas.known, default=0) + 1
        return [
            IdeaGiven(
                number, idea_text(text), source, name, pull, commit=commit, base=base, paths=paths, author=author,
                title=subject,
            )
        ]  # fmt: skip

    editable = [path for path in paths if path in context.config.editable]
    files = {_kept(commit, path): context.git.read_blob(commit, path) or b"" for path in editable}
    state = context.ledger.append(make, lambda _: files).ideas.from_source(source)
    assert state is not None
    return state


def _kept(commit: str, path: str) -> str:
    """Where the ledger keeps a pushed file."""
    return f"pushed/{commit}/{path}"


def pushed_proposal(
    context: Context, campaign: Campaign, idea: Idea, files: Mapping[str, str]
) -> tuple[Proposal, bool]:
    """Return the proposal that a pushed commit is, on the present `files`, and whether it fits there.

    A path that is not editable is named all the same, so that the review by scope refuses the commit for it.
    """
    given = campaign.ideas.known[idea.number].given
    require_commit(context, given.base)
    editable = [path for path in given.paths if path in context.config.editable]
    base = {path: text_of(context, given.base, path) for path in editable}
    theirs = {path: _read(context, given.commit, path) for path in editable}
    carried = carry(
        base=base, changed=theirs, onto=files, changes=changes_between(base, theirs) if base else ()
    )
    outside = {path: "" for path in given.paths if path not in context.config.editable}
    new = {path: text for path, text in (carried or {}).items() if text != files.get(path)} | outside
    return Proposal(
        hypothesis=given.title or f"Try the commit {given.commit[:12]}",
        category="other",
        reason=f"{given.giver or 'A human'} wrote this change. {given.text} It is tried as it stands.",
        expected_effect="what its author expects of it",
        risk="as its author judges",
        files=new,
        changes=changes_between({path: files.get(path, "") for path in new}, new) if not outside else (),
        proposer="human",
        idea=idea.number,
        author=given.author,
    ), bool(new)


def _read(context: Context, commit: str, path: str) -> str:
    content = context.ledger.read_file(_kept(commit, path))
    if content is None:
        raise UserError(f"the ledger lacks {_kept(commit, path)}: restore the ledger branch")
    return content.decode(errors="replace")
