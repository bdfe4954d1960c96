"""What decides is set anew in mid-campaign: it holds from its event on, and no verdict given before is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.rules import events as ev
from bot.rules.campaign import fold
from bot.rules.decision import Rule
from bot.rules.simulated.driver import Driver, Ways
from bot.rules.simulated.effects import RECORDED
from bot.rules.simulated.ground import Bench, Drawn, Ground
from bot.rules.simulated.play import Over, Play
from bot.tell.figures.campaign import figures
from bot.tell.views.campaign import report
from bot.tell.writers import markdown
from tests.bot.campaigns import NOW
from tests.bot.repositories import events, git, make_repository, nocturne, status

LEDGER = "refs/remotes/nocturne/ledger"


def test_a_new_aim_holds_from_its_event_on_and_leaves_what_was_decided() -> None:
    ground, ways = Ground(RECORDED, 0.001), Ways(Rule("fast"), rungs=())
    driver = Driver(Play(ground, Bench(ground, 2, 60), (60,), Drawn(ground, 2)), ways)
    driver._append(
        ev.RuleSet(1, {"verdict.aim": "fast", "verdict.min_effect": "null"})
    )  # as in a campaign that began without a record of it
    while len(driver.campaign.order) < 15:
        driver.step()
    before = dict(driver.campaign.experiments)
    driver._append(ev.RuleSet(2, {"verdict.aim": "careful", "verdict.min_effect": "0.001"}))
    driver.ways = replace(ways, rule=Rule("careful"))
    with pytest.raises(Over):
        while True:
            driver.step()
    known = fold(ev.read(ev.to_json(each.event, at=each.at, by=each.by)) for each in driver.recorded)
    assert {number: known.experiments[number] for number in before} == before
    assert {e.aim for e in before.values()} == {"fast"}
    assert {e.aim for number, e in known.experiments.items() if number not in before and e.decision} == {
        "careful"
    }
    change, *more = known.rule_changes
    assert not more and change.after == 15
    assert change.keys == {"verdict.aim": ("fast", "careful"), "verdict.min_effect": ("null", "0.001")}
    said = markdown.write(report(figures(known, now=NOW)))
    assert (
        "The rule was changed after 15 experiments" in said
        and "verdicts given before stay as they are" in said
    )


def test_a_change_of_the_configuration_is_recorded_once_and_said(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    nocturne(folder, "run", "-n", "1")
    kinds = [event["kind"] for event in events(folder, LEDGER)]
    began = events(folder, LEDGER)[0]
    assert "rule_set" not in kinds and began["rule"]["verdict.aim"] == "balanced"
    with (folder / ".github/nocturne.yml").open("a") as file:
        file.write("verdict: {aim: careful}\n")
    git(folder, "commit", "--quiet", "--all", "--message", "Be careful")
    verdicts = [event for event in events(folder, LEDGER) if event["kind"] == "experiment_decided"]
    said = nocturne(folder, "run", "-n", "1").stdout
    assert "The rule was changed after 1 experiment (verdict.aim from balanced to careful)" in said
    assert "The rule was changed" not in nocturne(folder, "run", "-n", "1").stdout
    after = events(folder, LEDGER)
    assert [event["turn"] for event in after if event["kind"] == "rule_set"] == [1]
    assert [event for event in after if event["kind"] == "experiment_decided"][: len(verdicts)] == verdicts
    keys = {"verdict.aim": ["balanced", "careful"]}
    assert status(folder)["rule_changes"] == [{"after": 1, "keys": keys}]
