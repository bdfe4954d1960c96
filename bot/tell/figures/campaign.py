"""The one place where a campaign's figures are computed. Every page, table and file reads them from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from types import MappingProxyType
from typing import Literal

from bot.rules.ahead import Record, record_of
from bot.rules.bills import Bill
from bot.rules.campaign import Campaign
from bot.rules.confirming import Confirmation, confirmation_of
from bot.rules.events import VERDICTS, BaseLeftOut
from bot.rules.night import Use, use_of
from bot.rules.outer.worth import finished_blocks
from bot.rules.queue import Waiting, queue_of
from bot.rules.rejections import OUTCOMES, Rejections
from bot.rules.rule_changes import RuleChange
from bot.rules.rung_record import RungRecord, rung_records
from bot.rules.statistics import Noise, pooled_noise
from bot.rules.throughput import is_doubted
from bot.tell.figures.claims import ClaimFigures, claim_figures
from bot.tell.figures.cuts import cuts_of_newest
from bot.tell.figures.debt import Debt, debt_of
from bot.tell.figures.gains import (
    Gain,
    Measured,
    Told,
    Yardstick,
    gains_of,
    measured,
    origin_of,
    told_of,
    yardstick_of,
)
from bot.tell.figures.insights import (
    Ancestor,
    Kind,
    Spent,
    kinds_of,
    lineage_of,
    roles_of,
    spent_of,
    stood_in,
)
from bot.tell.figures.net import Merged, merged_of
from bot.tell.figures.outer import OuterFigures, outer_figures
from bot.tell.figures.rows import Curve, Dot, Row, device_of, dots_of, row_of, usable_score
from bot.tell.figures.staircase import Stair, staircase_of
from bot.tell.figures.talks import Talk
from bot.tell.numbers import digits_for, places

State = Literal["new", "running", "idle", "paused", "stopped"]
_NO_DIFFS: Mapping[int, str] = MappingProxyType({})
_NO_TALKS: Mapping[int, tuple[Talk, ...]] = MappingProxyType({})


@dataclass(frozen=True)
class NoiseSeen:
    """Run-to-run standard deviation on one kind of runner; `runs` is 0 if it is only assumed, and
    `degrees` are its degrees of freedom."""

    sigma: float | None
    runs: int
    runner: str
    degrees: float


@dataclass(frozen=True)
class Figures:
    """Everything that is shown of a campaign, as plain data. None means: not measured yet."""

    name: str
    metric: str
    direction: str
    state: State
    stop_reason: str | None
    stop_detail: str
    baseline: Measured | None
    incumbent: Measured | None
    best: Measured | None
    gain: Gain | None
    corrected: Gain | None
    told: Told | None
    """The gain that everything tells."""
    confirmation: Confirmation | None
    """What head and baseline showed side by side, None before they were measured so."""
    taken_in: int
    left_out: BaseLeftOut | None
    wished: Mapping[str, int]
    """Modules that candidates could not have, and how many experiments wanted each."""
    verdicts: Mapping[str, int]
    total: int
    open: int
    landed: int
    runs: int
    failed_runs: int
    doubted_runs: int
    unjailed: int
    gaps: tuple[str, ...]
    rungs: tuple[RungRecord, ...]
    """What came of the runs with each share of the budget."""
    cut: Mapping[str, float]
    """What the newest run tells of cuts (`cuts`, `cuts_caught_bpb`); `cuts` is 0 if it was asked at none."""
    self_reported: bool
    """Whether candidates' code runs where the score is measured."""
    device: str
    """What trained: "GPU" or "CPU"."""
    gpu_seconds: float
    cost_usd: float
    rejections: Rejections
    noise: NoiseSeen
    debt: Debt
    queue: tuple[Waiting, ...]
    proposer: str
    digits: int
    rows: tuple[Row, ...]
    dots: tuple[Dot, ...]
    staircase: tuple[Stair, ...]
    incumbent_curves: Mapping[str, Curve]
    baseline_curve: Curve
    kinds: tuple[Kind, ...]
    lineage: tuple[Ancestor, ...]
    spent: tuple[Spent, ...]
    roles: tuple[tuple[str, Bill], ...]
    mended: tuple[str, ...]
    started_at: str
    last_at: str
    now: datetime
    claims: ClaimFigures
    """What other tools' logs claim."""
    use: Use | None
    """How the time went, None before that can be told."""
    ahead: Record
    """What became of what was prepared ahead."""
    outer: OuterFigures = field(default_factory=OuterFigures)
    rule_changes: tuple[RuleChange, ...] = ()
    audits: str = ""
    """Why audits stop the promotion, empty if they don't."""
    stood_in: tuple[str, ...] = ()
    """Who stands in for a model that gives no answer now, since when, and why."""
    merged: Merged = field(default_factory=Merged)
    """What the merges change together against the baseline."""
    whole_diff: str = ""
    """The same as a diff, as far as it is at hand."""
    repository: str = ""

    @property
    def lower_is_better(self) -> bool:
        return self.direction == "minimize"

    @property
    def cost_per_merge(self) -> float | None:
        """Money for each merge in US dollars, None before the first."""
        return self.cost_usd / self.landed if self.landed else None


def figures(
    campaign: Campaign,
    *,
    diffs: Mapping[int, str] = _NO_DIFFS,
    talks: Mapping[int, tuple[Talk, ...]] = _NO_TALKS,
    now: datetime,
    prior_sigma: float | None = None,
    prior_degrees: float = 3.0,
    max_unread: int | None = None,
    pauses: bool = False,
    proposer: str = "offline",
) -> Figures:
    """Compute what there is to show of `campaign`.

    `diffs` maps experiments to unified diffs and `talks` to what their agents said; `now` is an aware datetime;
    the prior of the noise is that of `bot.rules.statistics.pooled_noise`, with no prior at all if `prior_sigma`
    is None. So many merges may be unread as `max_unread` says, and the loop `pauses` then or goes on. If a
    campaign has changed its machine, commits are compared on the newest kind of runner that measured an incumbent.
    """
    yardstick = yardstick_of(campaign)
    dots = dots_of(campaign, max_unread)
    staircase = staircase_of(campaign, yardstick)
    rows = []
    for n, e in sorted(campaign.experiments.items()):
        usd = campaign.bills.of_experiment(n).usd
        rows.append(
            row_of(campaign, e, diffs.get(n, ""), bill_usd=usd, talks=talks.get(n, ()), unread=max_unread)
        )
    noise = _noise(campaign, yardstick, prior_sigma, prior_degrees)
    state, stop_reason, stop_detail = _state(campaign, now)
    origin = origin_of(campaign, yardstick) if campaign.incumbents else 0
    baseline = measured(campaign, campaign.incumbents[origin], yardstick) if campaign.incumbents else None
    incumbent = measured(campaign, campaign.incumbent, yardstick) if campaign.incumbents else None
    gain, corrected = gains_of(campaign, yardstick, sigma=noise.sigma, degrees=noise.degrees, since=origin)
    found = confirmation_on(campaign, yardstick, noise)
    told = told_of(gain, corrected, found, baseline.commit) if baseline is not None else None
    done = [row for row in rows if not row.open]
    drawn = {row.curve_against for row in rows if row.curve_against}
    return Figures(
        name=campaign.started.campaign if campaign.started else "",
        metric=campaign.metric,
        direction=campaign.direction,
        state=state,
        stop_reason=stop_reason,
        stop_detail=stop_detail,
        baseline=baseline,
        incumbent=incumbent,
        best=_best(staircase, lower=campaign.direction == "minimize"),
        gain=gain,
        corrected=corrected,
        told=told,
        confirmation=found,
        self_reported=campaign.self_reported,
        taken_in=sum(1 for place in campaign.taken_in if place > origin),
        left_out=campaign.left_out,
        wished=campaign.wishes.counts(),
        claims=claim_figures(campaign),
        use=use_of(campaign),
        ahead=record_of(campaign),
        verdicts={verdict: sum(1 for row in done if row.verdict == verdict) for verdict in VERDICTS},
        total=len(rows),
        open=len(rows) - len(done),
        landed=sum(1 for row in rows if row.landed),
        runs=len(campaign.runs),
        failed_runs=sum(1 for run in campaign.runs.values() if usable_score(run) is None),
        doubted_runs=sum(map(is_doubted, campaign.runs.values())),
        unjailed=sum(1 for run in campaign.runs.values() if run.jail == "none"),
        gaps=tuple(sorted({each for run in campaign.runs.values() for each in run.gaps})),
        rungs=rung_records(campaign),
        rule_changes=tuple(campaign.rule_changes),
        cut=cuts_of_newest(campaign),
        device=device_of(campaign.runs.values()),
        gpu_seconds=float(campaign.gpu_seconds()),
        cost_usd=float(campaign.cost_usd()),
        rejections=_rejections(campaign),
        noise=noise,
        debt=debt_of(campaign, {row.number: row for row in rows}, limit=max_unread, pauses=pauses),
        queue=queue_of(campaign, max_unread),
        proposer=proposer,
        digits=_digits(told, noise.sigma, staircase),
        rows=tuple(rows),
        dots=dots,
        staircase=staircase,
        incumbent_curves={run: campaign.runs[run].curve for run in sorted(drawn)},
        baseline_curve=_baseline_curve(campaign, origin),
        kinds=kinds_of(rows, lower=campaign.direction == "minimize"),
        lineage=lineage_of(campaign, yardstick, rows),
        spent=spent_of(campaign, rows),
        roles=roles_of(campaign),
        mended=tuple(campaign.mended),
        started_at=campaign.started_at,
        last_at=campaign.last_at,
        now=now,
        outer=_outer(campaign, noise, found, now),
        stood_in=stood_in(campaign),
        merged=merged_of(campaign),
    )


def _outer(campaign: Campaign, noise: NoiseSeen, found: Confirmation | None, now: datetime) -> OuterFigures:
    if not campaign.outer.blocks and not campaign.outer.switched_off:
        return OuterFigures()
    confirmed = found.gain if found is not None and found.is_whole else None
    return outer_figures(campaign, finished_blocks(campaign, noise.sigma or 0.0, confirmed), now)


def confirmation_on(campaign: Campaign, yardstick: Yardstick | None, noise: NoiseSeen) -> Confirmation | None:
    """Return what head and baseline showed side by side on the yardstick, None before that or without a noise."""
    if yardstick is None or noise.sigma is None:
        return None
    return confirmation_of(campaign, yardstick, Noise(noise.sigma, noise.degrees, noise.runs))


def _baseline_curve(campaign: Campaign, origin: int) -> Curve:
    if not campaign.incumbents:
        return ()
    own = campaign.runs_by_commit.get(campaign.incumbents[origin], ())
    return next((run.curve for run in own if len(run.curve) > 1), ())


def _rejections(campaign: Campaign) -> Rejections:
    """Count what a reviewing model rejected, and what came of those that were trained once."""
    reviews = [e.review for e in campaign.experiments.values() if e.review is not None]
    rejected = [r for r in reviews if not r.approved and not r.revise and not r.reviewer.startswith("rules")]
    seen = [e.measured.outcome for e in campaign.experiments.values() if e.measured is not None]
    return Rejections(len(rejected), tuple((outcome, seen.count(outcome)) for outcome in OUTCOMES))


def _digits(told: Told | None, sigma: float | None, staircase: Sequence[Stair]) -> int:
    """Return how many decimals scores have: as many as the gain that is told, so that they lie side by side with it;
    before there is one by their noise."""
    if told is not None and told.half_width:
        return places(told.half_width)
    return digits_for(sigma, [stair.score for stair in staircase])


def _best(staircase: Sequence[Stair], *, lower: bool) -> Measured | None:
    if not staircase:
        return None
    best = (min if lower else max)(staircase, key=lambda stair: stair.score)
    return Measured(best.commit, best.score, best.runs)


def _noise(
    campaign: Campaign, yardstick: Yardstick | None, prior_sigma: float | None, prior_degrees: float
) -> NoiseSeen:
    """Return the noise on the yardstick."""
    runner, fingerprint = yardstick or ("", None)
    weight = prior_degrees if prior_sigma is not None else 0.0
    noise = pooled_noise(
        [list(filter(isfinite, group)) for group in campaign.score_groups(runner, fingerprint)],
        prior_sigma=prior_sigma or 0.0,
        prior_degrees=weight,
    )
    known = noise.degrees > 0 or prior_sigma is not None
    return NoiseSeen(noise.sigma if known else None, noise.runs, runner, noise.degrees)


def _state(campaign: Campaign, now: datetime) -> tuple[State, str | None, str]:
    stopped = campaign.stopped
    reason, detail = (stopped.reason, stopped.detail) if stopped else (None, "")
    if campaign.paused:
        return "paused", reason or "paused", detail
    if stopped or campaign.stop_asked:
        return "stopped", reason or "stopped", detail
    if not campaign.runs and not campaign.experiments:
        return "new", None, ""
    held = any(datetime.fromisoformat(lease.until) > now for lease in campaign.leases.values())
    return ("running" if held else "idle"), None, ""
