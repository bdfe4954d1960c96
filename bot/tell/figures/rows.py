"""One row for each experiment and one dot for each run, taken from the folded campaign."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from statistics import fmean
from typing import Literal

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.experiment import Experiment
from bot.rules.lost_runs import is_lost
from bot.rules.stages import stage_of
from bot.tell.figures.explanation import Explanation, Numbers, explain
from bot.tell.figures.talks import Talk
from bot.tell.sentences import decision_places

HELD = ("hold", "held")
"""The stages of what is confirmed and waits for a reader."""
_GPUS = re.compile(r"\d+x ")
Curve = tuple[tuple[float, float, float], ...]
RunKind = Literal["baseline", "incumbent", "candidate"]


@dataclass(frozen=True)
class RunLine:
    """One run as a row's details show it. `memory_mb` is its peak; `failure` is class and reason in words. The score
    of a run with a `share` of the budget compares with those of the same share only."""

    run: str
    seed: int
    score: float | None
    seconds: float
    memory_mb: float | None
    jail: str
    failure: str | None
    share: float = 1.0


@dataclass(frozen=True)
class Row:
    """One experiment. `state` is its verdict, or the stage it waits for while it is open.

    `effect` is candidate minus incumbent in score units; `runs` counts all its runs, `candidate_runs` and
    `incumbent_runs` those that the verdict compared; `seconds` sums its runs; `curve` holds points of
    (step, training seconds, training loss), and `curve_against` names the incumbent's run to lay beside it.
    `cost_usd` is what its agents cost, `talks` what they said, as far as that is at hand.
    """

    number: int
    state: str
    verdict: str | None
    open: bool
    hypothesis: str
    category: str
    reason: str
    expected_effect: str
    risk: str
    proposer: str
    score: float | None
    against: float | None
    effect: float | None
    half_width: float | None
    digits: int | None
    """How many decimals its figures deserve, None before they have a margin."""
    runs: int
    candidate_runs: int
    incumbent_runs: int
    commit: str | None
    parent: str
    pull: int | None
    url: str | None
    landed: bool
    reverts: int | None
    decision: str
    aim: str
    lesson: str
    added: int | None
    removed: int | None
    seconds: float
    gpu_seconds: float
    cost_usd: float
    memory_mb: float | None
    failure: str | None
    curve: Curve
    curve_against: str | None
    run_lines: tuple[RunLine, ...]
    diff: str
    talks: tuple[Talk, ...]
    experiment: Experiment
    numbers: Numbers
    constants: tuple[tuple[str, str, str], ...]
    """Name, old and new value of each constant, if it changes nothing else; empty otherwise."""
    started_at: str
    finished_at: str | None

    @cached_property
    def explanation(self) -> Explanation:
        """What it changes, why it may work and what it might break; of most rows nobody asks."""
        return explain(self.experiment, self.numbers)

    @property
    def look(self) -> str:
        """What it is shown as: its verdict, "held" if it only waits for a reader, else "open"."""
        if not self.open:
            return self.state
        return "held" if self.state in HELD else "open"

    @property
    def is_dead_end(self) -> bool:
        """Whether it ended in a way that nobody need try again: no better, can't run, or refused; what is undecided,
        or was lost, may be."""
        return not self.open and not self.landed and self.verdict in ("discarded", "crashed", "rejected")

    @property
    def taught(self) -> str:
        """Its lesson, without the hypothesis that it begins with: that stands beside it."""
        said = " ".join(self.lesson.split()).removeprefix(f"{' '.join(self.hypothesis.split())}:").strip()
        return said[:1].lower() + said[1:]


@dataclass(frozen=True)
class Dot:
    """One run on the progress chart. `index` counts the runs with the whole budget from 0, as they were recorded;
    `place` is where it stands on an axis of experiments."""

    index: int
    at: str
    score: float | None
    kind: RunKind
    experiment: int | None
    state: str
    landed: bool
    failure: str | None
    place: float


def state_of(campaign: Campaign, experiment: Experiment, unread: int | None) -> str:
    """Return the verdict of a finished experiment, else the stage that comes next; `unread` merges may be unread."""
    return verdict_of(experiment) or str(stage_of(campaign, experiment, unread))


def verdict_of(experiment: Experiment) -> str | None:
    """Return the verdict once the experiment is finished; one that ended without any is lost."""
    return (experiment.verdict or "lost") if experiment.finished_at else None


def peak_memory_mb(run: RunFinished) -> float | None:
    """Return the run's peak memory in MiB: the GPU's if it has one, else the process's."""
    return run.metrics.get("peak_vram_mb") or run.metrics.get("peak_memory_mb")


def device_of(runs: Iterable[RunFinished]) -> str:
    """Return what the runs trained on, "GPU" or "CPU"; "GPU" before the first. One that says nothing of a GPU's memory
    counts by its runner, which is named "2x ..." after its GPUs (`bot.loop.machine`)."""
    made = list(runs)
    on_gpu = (run.metrics.get("peak_vram_mb", bool(_GPUS.match(run.runner))) for run in made)
    return "GPU" if not made or any(on_gpu) else "CPU"


def usable_score(run: RunFinished) -> float | None:
    """Return the run's score, None if it failed or is no number that could be compared."""
    return run.score if run.score is not None and isfinite(run.score) else None


def failure_words(run: RunFinished) -> str | None:
    """Return why a run failed, None if it did not."""
    if run.failure is None:
        return None
    parts = [run.failure.get("class", ""), run.failure.get("reason", "")]
    return ": ".join(part for part in parts if part) or "failed"


def row_of(
    campaign: Campaign,
    experiment: Experiment,
    diff: str,
    *,
    bill_usd: float = 0.0,
    talks: tuple[Talk, ...] = (),
    unread: int | None = None,
) -> Row:
    """Return the row of one experiment, whatever stage it has reached. `bill_usd` is what its models cost; `unread`
    merges may be without a reader before it waits for one."""
    proposal, candidate, decision = experiment.proposal, experiment.candidate, experiment.decision
    own = campaign.runs_by_experiment.get(experiment.number, ())
    final = _final(campaign, experiment)
    scores = [score for run in final if run.is_full and (score := usable_score(run)) is not None]
    with_curve, against = curves_of(campaign, experiment)
    blamed = [run for run in final if not is_lost(run) or not scores]
    failed = next((run for run in blamed if run.failure is not None), None)
    return Row(
        number=experiment.number,
        state=state_of(campaign, experiment, unread),
        verdict=verdict_of(experiment),
        open=experiment.finished_at is None,
        hypothesis=experiment.title,
        category=proposal.category if proposal else "",
        reason=proposal.reason if proposal else "",
        expected_effect=proposal.expected_effect if proposal else "",
        risk=proposal.risk if proposal else "",
        proposer=proposal.proposer if proposal else "",
        score=decision.score if decision else (fmean(scores) if scores else None),
        against=decision.against if decision else None,
        effect=decision.effect if decision else None,
        half_width=decision.half_width if decision else None,
        digits=decision_places(decision) if decision and decision.effect is not None else None,
        runs=len(own),
        candidate_runs=decision.candidate_runs if decision else len(scores),
        incumbent_runs=decision.incumbent_runs if decision else 0,
        commit=experiment.commit,
        parent=experiment.parent,
        pull=experiment.pull.pull if experiment.pull else None,
        url=experiment.pull.url if experiment.pull else None,
        landed=experiment.landed is not None,
        reverts=experiment.reverts,
        decision=decision.reason if decision else "",
        aim=experiment.aim,
        lesson=decision.lesson if decision else "",
        added=candidate.added if candidate else None,
        removed=candidate.removed if candidate else None,
        seconds=sum(run.seconds for run in own),
        gpu_seconds=sum(run.gpu_seconds for run in own),
        cost_usd=(proposal.cost_usd if proposal else 0.0) + bill_usd,
        memory_mb=peak_of(own),
        failure=failure_words(failed) if failed else None,
        curve=with_curve.curve if with_curve else (),
        curve_against=against.run if against else None,
        run_lines=tuple(_line(run) for run in own),
        diff=diff,
        talks=talks,
        experiment=experiment,
        numbers=numbers_of(campaign, experiment),
        constants=constants_of(experiment),
        started_at=experiment.claimed_at,
        finished_at=experiment.finished_at,
    )


def constants_of(experiment: Experiment) -> tuple[tuple[str, str, str], ...]:
    """Return which constants an experiment moves from what to what; nothing if it changes anything else."""
    proposal = experiment.proposal
    if proposal is None or proposal.edit:
        return ()
    return tuple(
        (each.get("name", ""), each.get("old", ""), each.get("new", "")) for each in proposal.changes
    )


def numbers_of(campaign: Campaign, experiment: Experiment) -> Numbers:
    """Return what was measured of an experiment so far, for its explanation."""
    before = peak_of(campaign.runs_of(experiment.parent))
    after = peak_of(campaign.runs_of(experiment.commit or ""))
    decision = experiment.decision
    if decision is None:
        return Numbers(memory_before=before, memory_after=after)
    return Numbers(decision.effect, decision.half_width, decision.candidate_runs, before, after)


def curves_of(campaign: Campaign, experiment: Experiment) -> tuple[RunFinished | None, RunFinished | None]:
    """Return the run whose curve tells of an experiment, and the incumbent's to lay beside it: same runner and same
    seed if there is one."""
    mine = next((run for run in _final(campaign, experiment) if run.curve and run.is_full), None)
    if mine is None:
        return None, None
    drawn = [run for run in campaign.runs_of(experiment.parent) if run.curve]
    return mine, max(drawn, key=lambda run: (run.runner == mine.runner, run.seed == mine.seed), default=None)


def _final(campaign: Campaign, experiment: Experiment) -> list[RunFinished]:
    """Return the experiment's runs of its latest commit."""
    return [run for run in campaign.runs_for(experiment.number) if run.commit == experiment.commit]


def dots_of(campaign: Campaign, unread: int | None) -> tuple[Dot, ...]:
    """Return every run with the whole budget as a dot, in the order they were recorded; `unread` as for `row_of`."""
    dots, along = [], places_of(campaign)
    for index, run in enumerate(campaign.full_runs()):
        experiment = campaign.experiments.get(run.experiment) if run.experiment is not None else None
        kind: RunKind = "candidate" if experiment else "incumbent"
        if experiment is None and campaign.incumbents and run.commit == campaign.baseline:
            kind = "baseline"
        score = usable_score(run)
        dots.append(
            Dot(
                index=index,
                at=campaign.run_times.get(run.run, ""),
                score=score,
                kind=kind,
                experiment=experiment.number if experiment else None,
                state=state_of(campaign, experiment, unread) if experiment else kind,
                landed=experiment is not None and experiment.landed is not None,
                failure=failure_words(run) or (None if score is not None else "no usable score"),
                place=along[index],
            )
        )
    return tuple(dots)


def places_of(campaign: Campaign) -> list[float]:
    """Return where each run with the whole budget stands on an axis of experiments: at its own, or, if it measured an
    incumbent, after the last one that had run."""
    places, last = [], 0.0
    for run in campaign.full_runs():
        own = run.experiment if run.experiment in campaign.experiments else None
        last = max(last, own or 0)
        places.append(float(own) if own is not None else last + (0.5 if last else 0.0))
    return places


def peak_of(runs: Sequence[RunFinished]) -> float | None:
    """Return the largest of the runs' peaks in MiB, None if none tells its own."""
    return max((mb for run in runs if (mb := peak_memory_mb(run)) is not None), default=None)


def _line(run: RunFinished) -> RunLine:
    return RunLine(
        run=run.run,
        seed=run.seed,
        score=usable_score(run),
        seconds=run.seconds,
        memory_mb=peak_memory_mb(run),
        jail=run.jail,
        failure=failure_words(run),
        share=run.share,
    )
