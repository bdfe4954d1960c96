"""How often the verdict rule errs and what it costs, on simulated campaigns whose truth is known.

Each campaign has 40 experiments on one incumbent: it is measured twice, and again after each tenth. Candidates that
change nothing tell of false merges and runs, candidates that are better by three sigma of what is left. `sigma` is in
units of what the rule expects before it has seen replicates. Beside the rule stands the comparison of two means
without a run of the incumbent beside the candidate's, as it was before.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.rules.decision import Decided, NeedRun, Rule, decide
from bot.rules.statistics import compare, pooled_noise
from bot.rules.variation import Known, Scored

EXPECTED = 0.001
EXPERIMENTS = 40
Decide = Callable[[list[Scored], list[Scored], Known], "Decided | NeedRun"]


@dataclass(frozen=True)
class World:
    """How runs vary: noise, variation between seeds, drift for each run, a jump after the run `jump_after`."""

    sigma: float
    seeds: float = 0.0
    drift: float = 0.0
    walk: float = 0.0
    jump: float = 0.0
    step: float = 0.0


@dataclass
class Machine:
    """Makes runs, one a unit of time."""

    world: World
    draw: random.Random
    clock: int = 0
    wandered: float = 0.0
    seeds: dict[int, float] = field(default_factory=dict)

    def run(self, level: float, seed: int) -> Scored:
        self.clock += 1
        world = self.world
        self.wandered += self.draw.gauss(0, world.walk) - world.drift
        if world.jump and self.clock % 7 == 3:  # such as between the baseline and the first candidate
            self.wandered = -world.jump if self.wandered == 0 else 0.0
        own = self.seeds.setdefault(seed, self.draw.gauss(0, world.seeds))
        score = 1 + level + own + self.wandered + self.draw.gauss(0, world.sigma)
        if world.step:
            score = round(score / world.step) * world.step
        return Scored(score, seed, float(self.clock))


def new(candidate: list[Scored], incumbent: list[Scored], known: Known) -> Decided | NeedRun:
    """The rule."""
    return decide(candidate, incumbent, known, direction="minimize", rule=Rule())


def before(candidate: list[Scored], incumbent: list[Scored], known: Known) -> Decided | NeedRun:
    """Two means and the pooled noise, the incumbent's runs however old."""
    mine, theirs = [run.score for run in candidate], [run.score for run in incumbent]
    groups = [[run.score for run in group] for group in known.groups]
    noise = pooled_noise([*groups, mine, theirs], prior_sigma=EXPECTED, prior_degrees=3)
    if not mine:
        return NeedRun("candidate", "")
    result = compare(mine, theirs, noise, confidence=0.95)
    if len(mine) >= 2 and -result.effect > result.half_width:
        return Decided("improved", "", result)
    if result.effect >= 0:
        return Decided("discarded", "", result)
    now, then = (1 / len(mine) + 1 / len(theirs)) ** 0.5, (1 / 4 + 1 / max(len(theirs), 4)) ** 0.5
    if len(mine) >= 4 or (len(mine) >= 2 and -result.effect < 0.5 * result.half_width * then / now):
        return Decided("inconclusive", "", result)
    return NeedRun("incumbent" if len(theirs) < len(mine) else "candidate", "")


def campaign(rule: Decide, world: World, effect: float, draw: random.Random) -> list[tuple[str, int]]:
    """Play a campaign on one incumbent; return verdict and runs of each experiment."""
    machine = Machine(world, draw)
    incumbent = [machine.run(0.0, 1), machine.run(0.0, 2)]
    groups: list[tuple[Scored, ...]] = []
    ended: list[tuple[str, int]] = []
    for number in range(EXPERIMENTS):
        candidate: list[Scored] = []
        began = machine.clock
        if number and number % 10 == 0:
            incumbent.append(machine.run(0.0, len(incumbent) + 1))
        while True:
            outcome = rule(candidate, incumbent, Known(tuple(groups), EXPECTED, 3))
            if isinstance(outcome, Decided):
                break
            if outcome.of == "candidate":
                candidate.append(machine.run(effect, len(candidate) + 1))
            else:
                incumbent.append(machine.run(0.0, len(incumbent) + 1))
        groups.append(tuple(candidate))
        ended.append((outcome.verdict, machine.clock - began))
    return ended


WORLDS = {
    "sigma 0.3": World(0.0003),
    "sigma 1": World(0.001),
    "sigma 3": World(0.003),
    "sigma 1, seeds 1": World(0.001, seeds=0.001),
    "sigma 1, seeds 5": World(0.001, seeds=0.005),
    "sigma 0.1, seeds 5": World(0.0001, seeds=0.005),
    "sigma 1, trend 1": World(0.001, drift=0.001),
    "sigma 1, trend 5": World(0.001, drift=0.005),
    "sigma 1, walk 1": World(0.001, walk=0.001),
    "sigma 1, jumps of 10": World(0.001, jump=0.01),
    "sigma 1, steps of 5": World(0.001, step=0.005),
    "sigma 2, steps of 5": World(0.002, step=0.005),
}


def main(campaigns: int) -> None:
    """Print a line for each world."""
    print(f"{campaigns} campaigns of {EXPERIMENTS} experiments each; before -> now")
    print(
        f"{'':22} {'false merges %':>16} {'runs each':>14} {'3-sigma gains merged %':>24} {'first of them':>16}"
    )
    for name, world in WORLDS.items():
        told = []
        for effect in (0.0, -3 * world.sigma):
            for rule in (before, new):
                played = [campaign(rule, world, effect, random.Random(seed)) for seed in range(campaigns)]
                ended = [each for one in played for each in one]
                merged = 100 * sum(verdict == "improved" for verdict, _ in ended) / len(ended)
                first = 100 * sum(one[0][0] == "improved" for one in played) / campaigns
                told.append((merged, sum(runs for _, runs in ended) / len(ended), first))
        old, now, old_gain, new_gain = told
        print(
            f"{name:22} {old[0]:7.1f} -> {now[0]:4.1f} {old[1]:8.2f} -> {now[1]:4.2f}"
            f" {old_gain[0]:14.0f} -> {new_gain[0]:3.0f} {old_gain[2]:13.0f} -> {new_gain[2]:3.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
