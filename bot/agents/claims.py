"""Imported claims: what one changed, as far as its words name constants (`WEIGHT_DECAY 0.2 -> 0.1`), and what a model
is told of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.agents.constants import Constant
from bot.agents.offline.follow import LITERAL, changes_named
from bot.agents.quoting import quoted
from bot.base.text import one_line
from bot.rules.campaign import Campaign
from bot.rules.claims import gain_of
from bot.rules.events import ClaimImported
from bot.rules.proposal import Change

_BEST, _FAILED, _LINE = 20, 12, 180


def changes_in_words(
    text: str, constants: Sequence[Constant], before: Mapping[str, str]
) -> tuple[Change, ...]:
    """Return the constants that `text` sets to new values.

    A name counts in whatever case, with spaces for underscores. `before` are the literals (by name) that the campaign
    had reached; what is not there had its present value. A change to the value that was there is none.
    """
    said = text.lower()
    named = [each for each in constants if all(part.lower() in said for part in _parts(each))]
    for constant in named:
        text = _in_plain_form(text, constant)
    found = changes_named(text, named)
    old = {change.name: _said_before(text, change) or before.get(change.name, change.old) for change in found}
    return tuple(
        Change(change.file, change.name, old[change.name], change.new)
        for change in found
        if old[change.name] != change.new
    )


def _said_before(text: str, change: Change) -> str | None:
    """Return the value that a constant had, if it is said as in `NAME from OLD to NEW`."""
    found = re.search(rf"{re.escape(change.name)} from ({LITERAL})", text)
    return found[1] if found else None


def _parts(constant: Constant) -> list[str]:
    """Return the words of a constant's own name: `matrix` and `lr` of `Settings.matrix_lr` or `--matrix-lr`."""
    own = constant.local.rpartition(".")[2].lstrip("-")
    return [part for part in re.split(r"[_-]", own) if part]


def _in_plain_form(text: str, constant: Constant) -> str:
    """Write what `text` says of a constant as `NAME from OLD to NEW` or `NAME = NEW`."""
    parts = _parts(constant)
    if len("".join(parts)) < 2:
        return text
    name = rf"(?<![\w.]){'[ _-]'.join(map(re.escape, parts))}(?![\w.\[])"
    moved = rf"(?i:{name})\s+({LITERAL})\s*(?:->|→|\bto\b)\s*({LITERAL})"
    text = re.sub(moved, lambda m: f"{constant.name} from {m[1]} to {m[2]}", text)
    text = re.sub(rf"(?i:{name})(?=\s*(?:=(?!=)|:|->|→|\bto\b|\bfrom\b))", lambda _: constant.name, text)
    return re.sub(rf"(?i:{name})\s+({LITERAL})", lambda m: f"{constant.name} = {m[1]}", text)


def claims_told(campaign: Campaign) -> str:
    """Return what a model reads of the claims: the largest that were kept and the latest that failed; empty if none."""
    claims = list(campaign.claims.known.values())
    if not claims:
        return ""
    kept = sorted(
        (claim for claim in claims if claim.status == "kept" and gain_of(claim, campaign.direction) > 0),
        key=lambda claim: (-gain_of(claim, campaign.direction), claim.claim),
    )
    failed = [claim for claim in claims if claim.status != "kept"][-_FAILED:]
    lines = "\n".join(claim_line(campaign, claim) for claim in (*kept[:_BEST], *failed))
    source = one_line(", ".join(campaign.claims.sources()), 100)
    return (
        f"{len(claims)} experiments of another tool were imported from {source}. Nobody has measured them here: they"
        " are hints and no results, and what was kept there may be tried.\n"
        + quoted(lines, "unverified claims", 8_000)
    )


def claim_line(campaign: Campaign, claim: ClaimImported, limit: int = _LINE) -> str:
    """Return a claim in one line."""
    gain = gain_of(claim, campaign.direction)
    said = f", claims {gain:+.3g}" if gain else ""
    return one_line(
        f"claim {claim.claim} (unverified; {claim.status} there{said}): {claim.description}", limit
    )
