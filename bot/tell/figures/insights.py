"""What a campaign teaches beyond its single experiments: which kinds of change worked, how one incumbent came
from the other, and what it all cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from bot.base.text import one_line
from bot.rules.bills import Bill
from bot.rules.campaign import Campaign
from bot.rules.events import VERDICTS
from bot.rules.proposal import why_stood_in
from bot.tell.figures.gains import Yardstick, measured
from bot.tell.figures.rows import Row
from bot.tell.numbers import count

_WHY = 160
UNNAMED = "(not said)"
Origin = Literal["baseline", "merged", "base", "moved"]


@dataclass(frozen=True)
class Kind:
    """The finished experiments of one category. `best` is the number of the merged one with the largest effect."""

    name: str
    tried: int
    merged: int
    inconclusive: int
    crashed: int
    best: int | None
    gpu_seconds: float
    cost_usd: float

    @property
    def share(self) -> float:
        """Which part of them was merged."""
        return self.merged / self.tried if self.tried else 0.0


@dataclass(frozen=True)
class Ancestor:
    """One incumbent: how it came (`base` is what the base branch brought, `moved` what somebody set by hand), what
    it scored, and which experiments were made on it. `undone_by` is the experiment that took it out again."""

    commit: str
    origin: Origin
    experiment: int | None
    score: float | None
    runs: int
    tried: tuple[int, ...]
    undone_by: int | None


@dataclass(frozen=True)
class Spent:
    """GPU time and agents' money by what became of it: a verdict, `open`, or `incumbent` for measuring that."""

    use: str
    experiments: int
    runs: int
    gpu_seconds: float
    cost_usd: float


def kinds_of(rows: Sequence[Row], *, lower: bool) -> tuple[Kind, ...]:
    """Return the categories, those that were merged most often first."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if not row.open:
            groups.setdefault(" ".join(row.category.split()) or UNNAMED, []).append(row)
    kinds = [_kind(name, group, lower=lower) for name, group in groups.items()]
    return tuple(sorted(kinds, key=lambda kind: (-kind.merged, -kind.share, -kind.tried, kind.name)))


def _kind(name: str, rows: Sequence[Row], *, lower: bool) -> Kind:
    won = [row for row in rows if row.landed and row.effect is not None]
    sign = 1.0 if lower else -1.0
    best = min(won, key=lambda row: (sign * (row.effect or 0.0), row.number), default=None)
    return Kind(
        name=name,
        tried=len(rows),
        merged=sum(row.landed for row in rows),
        inconclusive=sum(row.verdict == "inconclusive" for row in rows),
        crashed=sum(row.verdict == "crashed" for row in rows),
        best=best.number if best else None,
        gpu_seconds=sum(row.gpu_seconds for row in rows),
        cost_usd=sum(row.cost_usd for row in rows),
    )


def lineage_of(campaign: Campaign, yardstick: Yardstick | None, rows: Sequence[Row]) -> tuple[Ancestor, ...]:
    """Return the incumbents from the baseline to the present one."""
    # A commit that was brought back stands twice: what was tried on it is told where it stood last.
    place = {commit: index for index, commit in enumerate(campaign.incumbents)}
    tried: dict[int, list[int]] = {}
    for row in rows:
        if row.parent in place:
            tried.setdefault(place[row.parent], []).append(row.number)
    landed = {row.commit: row.number for row in rows if row.landed}
    undone = {row.reverts: row.number for row in rows if row.landed and row.reverts is not None}
    taken_in = set(campaign.taken_in)
    line = []
    for index, commit in enumerate(campaign.incumbents):
        number = landed.get(commit)
        seen = measured(campaign, commit, yardstick)
        origin: Origin = "moved"
        if index == 0:
            origin = "baseline"
        elif index in taken_in:
            origin, number = "base", None
        elif number is not None:
            origin = "merged"
        line.append(
            Ancestor(
                commit=commit,
                origin=origin,
                experiment=number,
                score=seen.score,
                runs=seen.runs,
                tried=tuple(tried.get(index, ())),
                undone_by=undone.get(number) if number is not None else None,
            )
        )
    return tuple(line)


def spent_of(campaign: Campaign, rows: Sequence[Row]) -> tuple[Spent, ...]:
    """Return what was spent on what. Its GPU time adds up to the campaign's; money for no experiment is apart."""
    found = []
    for use in (*VERDICTS, "open"):
        group = [row for row in rows if (use == "open" if row.open else row.verdict == use)]
        if group:
            found.append(
                Spent(
                    use,
                    len(group),
                    sum(row.runs for row in group),
                    sum(row.gpu_seconds for row in group),
                    sum(row.cost_usd for row in group),
                )
            )
    own = [run for run in campaign.runs.values() if run.experiment not in campaign.experiments]
    general = campaign.cost_usd() - sum(row.cost_usd for row in rows)
    if own or general > 5e-7:
        seconds = sum(run.gpu_seconds for run in own)
        found.append(Spent("incumbent", 0, len(own), seconds, general if general > 5e-7 else 0.0))
    return tuple(found)


def roles_of(campaign: Campaign) -> tuple[tuple[str, Bill], ...]:
    """Return what each role of the agents used, the dearest first."""
    bills = campaign.bills.by_role.items()
    return tuple(sorted(bills, key=lambda pair: (-pair[1].usd, pair[0])))


def stood_in(campaign: Campaign) -> tuple[str, ...]:
    """Return who proposes or reviews in the place of a model that gives no answer now, with how many experiments in a
    row, and why."""
    past = sorted(campaign.experiments.values(), key=lambda each: -each.number)
    proposers = [e.proposal.proposer for e in past if e.proposal is not None and not e.asked_for]
    reviewers = [e.review.reviewer for e in past if e.review is not None and e.review.reviewer != "rules"]
    told = (("The offline search proposes", proposers), ("The rules alone review", reviewers))
    said = []
    for who, names in told:
        row = len(list(takewhile(why_stood_in, names)))
        if row:
            since = f"the last {count(row, 'experiment')}" if row > 1 else "the last experiment"
            said.append(f"{who} in the place of Claude, {since}: {one_line(why_stood_in(names[0]), _WHY)}")
    return tuple(said)
