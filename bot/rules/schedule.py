"""What a loop does next: a pure choice from the campaign's state."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile

from bot.rules import reference
from bot.rules.ahead import is_untrained, record_of
from bot.rules.audits import lacks_head_audit
from bot.rules.campaign import Campaign
from bot.rules.decision import UNCERTAIN
from bot.rules.experiment import Experiment, Lease
from bot.rules.human import in_hand
from bot.rules.lost_runs import CERTAIN, is_lost, lost_for_good
from bot.rules.reasons import BASELINE, MACHINE
from bot.rules.stages import stage_of
from bot.rules.stopping import Limits, Stop, why_stop
from bot.rules.tracking import track

_HEAD_TRIES = 2  # of a head that fails for another reason than its audit


@dataclass(frozen=True)
class MeasureIncumbent:
    """Run the incumbent once more, or the reference if that is another commit."""

    commit: str
    replicate: int
    why: str


@dataclass(frozen=True)
class Continue:
    """Go on with an experiment that was begun."""

    experiment: int


@dataclass(frozen=True)
class Begin:
    """Claim a number for a new experiment; `reverts` names the one to take out, `retries` the one to try again,
    if that is asked."""

    experiment: int
    reverts: int | None = None
    retries: int | None = None


@dataclass(frozen=True)
class Wait:
    """Others hold all there is to do now."""

    why: str


Step = MeasureIncumbent | Continue | Begin | Wait | Stop


@dataclass(frozen=True)
class Standing:
    """What the choice depends on besides the campaign: who asks, when, on what, under which limits."""

    holder: str
    now: datetime
    runner: str
    fingerprint: str | None
    limits: Limits
    incumbent_runs: int
    remeasure_every: int
    is_dead: Callable[[str], bool]
    """Whether a holder is known to be gone (a process of this machine that no longer runs)."""
    settings: str = ""
    """A digest of the settings that the reference's measures must hold for; empty if no time is counted."""
    prior_sigma: float | None = None
    """The noise to assume before replicates tell, in score units; None takes 0.1 % of the score."""
    audits: bool = False
    """Whether runs are audited, so that the head needs its audit before a promotion."""
    overlaps: bool = False
    """Whether what is left of an experiment after its verdict may be done while something else trains."""


def is_anothers(lease: Lease | None, holder: str, now: datetime, is_dead: Callable[[str], bool]) -> bool:
    """Whether another than `holder` works on it: a lease that has not run out, of one not known to be gone."""
    if lease is None or lease.holder == holder or is_dead(lease.holder):
        return False
    return datetime.fromisoformat(lease.until) > now


def held(lease: Lease | None, standing: Standing) -> bool:
    """Whether another works on it than who stands so."""
    return is_anothers(lease, standing.holder, standing.now, standing.is_dead)


def is_run_held(campaign: Campaign, commit: str, standing: Standing) -> bool:
    """Whether somebody else makes the next run of a commit now."""
    return held(campaign.leases.get(f"run:{run_id(commit, next_replicate(campaign, commit))}"), standing)


def next_step(campaign: Campaign, standing: Standing) -> Step:
    """Choose the next step of one loop.

    A begun experiment comes before everything, unless it only waits for a reader of earlier merges; then the stop
    conditions, the incumbent's runs, what was prepared while another trained, and a new experiment. A paused campaign
    does not even continue what was begun. What is only to be closed may wait for whatever trains next, if anything
    does.
    """
    stop = why_stop(campaign, standing.limits, now=standing.now)
    if stop is not None and stop.reason == "paused":
        return stop
    waiting = ""
    opened = in_hand(campaign, standing.limits.unread)
    prepared: list[Experiment] = []
    to_close: list[Experiment] = []
    for experiment in opened:
        if held(campaign.leases.get(f"experiment:{experiment.number}"), standing):
            waiting = f"another loop works on experiment {experiment.number}"
        elif standing.overlaps and is_to_close(campaign, experiment):
            to_close.append(experiment)
        elif is_untrained(campaign, experiment):
            prepared.append(experiment)
        else:
            return Continue(experiment.number)
    step = _after_begun(campaign, standing, prepared, to_close)
    if isinstance(step, Begin | Stop | Wait) and to_close:
        return Continue(to_close[0].number)  # nothing trains beside that
    if not isinstance(step, Begin):
        return Wait(waiting or step.why) if isinstance(step, Wait) else step
    limit = standing.limits.experiments
    if limit is not None and len(campaign.order) + len(campaign.open_experiments()) >= limit:
        if not opened:
            return _all_but_held(campaign, limit)
        if prepared:
            return Continue(prepared[0].number)
        return Wait(waiting or "others have the last experiments in hand")
    return step


def _after_begun(
    campaign: Campaign, standing: Standing, prepared: list[Experiment], to_close: list[Experiment]
) -> Step:
    """Return what comes once nothing begun is to be trained; those `to_close` count as ended."""
    ended = campaign
    if to_close:
        ended = replace(campaign, order=[*campaign.order, *(e.number for e in to_close)])
    stop = why_stop(ended, standing.limits, now=standing.now)
    if stop is not None:
        return stop
    if campaign.reverts_waiting:
        return next_experiment(campaign)
    first = incumbent_step(campaign, standing)
    if first is not None:
        return first
    return Continue(prepared[0].number) if prepared else next_experiment(campaign)


def next_ahead(campaign: Campaign, standing: Standing, most_usd: float) -> Begin | None:
    """Return what may be prepared while something trains: the next experiment, on the present incumbent.

    None if the loop is about to end or the head about to change, and if what was prepared ahead in vain has cost
    `most_usd`. Before anything has a score, nobody knows whether the task runs at all.
    """
    if campaign.reverts_waiting or not campaign.scored_runs:
        return None
    limit = standing.limits.experiments
    if limit is not None and len(campaign.order) + len(campaign.open_experiments()) >= limit:
        return None
    if why_stop(campaign, standing.limits, now=standing.now) is not None:
        return None
    if record_of(campaign).dropped_usd >= most_usd:
        return None
    return next_experiment(campaign)


def is_fresh(campaign: Campaign, step: object) -> bool:
    """Whether a step takes up an experiment that was prepared ahead, so that it is as good as a beginning."""
    return isinstance(step, Continue) and is_untrained(campaign, campaign.experiments[step.experiment])


def is_to_close(campaign: Campaign, experiment: Experiment) -> bool:
    """Whether everything about an experiment is known, and it is only to be told and closed."""
    return stage_of(campaign, experiment, None) == "close"


def _all_but_held(campaign: Campaign, limit: int) -> Stop:
    done, more = len(campaign.order), len(campaign.open_experiments())
    said = "1 improvement waits" if more == 1 else f"{more} improvements wait"
    return Stop("experiments", f"{done} done, and {said} for a reader, stop.experiments is {limit}")


def next_experiment(campaign: Campaign) -> Begin:
    """Return what the next experiment is for: what a human asked comes first."""
    number = max(campaign.experiments, default=0) + 1
    if campaign.reverts_waiting:
        return Begin(number, reverts=campaign.reverts_waiting[0])
    return Begin(number, retries=next(iter(campaign.retries_waiting), None))


def incumbent_step(campaign: Campaign, standing: Standing) -> MeasureIncumbent | Wait | Stop | None:
    """Return what the incumbent needs before an experiment is compared with it; None if that is nothing.

    What time is charged by comes first: the reference is measured, by a run of the incumbent if it is that.
    """
    commit, (missing, why) = campaign.incumbent, _missing_runs(campaign, standing)
    unmeasured = reference.is_missing(campaign, standing.runner, standing.settings)
    if unmeasured and (campaign.reference != campaign.incumbent or not missing):
        commit, missing, why = campaign.reference, 1, "time is charged at its measure"
    if not missing:
        return None
    failed = _machine_fails(campaign, standing, commit)
    if failed is None and commit == campaign.incumbent:
        failed = _failed_baseline(campaign, standing)
    if failed is None and unmeasured:
        failed = _failed_reference(campaign, standing)
    if failed is not None:
        return failed
    free = _first_free(campaign, commit, missing, standing)
    if free is not None:
        return MeasureIncumbent(commit, free, why)
    return Wait("another loop measures the incumbent")


def title_of(step: MeasureIncumbent, campaign: Campaign) -> str:
    """Return what a run is called for people."""
    return f"{'incumbent' if step.commit == campaign.incumbent else 'reference'}: {step.why}"


def _machine_fails(campaign: Campaign, standing: Standing, commit: str) -> Stop | None:
    """A machine that loses one run after another needs a human, and says nothing of the task."""
    lost = lost_for_good(campaign, commit, runner=standing.runner)
    if not lost:
        return None
    reason = (lost[-1].failure or {}).get("reason", "")
    return Stop(
        MACHINE.name,
        f"the machine lost {len(lost)} runs of {commit[:12]} in a row ({reason}); look at the runner: nothing is said"
        " of the task",
    )


def _failed_reference(campaign: Campaign, standing: Standing) -> Stop | None:
    """A reference that fails again and again can't be measured: a human must look."""
    failed = reference.failures(campaign, standing.runner)
    if len(failed) < reference.TRIES:
        return None
    reason = (failed[-1].failure or {}).get("reason", "")
    return Stop(
        BASELINE.name,
        f"{campaign.reference[:12]}, by which time is charged, fails ({reason}); fix it on the campaign's branch",
    )


def _missing_runs(campaign: Campaign, standing: Standing) -> tuple[int, str]:
    """Return how many runs the incumbent lacks on this kind of runner, and why it needs them."""
    commit = campaign.incumbent
    known = track(campaign, commit, standing.runner, standing.fingerprint, standing.prior_sigma)
    if known is None or (not known.exact and known.degrees < standing.incumbent_runs):
        usable = campaign.scores_of(commit, runner=standing.runner, fingerprint=standing.fingerprint)
        return max(1, standing.incumbent_runs - len(usable)), "it needs its first runs"
    latest = campaign.runs_on.get(standing.runner, [])[-1:]
    if latest and is_lost(latest[0]):
        return 1, "the last run was lost: does this machine still work?"
    runs = campaign.runs_of(commit, runner=standing.runner)
    landed = campaign.experiment_of(commit)
    fresh = [run for run in runs if landed is None or run.experiment is None]
    if known.variance > UNCERTAIN and not _measured_twice(campaign, commit, standing.runner):
        return 1, "its level has become uncertain"
    if not fresh:
        return 1, "the runs that won it the place were picked: one more, unpicked"
    last = campaign.run_times[fresh[-1].run]
    ended = (campaign.experiments[number].finished_at or "" for number in reversed(campaign.order))
    since = sum(1 for _ in takewhile(lambda at: at > last, ended))
    if since >= standing.remeasure_every:
        return 1, f"{since} experiments since its last run"
    failed = sum(run.score is None and not is_lost(run) for run in fresh)
    if standing.audits and failed < _HEAD_TRIES and lacks_head_audit(campaign):
        return 1, "its audit before a promotion"
    return 0, ""


def _measured_twice(campaign: Campaign, commit: str, runner: str) -> bool:
    """Whether the newest two runs on a kind of runner are of the incumbent: more would not make it less uncertain."""
    newest = campaign.runs_on.get(runner, [])[-2:]
    return len(newest) == 2 and all(run.commit == commit and run.experiment is None for run in newest)


def _failed_baseline(campaign: Campaign, standing: Standing) -> Stop | None:
    """An incumbent that never scored and fails twice, or once for what stays, can't be beaten: a human must look."""
    runs = campaign.runs_of(campaign.incumbent, runner=standing.runner)
    runs = [run for run in runs if not is_lost(run)]
    failures = [run.failure for run in runs if run.failure is not None]
    enough = 1 if failures and failures[-1].get("class") in CERTAIN else 2
    if len(failures) < enough or len(failures) < len(runs) or campaign.resumed_at_runs >= len(campaign.runs):
        return None
    reason = failures[-1].get("reason", "")
    where = "on the campaign's branch" if campaign.experiments else "and commit it"
    return Stop(BASELINE.name, f"the incumbent itself fails ({reason}); fix it {where}")


def _first_free(campaign: Campaign, commit: str, missing: int, standing: Standing) -> int | None:
    """Return the number of a missing run of a commit that nobody makes now."""
    first = next_replicate(campaign, commit)
    for replicate in range(first, first + missing):
        if not held(campaign.leases.get(f"run:{run_id(commit, replicate)}"), standing):
            return replicate
    return None


def next_replicate(campaign: Campaign, commit: str) -> int:
    """Return the number of the commit's next run, whatever machine it runs on. Counts from 1."""
    return max((run.replicate for run in campaign.tries_of(commit)), default=0) + 1


def run_id(commit: str, replicate: int) -> str:
    """Name the `replicate`-th run of a commit."""
    return f"{commit[:12]}-{replicate}"


_SEEDS = 899  # of a campaign, from 1 on; 900 and above are for measuring head and baseline again


def seed_of(campaign_seed: int, subject: str, replicate: int) -> int:
    """Return the seed of the `replicate`-th run (1, 2, ...) of a commit, which `subject_of` names.

    Each commit has seeds of its own, so that what a seed adds to all scores is noise like any other: were they the
    same for all, every candidate would meet a hard first seed and its incumbent the mean of several.
    """
    first = int.from_bytes(hashlib.sha256(subject.encode()).digest()[:4], "big")
    return campaign_seed * 1000 + 1 + (first + replicate - 1) % _SEEDS


def subject_of(campaign: Campaign, commit: str, experiment: int | None = None) -> str:
    """Name a commit by what it is in its campaign: one that is begun anew makes its runs with the same seeds, though
    its commits have other ids. `experiment` is the one that it is a candidate of."""
    number = experiment if experiment is not None else campaign.landed_as.get(commit)
    if number is not None:
        return f"experiment {number}"
    if commit in campaign.incumbents:
        return f"incumbent {campaign.incumbents.index(commit)}"
    return "incumbent 0" if not campaign.incumbents else "reference"
