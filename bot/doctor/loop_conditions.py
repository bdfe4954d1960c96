"""Three of the four conditions under which a loop earns its cost: it repeats, it can be verified, it can be paid."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from bot.config import CONFIG_PATH, Config
from bot.doctor.finding import Finding, amber, green, red
from bot.doctor.incumbent import NEEDED, Draws
from bot.loop.plan import Plan, night
from bot.rules.campaign import Campaign
from bot.rules.noise import PRIOR_DEGREES, PRIOR_SHARE
from bot.rules.statistics import Noise, pooled_noise, t_quantile
from bot.rules.stopping import Stop
from bot.tell import numbers

REPEATS = "the task repeats"
VERIFIED = "verification is automatic"
HOURS = "the budget absorbs the waste: machine time"
MONEY = "the budget absorbs the waste: money"
FEW = 10  # experiments; at the keep rates that others report, two of them improve something at best
KEPT = (0.05, 0.22)  # shares of experiments that recorded autoresearch campaigns kept
HOPELESS = 0.05  # of the score: a spread in which no ordinary gain can be seen
AGREEMENT = 0.99  # one-sided confidence beyond which two scores disagree


def repeats(plan: Plan, stop: Stop | None, config: Config) -> Finding:
    """Judge whether enough experiments are planned to repay a loop; `stop` is why none would begin now."""
    if stop is not None:
        return red(REPEATS, f"no experiment would begin: {stop.detail}", f"look at `stop:` in {CONFIG_PATH}")
    cost = _cost(plan)
    if plan.experiments is None and not plan.bound:
        until = "" if config.stop.plateau is None else f", but for a plateau of {config.stop.plateau}"
        said = f"no end is planned: stop.experiments and stop.deadline are null{until}; {cost}"
        return amber(REPEATS, said, f"set stop.experiments or stop.deadline in {CONFIG_PATH}")
    if plan.experiments is None:
        said = f"until {config.stop.deadline}; {cost}, so that nobody can say how many experiments that is"
        return amber(REPEATS, said, "run `nocturne doctor` without --quick")
    said = f"{numbers.count(plan.experiments, 'experiment')} to come ({plan.bound}), {cost}"
    if plan.experiments < FEW:
        low, high = (plan.experiments * share for share in KEPT)
        said += (
            f"; at the usual {KEPT[0]:.0%} to {KEPT[1]:.0%} {low:.1f} to {high:.1f} of them improve anything"
        )
        return amber(REPEATS, said, f"raise {plan.bound} in {CONFIG_PATH}, or try the ideas by hand")
    if plan.seconds_per_run is None:
        return amber(REPEATS, said, "run `nocturne doctor` without --quick")
    return green(REPEATS, said)


def verified(drawn: Draws, campaign: Campaign, config: Config) -> Finding:
    """Judge whether two runs of the incumbent agree within the noise, so that a machine can tell what is better."""
    where = f"{config.evaluator.metric.name} of {drawn.commit[:12]} on {drawn.runner}"
    failed = [run for run in drawn.runs if run.score is None]
    if failed:
        fix = "fix it until `nocturne-evaluator score .` ends with a score"
        return red(
            VERIFIED, f"the incumbent itself fails ({failed[0].failure}) with seed {failed[0].seed}", fix
        )
    if len(drawn.scores) < NEEDED:
        said = f"not measured: {where} has {len(drawn.scores)} of {NEEDED} runs"
        fix = "run `nocturne doctor` without --quick, while no loop measures the incumbent"
        if drawn.too_long is not None:
            said += f", and one takes more than {numbers.about(drawn.too_long)}"
            fix = "`nocturne doctor --run` makes them; the loop takes them up"
        return amber(VERIFIED, said, fix)
    first, second = drawn.scores[-NEEDED:]
    noise = _others_noise(campaign, config, drawn)
    apart, level = abs(first - second), max(abs(first), abs(second))
    allowed = t_quantile(AGREEMENT, noise.degrees) * noise.sigma * math.sqrt(2)
    seeds = " and ".join(str(run.seed) for run in drawn.runs)
    said = (
        f"{where}: {numbers.number(first)} and {numbers.number(second)} with seeds {seeds}, {apart:.2g} apart"
        f" where noise allows {allowed:.2g}{_origin(drawn)}"
    )
    if apart == 0:
        said += "; nothing depends on the seed ($NOCTURNE_SEED)"
    tokens = drawn.runs[-1].tokens
    said += f"; {tokens}" if tokens else ""
    if apart <= allowed:
        return green(VERIFIED, said)
    if apart <= HOPELESS * level:
        fix = "train longer: with such noise small gains stay inconclusive"
        return amber(VERIFIED, said, fix)
    fix = (
        "find what differs from run to run (seeds, data order, a busy machine) before a loop believes a score"
    )
    return red(VERIFIED, said, fix)


def affordable(plan: Plan, campaign: Campaign, config: Config) -> list[Finding]:
    """Judge the planned experiments, most of which will be discarded, against the caps."""
    stop = config.stop
    hours = None if stop.gpu_hours is None else stop.gpu_hours * 3600
    time = _against(
        HOURS, plan, Price("stop.gpu_hours", plan.seconds_each, campaign.gpu_seconds(), hours, numbers.about)
    )
    if plan.usd_each == 0.0 and stop.cost_usd is None:
        return [time, green(MONEY, "0 USD an experiment: the offline search asks no paid model")]
    price = Price("stop.cost_usd", plan.usd_each, campaign.cost_usd(), stop.cost_usd, numbers.money)
    return [time, _against(MONEY, plan, price)]


@dataclass(frozen=True)
class Price:
    """What an experiment takes of something, what the campaign took, and the cap that `key` sets; one unit."""

    key: str
    each: float | None
    used: float
    cap: float | None
    show: Callable[[float], str]


def _against(condition: str, plan: Plan, price: Price) -> Finding:
    """Compare what the plan costs with its cap."""
    count = plan.experiments
    planned = ""
    if price.each is not None:
        planned = f"{price.show(price.each)} an experiment"
        if count is not None:
            planned += (
                f", {price.show(price.each * count)} for the {numbers.count(count, 'experiment')} planned"
            )
    if price.cap is None:
        said = (
            f"{price.key} is null: nothing bounds what the campaign takes{'; ' if planned else ''}{planned}"
        )
        return amber(condition, said, f"set {price.key} in {CONFIG_PATH}")
    left = max(price.cap - price.used, 0.0)
    remains = f"{price.show(left)} of {price.show(price.cap)} left ({price.key})"
    if price.each is None:
        said = f"{remains}; what an experiment takes is not measured"
        return amber(condition, said, "run `nocturne doctor` without --quick")
    bought = math.inf if price.each == 0 else left / price.each
    if bought < 1:
        return red(condition, f"{planned}; {remains}: not one more", f"raise {price.key} in {CONFIG_PATH}")
    if count is not None and bought < count:
        fix = f"raise {price.key}, or plan fewer experiments, in {CONFIG_PATH}"
        return amber(condition, f"{planned}; {remains}: enough for about {int(bought)}", fix)
    return green(condition, f"{planned}; {remains}")


def _others_noise(campaign: Campaign, config: Config, drawn: Draws) -> Noise:
    """Return the noise that everything but the incumbent's own runs tells, so that these can contradict it."""
    groups: dict[tuple[str, str | None], list[float]] = {}
    for run in campaign.runs.values():
        comparable = run.is_full and run.runner == drawn.runner and run.commit != drawn.commit
        if run.score is not None and comparable:
            groups.setdefault((run.commit, run.fingerprint), []).append(run.score)
    first = drawn.scores[0]
    prior = config.verdict.prior_sigma or abs(first) * PRIOR_SHARE or PRIOR_SHARE
    return pooled_noise(groups.values(), prior_sigma=prior, prior_degrees=PRIOR_DEGREES)


def _origin(drawn: Draws) -> str:
    made = drawn.fresh
    return f" ({made} run{'s' if made > 1 else ''} made now)" if made else " (runs made before)"


def _cost(plan: Plan) -> str:
    if plan.seconds_per_run is None:
        return "what a run takes is not measured"
    how = "counted" if plan.runs_known else "assumed"
    said = f"a run takes {plan.run_words} and an experiment {plan.runs_each:.1f} runs ({how})"
    said = said if plan.gpu_hours is None else f"{said}: {numbers.about(plan.gpu_hours * 3600)} in all"
    return f"{said}; {night(plan)}"
