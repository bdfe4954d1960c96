"""`nocturne replay` and `nocturne simulate`: a rule asked again about runs at hand, and campaigns that never ran."""

from __future__ import annotations

import json
from dataclasses import replace
from math import log
from pathlib import Path
from random import Random
from statistics import pstdev

import pytest

from bot.rules import events as ev
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.experiment import Experiment
from bot.rules.judging import Settings
from bot.rules.replay import replay
from bot.rules.simulated.driver import Driver, Ways
from bot.rules.simulated.effects import RECORDED, copula_of
from bot.rules.simulated.fitting import draws
from bot.rules.simulated.ground import Bench, Drawn, Ground
from bot.rules.simulated.known import Known, Seen, of_ledger, of_log
from bot.rules.simulated.outlook import KEEP_IF_LOWER, outlooks
from bot.rules.simulated.play import BASELINE, Commit, Over, Play
from tests.bot.repositories import make_repository, nocturne
from tests.bot.test_importing import hundred
from tests.bot.test_old_ledgers import old_repository

GROUND = Ground(RECORDED, 0.001)


def driven(ways: Ways, runs: float = 60, ground: Ground = GROUND, seed: int = 1) -> Driver:
    """Return a loop that has spent `runs` whole runs' time on a simulated campaign."""
    bench = Bench(ground, seed, runs)
    driver = Driver(Play(ground, bench, (runs,), Drawn(ground, seed)), ways)
    with pytest.raises(Over):
        while True:
            driver.step()
    return driver


def asked(rule: Rule, *rungs: float) -> object:
    def settings(campaign: Campaign, experiment: Experiment) -> Settings:
        return Settings(rule, runner="simulated", rungs=rungs)

    return settings


@pytest.mark.parametrize("rungs", [(), (0.25,)])
def test_the_rule_that_made_a_ledger_differs_nowhere_and_another_one_does(rungs: tuple[float, ...]) -> None:
    driver = driven(Ways(Rule(), rungs=rungs))
    verdicts = [each.event for each in driver.recorded if isinstance(each.event, ev.ExperimentDecided)]
    again = replay(driver.recorded, asked(Rule(), *rungs))  # type: ignore[arg-type]
    assert again.difference is None and again.earlier == 0
    assert sum(again.same.values()) + again.others == again.of == len(verdicts) > 10
    strict = Rule(min_effect=1.0)  # nothing is worth a merge
    other = replay(driver.recorded, asked(strict, *rungs))  # type: ignore[arg-type]
    first = next(verdict for verdict in verdicts if verdict.verdict == "improved")
    assert other.difference is not None and other.difference.experiment == first.experiment
    assert other.difference.ledger == "improved" and other.difference.rule != "improved"
    before = verdicts.index(first)
    assert sum(other.same.values()) + other.others == before and other.of == len(verdicts)


def test_the_head_is_measured_beside_its_baseline_and_what_does_not_hold_is_taken_out() -> None:
    """As the loop does it: what a simulation finds has paid for that."""
    driver = driven(Ways(Rule(control=False), rungs=()), 120, replace(GROUND, sigma=0.005), seed=7)
    kept, bad, out = driver.play.merges
    assert bad.is_false and not out.is_false and out.effect == -bad.effect
    taken = [each for each in driver.campaign.experiments.values() if each.reverts is not None]
    assert len(taken) == 1 and taken[0].reverts in driver.campaign.doubted and taken[0].landed is not None
    assert driver.play.head.full == pytest.approx(kept.effect)
    assert 4 <= len(driver.campaign.side_by_side) <= 0.1 * 120 + 4


def test_runs_that_a_rule_would_not_have_made_are_counted_and_lacking_ones_end_it() -> None:
    quiet = replace(GROUND, sigma=0.0001)
    dear = driven(Ways(Rule(min_runs=3, max_runs=5), rungs=()), ground=quiet)
    quick = replay(dear.recorded, asked(Rule(control=False)))  # type: ignore[arg-type]
    assert quick.same.get("improved", 0) > 0 and quick.earlier > 0
    cheap = driven(Ways(Rule(), rungs=()))
    slow = replay(cheap.recorded, asked(Rule(min_runs=5)))  # type: ignore[arg-type]
    assert slow.difference is not None and "one more run" in slow.difference.rule


def test_a_simulated_run_is_the_same_whoever_makes_it_and_as_noisy_as_said() -> None:
    one, other = Bench(GROUND, 5, 500), Bench(GROUND, 5, 500)
    other.run(Commit(3, -0.001), 1)
    assert one.run(Commit(BASELINE), 1).value == other.run(Commit(BASELINE), 1).value
    values = [one.run(Commit(7), 1).value or 0.0 for _ in range(300)]
    assert pstdev(values) == pytest.approx(0.001, rel=0.15)
    assert Drawn(GROUND, 5)[9] == Drawn(GROUND, 5)[9] != Drawn(GROUND, 6)[9]
    assert [round(copula_of(agreement), 3) for agreement in (0.5, 0.55, 0.9)] == [0.69, 0.725, 0.945]


def known_after(experiments: int, sigma: float = 0.001) -> Known:
    """Return what so many experiments tell if each gain is seen with the error of two runs."""
    drawn, luck = Drawn(GROUND, 1), Random(1)
    gains = (-drawn[place].effect + 1.2 * sigma * luck.gauss(0, 1) for place in range(experiments))
    seen = tuple(Seen(place, gain, 1.2) for place, gain in enumerate(gains))
    return Known(experiments, seen, 1.0, sigma, 0.2, 0.12, 0.05, maximize=False)


def test_many_experiments_narrow_what_is_simulated_and_few_leave_it_open() -> None:
    few, many = ([log(each.effects.harmful_median) for each in draws(known_after(n), 30, 0)] for n in (5, 60))
    assert pstdev(few) > 1.3 * pstdev(many)
    assert sorted(many)[15] == pytest.approx(log(RECORDED.harmful_median), abs=0.7)
    assert draws(known_after(5), 5, 3) == draws(known_after(5), 5, 3) != draws(known_after(5), 5, 4)


def test_a_ledger_tells_its_noise_its_crashes_and_each_first_gain() -> None:
    driver = driven(Ways(Rule()))
    known = of_ledger(driver.campaign)
    assert known is not None and of_log(driver.campaign) is None
    assert known.sigma == pytest.approx(0.001, rel=0.5) and known.crashes == pytest.approx(0.12, abs=0.08)
    drawn = Drawn(GROUND, 1)
    off = [each.gain + drawn[each.place].short for each in known.seen]  # of short runs, as all had one
    assert len(off) > 60 and 0.0005 < pstdev(off) < 0.002


def test_settings_meet_the_same_campaigns_and_keep_if_lower_merges_what_gains_nothing() -> None:
    known = known_after(10, sigma=0.003)
    found = {each.setting: each for each in outlooks(known, Ways(Rule()), runs=20, seeds=range(3))}
    assert next(iter(found)) == "as set (aim: balanced)" and {
        "aim: careful",
        "aim: fast",
        "rungs: off",
    } < set(found)
    now, greedy = found["as set (aim: balanced)"], found[KEEP_IF_LOWER]
    assert now.ratio == 1.0 and now.spread[0] <= now.spread[1]
    assert (greedy.false or 0) > 0.1 and greedy.merges > now.merges
    assert found["rungs: off"].experiments < now.experiments


def test_replay_reads_files_and_says_what_is_wrong_with_them(tmp_path: Path) -> None:
    driver = driven(Ways(Rule(), rungs=()), runs=20)
    folder = tmp_path / "main/events"
    folder.mkdir(parents=True)
    lines = [json.dumps(ev.to_json(each.event, at=each.at, by=each.by)) for each in driver.recorded]
    (folder / "000001.jsonl").write_text("\n".join(lines[:30]) + "\n")
    (folder / "000002.jsonl").write_text("\n".join(lines[30:]) + "\n")
    said = nocturne(tmp_path, "replay", "main").stdout
    assert "The rule balanced" in said and "on the ledger differs." in said
    answer = json.loads(nocturne(tmp_path, "replay", "main", "--aim", "careful", "--json").stdout)
    assert answer["aim"] == "careful" and answer["of"] > 5
    for path, why in (
        ("nowhere", "can't read"),
        (".", "holds no *.jsonl"),
        ("main/events/000002.jsonl", "whole ledger"),
    ):
        error = nocturne(tmp_path, "replay", path, code=2).stderr
        assert why in error and len(error.splitlines()) == 1
    (tmp_path / "other.jsonl").write_text('{"kind": "no such kind"}\n')
    assert "line 1 is no event" in nocturne(tmp_path, "replay", "other.jsonl", code=2).stderr


def test_simulate_takes_an_imported_log_and_refuses_too_little(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    for more in ((), ("--imported",)):
        error = nocturne(folder, "simulate", *more, code=2).stderr
        assert "nocturne import FILE" in error and len(error.splitlines()) == 1
    assert "is no count" in nocturne(folder, "simulate", "--seeds", "0", code=2).stderr
    (folder / "results.tsv").write_text(hundred())
    nocturne(folder, "import", "results.tsv")
    answer = json.loads(nocturne(folder, "simulate", "--runs", "15", "--seeds", "2", "--json").stdout)
    assert answer["source"] == "the imported log" and answer["experiments"] == 100 and answer["runs"] == 15
    assert [each["setting"] for each in answer["settings"]][-1] == KEEP_IF_LOWER
    shown = nocturne(folder, "simulate", "--runs", "15", "--seeds", "2", "--imported").stdout
    assert (
        "Fitted to 100 experiments of the imported log" in shown
        and "A log says nothing of its runs' noise" in shown
    )


def test_a_campaign_of_its_own_is_replayed_and_simulated(tmp_path: Path) -> None:
    folder = old_repository(tmp_path)
    said = nocturne(folder, "replay").stdout
    assert "The first that differs is experiment 7 (Set DROPOUT 0.19): the ledger says discarded" in " ".join(
        said.split()
    )
    shown = " ".join(nocturne(folder, "simulate", "--runs", "10", "--seeds", "2").stdout.split())
    assert "of campaign main" in shown and "what 14 recorded campaigns of other tasks were like" in shown
