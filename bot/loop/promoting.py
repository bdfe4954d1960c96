"""The promotion: one pull request that carries the campaign's confirmed gains to its base branch.

It is opened, brought up to date, and moves the base branch only where somebody said so: by fast-forward to an
incumbent that was measured. What fails here never ends a loop: gains stay where they are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Literal

from bot.errors import UserError
from bot.forge import PullRequest, PullState
from bot.forge.labels import LABEL_ALL, LABEL_PROMOTION
from bot.git.merging import trees_between
from bot.git.own_branch import move_own_branch
from bot.loop.auditing import audit_head, lineage, require_clean_audits
from bot.loop.confirming import confirm_head, require_all_wanted, require_confirmed
from bot.loop.context import Context
from bot.loop.gestures import hear_reviews
from bot.loop.render import figures_of
from bot.loop.settings import rule_of
from bot.loop.taking_in import held_by_content, on_own_base
from bot.rules.audits import Lineage
from bot.rules.campaign import Campaign
from bot.rules.events import PromotionEnded, PromotionOpened, PromotionShown
from bot.rules.experiment import Promotion
from bot.rules.human import unread
from bot.rules.stopping import Stop, reason_of
from bot.tell.document import Document
from bot.tell.figures.promotion import promotion_figures
from bot.tell.sentences import lineage_refused
from bot.tell.views.change import files_of
from bot.tell.views.promotion import changes_words, promotion_body, promotion_title
from bot.tell.writers import markdown

Did = Literal["opened", "updated", "unchanged", "merged", "nothing"]
By = Literal["human", "bot"]
LABELS = (LABEL_ALL, LABEL_PROMOTION)


@dataclass(frozen=True)
class Promoted:
    """What was done, and `text`, one plain sentence that says so; `pull` and `url` where there is one."""

    did: Did
    text: str
    pull: int | None = None
    url: str | None = None


@dataclass(frozen=True)
class _Shown:
    """The text of a promotion, and of which incumbent and base it tells."""

    title: str
    body: str
    head: str
    base: str
    changes: int
    counted: str
    """How many changes, and what they may be called."""
    audits: Lineage | None

    @property
    def state(self) -> str:
        """What it tells of the head's audit."""
        return self.audits.state if self.audits is not None else ""

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.title}\n{self.body}".encode(errors="replace")).hexdigest()[:16]


def promote(context: Context, *, merge: bool) -> Promoted:
    """Open the promotion or bring it up to date because somebody asked, and with `merge` move the base branch.

    May be repeated. Raises `UserError` if there is no campaign yet, or the base branch can't be moved: it
    got commits that the campaign has not measured, or is protected.
    """
    campaign = context.ledger.refresh()
    if campaign.started is None:
        raise UserError(f"campaign {context.name!r} has not begun: `nocturne run` begins it")
    context = on_own_base(context, campaign)
    if merge:
        campaign = audit_head(context, campaign)
    done = _bring_up(context, campaign, asked=True)
    return _merge(context, context.ledger.refresh(), done) if merge and done.pull is not None else done


def keep_up(context: Context, campaign: Campaign) -> None:
    """Open the promotion, or bring it up to date, after a merge that it does not tell of yet."""
    if _is_behind(context, campaign):
        _without_fail(context, campaign, merge=False)


def promote_at_stop(context: Context, campaign: Campaign, stop: Stop) -> None:
    """Let the promotion say how the night ended, and move the base branch where the bot may."""
    merge = context.config.promotion.merge == "bot" and reason_of(stop.reason).bot_merges
    known = campaign.promotion
    wanted = _is_behind(context, campaign) or (known is not None and known.state == "open")
    if campaign.landed() and (wanted or (merge and (known is None or known.state != "closed"))):
        _without_fail(context, campaign, merge=merge)


def _without_fail(context: Context, campaign: Campaign, *, merge: bool) -> None:
    """Do it, and only tell of what fails: the next merge or stop, or a human, tries again."""
    context = on_own_base(context, campaign)
    try:
        if merge:
            campaign = audit_head(context, campaign)
            campaign = confirm_head(context, campaign)
        done = _bring_up(context, campaign, asked=merge)
        if merge and done.pull is not None:
            campaign = context.ledger.refresh()
            require_clean_audits(context, campaign)
            require_read(context, campaign)
            require_confirmed(context, campaign)
            done = _merge(context, context.ledger.refresh(), done, by="bot")
    except UserError as error:
        context.display.note(f"the promotion waits: {error}; `nocturne promote` tries again")
        return
    if done.did in ("opened", "merged"):
        context.display.note(done.text)


def require_read(context: Context, campaign: Campaign) -> None:
    """Raise UserError if more merges are unread than may be: the bot promotes nothing by itself then."""
    limit = context.config.max_unreviewed_merges
    if not limit or len(unread(campaign)) <= limit:
        return
    waiting = len(unread(hear_reviews(context, campaign, all=True)))
    if waiting > limit:
        raise UserError(
            f"{waiting} merges are unread, max_unreviewed_merges is {limit}: `nocturne status` names the shortest"
            " reading, `nocturne approve N` says that one is read"
        )


def _is_behind(context: Context, campaign: Campaign) -> bool:
    """Whether something was merged that no promotion tells of, and one should."""
    landed, known = campaign.landed(), campaign.promotion
    if not landed or landed[-1].landed is None or (known is not None and known.state == "closed"):
        return False
    if (known is None or known.state != "open") and context.config.promotion.open == "asked":
        return False
    if known is None or _place(campaign, landed[-1].landed.commit) > _place(campaign, known.head):
        return True
    audits = lineage(context, campaign)
    return audits is not None and known.state == "open" and known.audit != audits.state


def _place(campaign: Campaign, commit: str) -> int:
    """Return the last place of `commit` among the incumbents, -1 where it never was one."""
    return max((place for place, known in enumerate(campaign.incumbents) if known == commit), default=-1)


def _bring_up(context: Context, campaign: Campaign, *, asked: bool) -> Promoted:
    base = _base_head(context)
    known = _see_end(context, campaign, base)
    shown = _show(context, campaign, base)
    if not shown.changes:
        return _nothing(context, known)
    if known is not None and known.state == "open":
        state, known = _update(context, known, shown)
        if state is None or state == "open":
            did: Did = "unchanged" if state is None else "updated"
            return Promoted(did, f"promotion {known.url}: {did}", known.pull, known.url)
        known = _ended(context, known, state)
    if not asked and (known is not None and known.state == "closed"):
        return Promoted(
            "nothing", f"{known.url} was closed: `nocturne promote` opens another", None, known.url
        )
    if shown.audits is not None and shown.audits.refused:
        return Promoted("nothing", f"no promotion is opened: {lineage_refused(shown.audits)}")
    return _open(context, known, shown)


def _base_head(context: Context) -> str:
    """Return where the base branch is on the remote; the embedded one gets ours first."""
    head = context.forge.branch_head(context.base)
    if context.remote.kind == "embedded":
        own = context.git.resolve(context.base)
        if own is not None and own != head:
            context.forge.replace_branch(context.base, own)
            head = own
    if head is None:
        raise UserError(
            f"the remote has no branch {context.base}: push it by"
            f" `git push {context.remote.name_or_url} {context.base}`"
        )
    return head


def _see_end(context: Context, campaign: Campaign, base: str) -> Promotion | None:
    """Return the newest promotion, its end written down where somebody merged or closed it.

    A merge moves the base branch, so that as long as this stands still nobody need be asked.
    """
    known = campaign.promotion
    if known is None or known.state != "open" or base == known.base:
        return known
    head = known.head or campaign.incumbent
    state = context.forge.pull_state(known.pull, head=head, base=context.base)
    # Where the bot merges too, it may have been cut short before it wrote that down: nobody need have read it.
    return known if state == "open" else _ended(context, known, state, by=context.config.promotion.merge)


def _ended(
    context: Context, known: Promotion, state: Literal["open", "merged", "closed", "empty"], by: By = "human"
) -> Promotion:
    assert state != "open"
    event = PromotionEnded(known.pull, state, known.head, by)
    context.ledger.append(lambda _: [event])
    return replace(known, state=state)


def _show(context: Context, campaign: Campaign, base: str) -> _Shown:
    """Write the promotion as the ledger and git have it now."""
    lacking = trees_between(context.git, base, campaign.incumbent)
    since = _since(context, campaign, base, lacking)
    figures = replace(figures_of(context, campaign), audits="")  # it says so above all
    told = promotion_figures(campaign, figures, since, lacking)
    title, audits = promotion_title(figures, told), lineage(context, campaign)
    counted = changes_words(figures, told)
    if not context.forge.shows:
        return _Shown(title, "", campaign.incumbent, base, len(told.changes), counted, audits)
    files = files_of(context.git.diff(_from(context, campaign, base, since), campaign.incumbent))

    def explaining(changes: int) -> Document:
        return promotion_body(
            campaign, figures, told, files, rule=rule_of(context.config, campaign), base=context.base,
            branch=context.branch, on_github=context.remote.kind == "github", explained=changes, audits=audits,
        )  # fmt: skip

    body = markdown.fitting(explaining, len(told.changes))
    return _Shown(title, body, campaign.incumbent, base, len(told.changes), counted, audits)


def _from(context: Context, campaign: Campaign, base: str, since: int) -> str:
    """Return the commit from which the combined change counts: the base branch itself where the campaign has
    it, else the last incumbent that it holds."""
    return base if context.git.is_ancestor(base, campaign.incumbent) else campaign.incumbents[since]


def _since(context: Context, campaign: Campaign, base: str, lacking: dict[str, str]) -> int:
    """Return the place of the last incumbent that the base branch holds, by its history or by its content."""
    held = campaign.absorbed | {p.head for p in campaign.promotions if p.state == "merged"}
    if not context.git.is_ancestor(base, campaign.incumbent):
        held |= {held_by_content(context.git, campaign, base) or ""}
    for place in range(len(campaign.incumbents) - 1, 0, -1):
        commit = campaign.incumbents[place]
        if commit in held or (commit not in lacking and context.git.is_ancestor(commit, base)):
            return place
    return 0


def _nothing(context: Context, known: Promotion | None) -> Promoted:
    """End an open promotion whose gains are all in the base branch, or were taken out again."""
    if known is not None and known.state == "open":
        context.forge.edit_pull(known.pull, close=True)
        _ended(context, known, "empty")
    text = f"nothing to promote: {context.base} has all that was confirmed, or nothing was"
    return Promoted("nothing", text)


def _open(context: Context, last: Promotion | None, shown: _Shown) -> Promoted:
    pull = context.forge.open_pull(
        head=context.branch,
        base=context.base,
        title=shown.title,
        body=shown.body,
        number=last.pull + 1 if last else 1,
        after=last.pull if last else 0,
    )
    opened = PromotionOpened(pull.number, pull.url)
    _, known = context.ledger.append(lambda _: [opened]).promotion_of(pull.number)
    if pull.state != "open":  # by somebody who was quicker than our word on the ledger
        _ended(context, replace(known, head=shown.head), pull.state)
        return Promoted("nothing", f"{pull.url} is {pull.state} already", None, pull.url)
    _update(context, known, shown, seen=pull)
    return Promoted("opened", f"promotion {pull.url} is open: {shown.counted}", pull.number, pull.url)


def _update(
    context: Context, known: Promotion, shown: _Shown, seen: PullRequest | None = None
) -> tuple[PullState | None, Promotion]:
    """Put text, and the first time labels, on the pull request; return its state, None if it says all that already.

    `seen` is the pull request as it was opened just now.
    """
    if (known.digest, known.head) == (shown.digest, shown.head):
        if (known.base, known.audit) != (shown.base, shown.state):
            _write_shown(context, known, shown)
        return None, known
    said = seen is not None and (seen.title, seen.body) == (shown.title, shown.body)
    state = context.forge.edit_pull(
        known.pull,
        title=None if said else shown.title,
        body=None if said else shown.body,
        labels=LABELS if known.turn == 0 else None,
    )
    if state != "open":
        return state, known
    return state, _write_shown(context, known, shown)


def _write_shown(context: Context, known: Promotion, shown: _Shown) -> Promotion:
    event = PromotionShown(known.pull, shown.head, shown.base, shown.digest, known.turn + 1, shown.state)
    return context.ledger.append(lambda _: [event]).promotion_of(known.pull)[1]


def _merge(context: Context, campaign: Campaign, done: Promoted, by: By = "human") -> Promoted:
    """Move the base branch forward to the incumbent, and nowhere else."""
    known, head, base = campaign.promotion, campaign.incumbent, _base_head(context)
    assert known is not None
    if context.forge.branch_head(context.branch) != head or known.head != head:
        raise UserError(f"{context.branch} moves at this moment: run it again in a minute")
    if not context.git.is_ancestor(base, head):
        raise UserError(
            f"{context.base} has commits that {context.branch} has not: the next experiment takes them in and measures"
            " them; promote again after it, or merge the pull request by hand"
        )
    if len(campaign.scores_of(head)) < rule_of(context.config, campaign).min_runs:
        raise UserError(
            f"{head[:12]} is not measured yet: `nocturne run -n 1` measures it, then promote again"
        )
    require_clean_audits(context, campaign)
    require_all_wanted(context, campaign, base)
    if context.remote.kind == "embedded":
        move_own_branch(context.git, context.base, head, base)
        context.forge.push_branch(context.base, head)
    else:
        _land(context, known, head, base)
    _ended(context, known, "merged", by)
    return Promoted(
        "merged", f"{context.base} is at {head[:12]} now: {known.url} is merged", known.pull, known.url
    )


def _land(context: Context, known: Promotion, head: str, base: str) -> None:
    try:
        landed = context.forge.land(context.base, head, base)
    except UserError as error:
        raise UserError(
            f"{context.base} was not moved ({error}), or merge {known.url} by hand; nothing is lost"
        ) from None
    if landed == "moved":
        raise UserError(f"{context.base} was moved at this moment: run it again")
