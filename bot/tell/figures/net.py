"""What all merges together change against the baseline: each constant once, from its first value to its last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment


@dataclass(frozen=True)
class Net:
    """One constant, from the baseline's value to the incumbent's, and the merged experiments that moved it."""

    file: str
    name: str
    before: str
    after: str
    experiments: tuple[int, ...]


@dataclass(frozen=True)
class Merged:
    """What is merged and was not taken out again: the constants that differ from the baseline, and the experiments
    that change more than constants."""

    constants: tuple[Net, ...] = ()
    beside: tuple[int, ...] = ()


def surviving(landed: Sequence[Experiment]) -> list[Experiment]:
    """Return the merged experiments without those that were taken out again, and without what took them out."""
    own = {e.number for e in landed}
    pairs = [(e.number, e.reverts) for e in landed if e.reverts in own]
    gone = {number for pair in pairs for number in pair}
    return [e for e in landed if e.number not in gone]


def merged_of(campaign: Campaign) -> Merged:
    """Return what the merges change together."""
    found: dict[tuple[str, str], Net] = {}
    beside = []
    for each in surviving(campaign.landed()):
        proposal = each.proposal
        changes = proposal.changes if proposal is not None else ()
        for change in changes:
            key = change.get("file", ""), change.get("name", "")
            first = found.get(key)
            before = first.before if first else change.get("old", "")
            by = (*(first.experiments if first else ()), each.number)
            found[key] = Net(*key, before, change.get("new", ""), by)
        if not changes or (proposal is not None and proposal.edit):
            beside.append(each.number)
    return Merged(tuple(net for net in found.values() if net.before != net.after), tuple(beside))
