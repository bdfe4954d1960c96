"""The simulator behind `make bench-truth`: same proposals and noise for everybody, figures as seen before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.rules.simulated.effects import RECORDED, Effects
from bot.rules.simulated.play import BASELINE, Commit, Play, outcome
from tests.benchmarks.truth.effects import Proposals
from tests.benchmarks.truth.fit import Trace, deltas, fit
from tests.benchmarks.truth.kept import Kept, Key
from tests.benchmarks.truth.play import play
from tests.benchmarks.truth.procedures import PARTS, PROCEDURES
from tests.benchmarks.truth.rows import rows
from tests.benchmarks.truth.table import cell
from tests.benchmarks.truth.world import Machine, World


def test_every_procedure_meets_the_same_proposals_in_the_same_order() -> None:
    world = rows()["sigma .001"]
    played: dict[str, Play] = {name: play(PROCEDURES[name], world, 3, 30) for name in PROCEDURES}
    firsts = [played["greedy"].proposals[number] for number in range(50)]
    for one in played.values():
        assert [one.proposals[number] for number in range(50)] == firsts
        assert one.ended and all(b >= a for a, b in zip(one.ended, one.ended[1:], strict=False))
        assert all(end <= 30 for end in one.run_ends[:-1])


def test_our_rule_is_asked_through_the_ledger_and_ends_every_experiment() -> None:
    world = rows()["sigma .001"]
    played = play(PROCEDURES["ours"], world, 2, 40)
    assert len(played.ended) >= 20 and len(played.merges) <= len(played.ended)
    assert played.head.full == pytest.approx(sum(merge.effect for merge in played.merges))
    again = play(PROCEDURES["ours"], world, 2, 40)
    assert (again.merges, again.run_ends) == (played.merges, played.run_ends)


def test_what_was_played_is_kept_and_a_line_cut_off_is_played_again(tmp_path: Path) -> None:
    file, keys = tmp_path / "kept.jsonl", [Key("sigma .001", "greedy", seed, (10.0, 20.0)) for seed in (1, 2)]
    first, whole = Kept(file), {}
    for key in keys:
        played = play(PROCEDURES["greedy"], rows()[key.row], key.seed, *key.budgets)
        whole[key] = {budget: outcome(played, budget) for budget in key.budgets}
        first.add(key, whole[key])
    assert all(Kept(file)[key] == whole[key] for key in keys)
    file.write_text(file.read_text()[:-9])
    again = Kept(file)
    assert keys[0] in again and keys[1] not in again
    again.add(keys[1], whole[keys[1]])
    assert Kept(file)[keys[1]] == whole[keys[1]]


@pytest.mark.parametrize("name", PARTS)
def test_the_rule_without_one_of_its_parts_plays_on(name: str) -> None:
    assert play(PARTS[name], rows()["sigma .001"], 2, 12).ended


@pytest.mark.parametrize("row", ["exact metric", "maximised", "guard with noise", "flaky runs"])
def test_metrics_of_other_kinds_are_played_through(row: str) -> None:
    """An exact metric merges nothing that is no gain; flaky runs, guards and a metric to maximise end no campaign."""
    played = play(PROCEDURES["ours"], rows()[row], 4, 40)
    assert len(played.ended) > 20
    if row == "exact metric":
        assert played.merges and not any(merge.is_false for merge in played.merges)


def test_a_commit_draws_the_same_whoever_runs_it_and_when() -> None:
    world = World(0.001)
    one, other = Machine(world, 5, 20), Machine(world, 5, 20)
    other.run(Commit(3, -0.001), seed=1)
    for commit in (Commit(BASELINE), Commit(7, 0.002)):
        for share in (1.0, 0.25):
            assert one.run(commit, 1, share).value == other.run(commit, 1, share).value
    again = one.run(Commit(7, 0.002), 1)
    assert again.value != one.run(Commit(7, 0.002), 1).value
    assert (
        Machine(world, 6, 20).run(Commit(BASELINE), 1).value
        != Machine(world, 5, 20).run(Commit(BASELINE), 1).value
    )


def test_noise_is_as_large_as_the_world_says_with_tails_too() -> None:
    for world in (World(0.002), World(0.002, tails=3)):
        machine = Machine(world, 1, 400)
        values = [machine.run(Commit(number), 1).value or 0.0 for number in range(400)]
        assert np.std(values) == pytest.approx(0.002, rel=0.35)


@pytest.mark.parametrize("named", [0.5, 0.7, 0.8])
def test_short_runs_agree_with_full_ones_as_named(named: float) -> None:
    drawn = [Proposals.draw(RECORDED, 300, named, np.random.default_rng(seed)) for seed in range(10)]
    noise = 0.0003 * np.random.default_rng(10).standard_normal((2, 3000))
    full = np.concatenate([one.effects for one in drawn]) + noise[0]
    short = np.concatenate([one.rungs for one in drawn]) + noise[1]
    assert np.corrcoef(full, short)[0, 1] == pytest.approx(named, abs=0.08)


@pytest.mark.long
def test_a_fit_finds_what_made_a_record() -> None:
    made = Effects(0.15, 0.5, 0.0007, 1.5, 0.002, 1.0, 0.0001, 120.0)
    rng = np.random.default_rng(4)
    traces: list[tuple[float, Trace]] = []
    for _ in range(6):
        effects = Proposals.draw(made, 120, 0.8, rng).effects
        level = 1.0
        trace: Trace = [level]
        for effect in effects:
            trace.append(level + float(effect) + 0.0003 * float(rng.standard_normal()))
            level += min(float(effect), 0.0)
        traces.append((0.0003, trace))
    assert len(deltas(traces[0][1])) > 100
    found = fit(traces, steps=300)
    assert found.harmful == pytest.approx(0.5, abs=0.12) and found.useful == pytest.approx(0.15, abs=0.08)


@pytest.mark.long
@pytest.mark.parametrize(
    ("row", "oracle", "false"),
    [("sigma .0003", 1.12, 25), pytest.param("sigma .001", 1.40, 35, marks=pytest.mark.slow)],
)
def test_oracle_and_greedy_find_what_they_found_in_an_earlier_simulator(
    row: str, oracle: float, false: int
) -> None:
    played = {
        name: [outcome(play(PROCEDURES[name], rows()[row], seed, 100), 100) for seed in range(100)]
        for name in ("oracle", "oracle, rungs", "greedy")
    }
    best = cell(played["oracle"], played["greedy"], played["oracle, rungs"], 100)
    usual = cell(played["greedy"], played["greedy"], played["oracle, rungs"], 100)
    assert best.ratio == pytest.approx(oracle, abs=0.1)
    assert 100 * usual.false == pytest.approx(false, abs=7)
    assert usual.per_experiment == pytest.approx(0.92, abs=0.02)
