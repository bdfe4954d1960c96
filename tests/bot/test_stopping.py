"""Every stop condition, on both sides of its limit."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from bot.config import Stop
from bot.rules.campaign import Campaign, fold
from bot.rules.events import CommandGiven, LoopStopped, Recorded, Verdict
from bot.rules.reasons import REASONS, Reason
from bot.rules.stopping import CONDITIONS, Limits, reason_of, why_stop
from tests.bot.campaigns import NOW, Night


def night_with(*verdicts: Verdict) -> Night:
    night = Night()
    night.baseline()
    for number, verdict in enumerate(verdicts, 1):
        night.experiment(number, verdict, f"idea {number}")
    return night


def reason(campaign: Campaign, **limits: object) -> str | None:
    stop = why_stop(campaign, Limits(**limits), now=NOW)  # type: ignore[arg-type]
    return stop.reason if stop else None


def test_nothing_set_never_stops() -> None:
    assert reason(night_with(*(("crashed",) * 30)).campaign()) is None


@pytest.mark.parametrize(
    ("limits", "stops"),
    [
        ({"experiments": 3}, "experiments"), ({"experiments": 4}, None),
        ({"deadline": NOW.isoformat()}, "deadline"), ({"deadline": (NOW + timedelta(seconds=1)).isoformat()}, None),
        ({"crashes_in_row": 2}, "crashes"), ({"crashes_in_row": 3}, None),
        ({"plateau": 3}, "plateau"), ({"plateau": 4}, None),
        ({"cost_usd": 0.15}, "cost_usd"), ({"cost_usd": 0.16}, None),
        ({"gpu_hours": 5 * 300 / 3600}, "gpu_hours"), ({"gpu_hours": 5 * 300 / 3600 + 0.01}, None),
    ],
)  # fmt: skip
def test_limit(limits: dict[str, object], stops: str | None) -> None:
    assert reason(night_with("discarded", "crashed", "crashed").campaign(), **limits) == stops


@pytest.mark.parametrize(
    ("direction", "goal", "stops"),
    [("minimize", 1.1, "goal"), ("minimize", 0.9, None), ("maximize", 0.9, "goal"), ("maximize", 1.1, None)],
)
def test_goal(direction: str, goal: float, stops: str | None) -> None:
    night = Night(direction=direction)  # type: ignore[arg-type]
    night.baseline()
    assert reason(night.campaign(), goal=goal) == stops


def test_goal_needs_more_than_one_lucky_run() -> None:
    night = Night()
    night.baseline(runs=1)
    assert reason(night.campaign(), goal=1.1) is None


def test_streaks_end_with_what_breaks_them() -> None:
    assert reason(night_with("crashed", "discarded", "crashed").campaign(), crashes_in_row=2) is None
    assert reason(night_with("discarded", "improved", "discarded").campaign(), plateau=2) is None


def test_resume_lets_streaks_count_anew() -> None:
    night = night_with("crashed", "crashed")
    assert reason(night.campaign(), crashes_in_row=2, plateau=2) == "crashes"
    night.add(CommandGiven(1, "resume"))
    assert reason(night.campaign(), crashes_in_row=2, plateau=2) is None
    night.experiment(3, "crashed", "once more")
    assert reason(night.campaign(), crashes_in_row=2) is None


def test_human_commands_come_first_and_resume_takes_them_back() -> None:
    night = night_with("discarded")
    night.add(CommandGiven(1, "stop"))
    assert reason(night.campaign(), experiments=1) == "stopped"
    night.add(CommandGiven(2, "pause"))
    assert reason(night.campaign(), experiments=1) == "paused"
    night.add(CommandGiven(3, "resume"))
    assert reason(night.campaign()) is None


def test_exhausted_search_stays_stopped_until_resumed() -> None:
    night = night_with("discarded")
    night.add(LoopStopped("exhausted", "nothing left", 1))
    assert reason(night.campaign()) == "exhausted"
    night.add(CommandGiven(1, "resume"))
    assert reason(night.campaign()) is None


def test_every_stop_says_its_numbers() -> None:
    campaign = night_with("crashed", "crashed").campaign()
    said = why_stop(campaign, Limits(crashes_in_row=2), now=NOW)
    assert said is not None and "2 experiments crashed in a row" in said.detail and "resume" in said.detail


def test_fold_does_not_depend_on_where_it_was_cut() -> None:
    recorded: list[Recorded] = night_with("improved", "discarded", "crashed", "improved").recorded
    whole = fold(recorded)
    for cut in range(0, len(recorded), 7):
        part = fold(recorded[:cut])
        for item in recorded[cut:]:
            part.apply(item)
        assert part == whole


# What follows from a reason


def those(holds: Callable[[Reason], object]) -> set[str]:
    return {name for name, reason in REASONS.items() if holds(reason)}


def test_each_reason_is_known_wholly() -> None:
    assert those(lambda r: not r.told) == {"requested", "paused"}
    assert those(lambda r: not r.bot_merges) == {"paused", "crashes", "baseline", "machine", "unreviewed"}
    ends_in_an_issue = {"crashes", "baseline", "machine", "gpu_hours", "cost_usd", "unreviewed"}
    assert those(lambda r: r.needs_human) == {*ends_in_an_issue, "plateau", "exhausted"}
    assert those(lambda r: r.issue) == {*ends_in_an_issue, "permissions", "trainings", "base"}
    assert those(lambda r: bool(r.issue) != bool(r.fix)) == set()
    for reason in REASONS.values():
        said = reason.fix.format(
            branch="nocturne/main", config="the config", resume="resume", approve="approve"
        )
        assert "{" not in said


def test_a_reason_of_a_newer_version_is_told_by_its_name() -> None:
    assert reason_of("rain") == Reason("rain") and reason_of("rain").told


def test_nothing_stops_for_a_reason_that_is_not_in_the_table() -> None:
    """Whoever ends a loop or asks for a human names a row; a word of its own in the code would be half known."""
    found = {word for path in Path("bot").rglob("*.py") for word in words_of_reasons(path)}
    assert found and found <= set(REASONS), found - set(REASONS)


def words_of_reasons(path: Path) -> Iterator[str]:
    text = path.read_text()
    if re.search(r"\b(Stop|LoopStopped|ask|reason_of)\(|stop(ped)?\.reason", text) is None:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            place = {"Stop": 0, "LoopStopped": 0, "ask": 1, "reason_of": 0}.get(name)
            if place is not None and len(node.args) > place and isinstance(node.args[place], ast.Constant):
                yield str(node.args[place].value)  # type: ignore[attr-defined]
        if isinstance(node, ast.Compare) and ast.unparse(node.left).endswith(
            ("stop.reason", "stopped.reason")
        ):
            yield from (str(each.value) for each in node.comparators if isinstance(each, ast.Constant))


def test_every_condition_has_a_limit_that_the_configuration_sets() -> None:
    limits = {field.name for field in fields(Limits)}
    assert set(vars(Stop())) == limits - {"unread", "pauses"}
    assert [reason.name for reason, _ in CONDITIONS][:3] == ["paused", "stopped", "exhausted"]
