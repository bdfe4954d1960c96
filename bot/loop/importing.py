"""Takes over a past campaign from another tool's log: as history, marked as unverified, never as evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.agents.claims import changes_in_words
from bot.agents.constants import Constant, changes_between, constants_of, rewritten
from bot.agents.novelty import edit_beside
from bot.agents.offline.space import space_of
from bot.base.text import one_line
from bot.git import Git
from bot.loop.commits import carry, editable_files
from bot.loop.context import Context
from bot.loop.start import rules_of
from bot.rules.campaign import Campaign
from bot.rules.claims import SOURCE, gain_of
from bot.rules.events import ClaimImported, Event, IdeaGiven
from bot.rules.past_logs import PastClaim, PastLog, gains
from bot.rules.proposal import Change, Idea, Proposal


@dataclass(frozen=True)
class Imported:
    """What came of an import: claims that are `new`, those among them with a known change, and what shall be measured.

    `unclear` counts claims that were kept there and name no change that fits the incumbent.
    """

    new: int
    known: int
    with_changes: int
    to_verify: tuple[ClaimImported, ...]
    unclear: int


def import_log(context: Context, campaign: Campaign, log: PastLog, source: str, verify: int) -> Imported:
    """Write down the claims of a log, each once, and have the best `verify` of them measured first.

    The campaign must have begun.
    """
    files = editable_files(context, campaign.incumbent)
    space = space_of(files, rules_of(context, campaign.incumbent, files))
    categories = {knob.name: knob.category for knob in space.knobs}
    drafted = _claims(context.git, files, log, source, campaign.direction, categories)
    before = set(campaign.claims.known)

    def claims(fresh: Campaign) -> list[Event]:
        first = len(fresh.claims.known) + 1
        new = [claim for digest, claim in drafted.items() if digest not in fresh.claims.known]
        return [replace(claim, claim=first + place) for place, claim in enumerate(new)]

    after = context.ledger.append(claims)
    kept = [
        claim for digest, claim in after.claims.known.items() if digest in drafted and claim.status == "kept"
    ]
    kept = [claim for claim in kept if gain_of(claim, after.direction) > 0]
    fitting = [claim for claim in kept if _applied(context, claim, files)]
    best = sorted(fitting, key=lambda claim: (-gain_of(claim, after.direction), claim.claim))[:verify]

    def ideas(fresh: Campaign) -> list[Event]:
        first = max(fresh.ideas.known, default=0) + 1
        new = [claim for claim in best if fresh.ideas.from_source(SOURCE + claim.digest) is None]
        return [
            IdeaGiven(first + place, _as_idea(claim), SOURCE + claim.digest)
            for place, claim in enumerate(new)
        ]

    if best:
        context.ledger.append(ideas)
    new = [
        claim for digest, claim in after.claims.known.items() if digest in drafted and digest not in before
    ]
    return Imported(
        new=len(new),
        known=len(drafted) - len(new),
        with_changes=sum(bool(claim.changes or claim.edit) for claim in new),
        to_verify=tuple(best),
        unclear=len(kept) - len(fitting),
    )


def claimed_proposal(
    context: Context, campaign: Campaign, files: Mapping[str, str], ideas: Sequence[Idea]
) -> Proposal | None:
    """Return the proposal that measures the first of the waiting `ideas` that is an imported claim and still fits."""
    for idea in ideas:
        source = campaign.ideas.known[idea.number].given.source
        claim = campaign.claims.known.get(source.removeprefix(SOURCE)) if source.startswith(SOURCE) else None
        applied = _applied(context, claim, files) if claim is not None else None
        if claim is None or applied is None:
            continue
        gain = gain_of(claim, campaign.direction)
        return Proposal(
            hypothesis=one_line(f"Verify: {claim.description}", 100),
            category=claim.category,
            reason=(
                f"{claim.source} claims that this gained {gain:.4g}. Nobody has measured that here; a human asked to."
                f" It says: {claim.description}"
            ),
            expected_effect=f"a gain of {gain:.4g}, if the claim holds here",
            risk="It was found on another incumbent, perhaps on another machine.",
            files=applied,
            changes=changes_between({path: files.get(path, "") for path in applied}, applied),
            proposer="import",
            idea=idea.number,
        )
    return None


def _claims(
    git: Git,
    files: Mapping[str, str],
    log: PastLog,
    source: str,
    direction: str,
    categories: Mapping[str, str],
) -> dict[str, ClaimImported]:
    """Return the event of each claim, by digest; its number is not known yet."""
    constants = constants_of(files)
    reached: dict[str, str] = {}
    seen: set[str] = set()
    drafted: dict[str, ClaimImported] = {}
    for claim, against in gains(log.claims, direction):
        commit, parent = _commits(git, claim, seen)
        changes, edit = _changed(git, claim, commit, parent, files, constants, reached)
        if claim.status == "kept":
            reached |= {change.name: change.new for change in changes}
        drafted[claim.digest] = ClaimImported(
            claim=0,
            digest=claim.digest,
            source=one_line(source, 100),
            status=claim.status,
            score=claim.score,
            against=against,
            description=claim.description,
            category=next((categories[c.name] for c in changes if c.name in categories), "other"),
            commit=commit,
            parent=parent,
            changes=tuple({key: str(value) for key, value in vars(change).items()} for change in changes),
            edit=edit,
        )
    return drafted


def _commits(git: Git, claim: PastClaim, seen: set[str]) -> tuple[str, str]:
    """Return the commit that made a claim and its parent, if this clone has them; twice the "" if not.

    Tools that take a change back name the commit before it, as an earlier line does: that one made nothing.
    """
    commit = git.resolve(claim.commit) if claim.commit else None
    if commit is None or commit in seen:
        return "", ""
    seen.add(commit)
    parents = git.tree_and_parents(commit)[1]
    known = len(parents) == 1 and git.resolve(parents[0]) is not None
    return (commit, parents[0]) if known else ("", "")


def _changed(
    git: Git, claim: PastClaim, commit: str, parent: str, files: Mapping[str, str],
    constants: Sequence[Constant], reached: Mapping[str, str],
) -> tuple[tuple[Change, ...], str]:  # fmt: skip
    """Return the constants that a claim changed and a digest of what else; by its commit, or else by its words."""
    if commit:
        before, after = _texts(git, parent, files), _texts(git, commit, files)
        changes = changes_between(before, after)
        edit = edit_beside(before, after, changes)
        if changes or edit:
            return changes, edit
    return changes_in_words(claim.description, constants, reached), ""


def _texts(git: Git, commit: str, files: Mapping[str, str]) -> dict[str, str]:
    found = git.read_blobs(commit, list(files))
    return {path: content.decode(errors="replace") for path, content in found.items() if content is not None}


def _applied(context: Context, claim: ClaimImported, files: Mapping[str, str]) -> dict[str, str] | None:
    """Return the files that change if a claim is put on `files`; None if it doesn't fit, or is in them already."""
    git, changes = context.git, tuple(Change(**change) for change in claim.changes)
    if claim.commit and git.resolve(claim.commit) is not None and git.resolve(claim.parent) is not None:
        base, changed = _texts(git, claim.parent, files), _texts(git, claim.commit, files)
        made = {path: text for path, text in changed.items() if text != base.get(path)}
        carried = carry(base=base, changed=made, onto=files, changes=changes) if made else None
    elif changes:
        now = {(constant.file, constant.local): constant for constant in constants_of(files)}
        there = {
            change: now[change.file, change.local] for change in changes if (change.file, change.local) in now
        }
        if len(there) < len(changes):
            return None
        carried = rewritten(
            files, [Change(at.file, at.name, at.literal, change.new) for change, at in there.items()]
        )
    else:
        return None
    made = {path: text for path, text in (carried or {}).items() if text != files.get(path)}
    return made or None


def _as_idea(claim: ClaimImported) -> str:
    return f"Measure claim {claim.claim} of {claim.source}: {claim.description}"
