"""One campaign of one procedure on the benchmark's machine."""

from __future__ import annotations

from bot.rules.simulated import play as simulated
from bot.rules.simulated.play import Play, Procedure
from tests.benchmarks.truth.world import Machine, World


def play(procedure: Procedure, world: World, seed: int, *budgets: float) -> Play:
    """Play a campaign until the largest budget is spent."""
    machine = Machine(world, seed, max(budgets))
    return simulated.play(procedure, Play(world, machine, budgets, machine.proposals()))
