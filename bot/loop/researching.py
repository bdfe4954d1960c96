"""Mechanisms that a model writes: asked for when they are due, kept on branches of their own, told with their worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from bot.agents.protocol import Standing, Study, Written
from bot.base.text import one_line
from bot.errors import UserError
from bot.forge.labels import LABEL_ALL
from bot.ledger import now, stamp
from bot.loop.context import Context
from bot.loop.hosting import Generated, Host
from bot.loop.leases import give_back, giving_back, take_lease
from bot.loop.library import left_out
from bot.rules.campaign import Campaign
from bot.rules.events import Event, MechanismWritten, NothingWritten
from bot.rules.outer import mechanisms
from bot.rules.outer.checks import Ask, Check, checked
from bot.rules.outer.registry import CONTROLS, Mechanism, built_in, names
from bot.rules.outer.research import is_due, worth_words
from bot.rules.outer.trial import Block
from bot.rules.outer.view import View
from bot.tell.views.mechanism import mechanism_body, mechanism_title
from bot.tell.writers import markdown

_SUBJECT = "research"
_WHY = 300  # characters
_BEGUN = datetime(2026, 1, 1, tzinfo=timezone.utc)  # of the branch that all of a campaign's start from
_README = "Mechanisms that the outer loop's researcher wrote: each in a pull request into this branch.\n"


def mechanism_of(context: Context, campaign: Campaign, name: str) -> Mechanism:
    """Return the mechanism of that name, built in or written; one that does nothing for a name that is neither."""
    written = campaign.outer.written.get(name)
    if written is None:
        return built_in(name if name in names() else CONTROLS[0])
    return Generated(name, lambda: source_of(context, written), Host(context.config.evaluator.jail))


def source_of(context: Context, written: MechanismWritten) -> str:
    """Return the text of a mechanism that was written, fetched if this clone lacks it."""
    if context.git.resolve(written.commit) is None:
        context.git.fetch(context.remote.name_or_url, [f"refs/heads/{written.branch}"])
    if context.git.resolve(written.commit) is None:
        raise UserError(
            f"{written.branch} is gone, and with it the mechanism {written.mechanism}: `nocturne outer"
            f" {written.mechanism} off`"
        )
    return (context.git.read_blob(written.commit, written.path) or b"").decode(errors="replace")


def research(context: Context, campaign: Campaign, view: View, blocks: Sequence[Block]) -> Campaign:
    """Have the researcher write a mechanism if one is due before the experiment of `view`; return the campaign then.

    Whatever comes of it is on the ledger, and nothing of it costs an experiment.
    """
    if context.researcher is None or not is_due(
        campaign.outer, view.number, len(campaign.order), stamp(now())
    ):
        return campaign
    if not take_lease(context, _SUBJECT):
        return campaign  # another loop is about it
    with giving_back(context, _SUBJECT):
        found = _written(context, campaign, view, blocks)
        if isinstance(found, str):
            event: Event = NothingWritten(view.number, one_line(found, _WHY))
            context.display.note(f"the researcher wrote no mechanism: {one_line(found, _WHY)}")
        else:
            event = _published(context, view.number, found)
            context.display.note(f"the researcher wrote the mechanism {found.name}: it goes on trial")
        campaign = context.ledger.append(lambda _: [event])
        give_back(context, _SUBJECT)
        return campaign


def tell_worth(context: Context, campaign: Campaign, name: str, blocks: Sequence[Block]) -> None:
    """Bring the pull request of a mechanism up to date, if it was written and people read there."""
    written = campaign.outer.written.get(name)
    if written is not None and context.forge.shows:
        body = markdown.write(mechanism_body(written, context.name, worth_words(blocks, name)))
        context.forge.edit_pull(written.pull, body=body)


def _written(context: Context, campaign: Campaign, view: View, blocks: Sequence[Block]) -> Written | str:
    assert context.researcher is not None
    host, seed = Host(context.config.evaluator.jail), context.config.seed
    kept = (*context.config.models.leave_out, *context.config.evaluator.data)
    view = replace(view, files={path: text for path, text in view.files.items() if not left_out(path, kept)})

    def check(source: str) -> tuple[Check, ...]:
        def asking(questions: Sequence[Ask]) -> Sequence[object]:
            return host.ask(source, questions, together=True)

        return checked(source, view, seed, asking)

    taken = {*names(), *campaign.outer.written}
    at_hand = [name for name in sorted(taken) if name not in campaign.outer.out(stamp(now()))]
    standing = [Standing(name, _text(context, campaign, name), worth_words(blocks, name)) for name in at_hand]
    try:
        return context.researcher.research(Study(view.number, view, seed, standing, taken, check))
    except UserError as error:  # what a human must fix ends no night: proposers may do without a model
        return str(error)


def _text(context: Context, campaign: Campaign, name: str) -> str:
    written = campaign.outer.written.get(name)
    if written is not None:
        return source_of(context, written)
    return Path(mechanisms.__file__ or "").with_name(f"{name}.py").read_text(encoding="utf-8")


def _published(context: Context, number: int, written: Written) -> MechanismWritten:
    """Put the file on a branch of its own, with a pull request into the branch of all of them."""
    into, branch = (f"nocturne/outer/{context.name}/{each}" for each in ("all", f"by-{written.name}"))
    git, path = context.git, f"{written.name}.py"
    base = context.forge.branch_head(into)
    if base is None:
        base = git.commit_files(None, {"README.md": _README.encode()}, "Begin", _BEGUN)
        context.forge.push_branch(into, base)
    title = mechanism_title(written.name)
    commit = git.commit_files(base, {path: written.source.encode(errors="replace")}, title, now())
    context.forge.replace_branch(branch, commit)
    event = MechanismWritten(
        mechanism=written.name, experiment=number, path=path, commit=commit, branch=branch, pull=0, url="",
        author=context.config.models.researcher, rationale=written.rationale,
        checks=tuple(each.name for each in written.checks),
    )  # fmt: skip
    body = markdown.write(mechanism_body(event, context.name, worth_words([], written.name)))
    pull = context.forge.open_pull(head=branch, base=into, title=title, body=body, number=number)
    context.forge.edit_pull(pull.number, labels=(LABEL_ALL,))
    return replace(event, pull=pull.number, url=pull.url)
