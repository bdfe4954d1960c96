"""The outer loop's rules: what mechanisms say on a history, what obeys them, and what is refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bot.rules.outer import registry
from bot.rules.outer.reading import from_json, to_json
from bot.rules.outer.steering import objection
from bot.rules.outer.view import AHEAD, Aim, Constant, Draft, Past, Steer, View, check, move

CONSTANTS = (
    Constant("LR", 0.01, "optimization"),
    Constant("BATCH", 64, "batch"),
    Constant("ACT", "gelu", "architecture"),
    Constant("WD", 0.1, "regularization"),
)


def past(number: int, name: str, old: Any, new: Any, effect: float | None = 0.01, **more: Any) -> Past:
    landed = more.get("landed", False)
    kept = {"category": "batch" if name == "BATCH" else "optimization"} | more
    return Past(
        number, (move(name, old, new),), verdict="improved" if landed else "discarded", effect=effect, **kept
    )


def view(*history: Past, **more: Any) -> View:
    number = 1 + max((each.number for each in history), default=0)
    return View(number, more.pop("since", number), history, CONSTANTS, ("claude", "offline"), **more)


def steer(name: str, seen: View, seed: int = 0) -> Steer:
    return check(registry.built_in(name).steer(seen, seed), seen)


def draft(*moves: tuple[str, Any, Any], category: str = "other", edits: bool = False) -> Draft:
    return Draft(tuple(move(*each) for each in moves), category, edits=edits)


HISTORY = (
    past(1, "BATCH", 64, 128),
    past(2, "LR", 0.01, 0.02, -0.02, landed=True),
    past(3, "LR", 0.02, 0.04, -0.001),
    past(4, "WD", 0.1, 0.2, -0.0005),
    past(5, "BATCH", 64, 96),
)


def test_all_mechanisms_are_pure_answer_on_any_history_and_go_to_json() -> None:
    assert registry.names()[:3] == ("none", "restart", "kick")
    assert {"mix", "models", "opposite", "tabu", "rest", "novel", "combine", "prune"} <= set(registry.names())
    for name in registry.names():
        mechanism = registry.built_in(name)
        assert len(mechanism.about) > 30
        for end in range(len(HISTORY) + 1):
            seen = view(*HISTORY[:end])
            said = check(mechanism.steer(seen, 3), seen)
            assert said == mechanism.steer(seen, 3)
            assert from_json(Steer, json.loads(json.dumps(to_json(said)))) == said
            assert from_json(View, json.loads(json.dumps(to_json(seen)))) == seen


def test_after_a_refused_step_the_other_way_is_looked_at_once() -> None:
    said = steer("opposite", view(past(1, "BATCH", 64, 128)))
    assert said.focus == (Aim(3, constant="BATCH", direction="down"),)
    assert objection(said, draft(("BATCH", 64, 32)), 2) is None
    assert objection(said, draft(("BATCH", 64, 256)), 2) is not None
    assert objection(said, draft(("BATCH", 64, 256)), 3) is None  # it has ended
    both_ways = view(past(1, "BATCH", 64, 32), past(2, "BATCH", 64, 128))
    assert steer("opposite", both_ways) == Steer()
    assert steer("opposite", view(past(1, "BATCH", 64, 128, -0.001))) == Steer()  # a near miss is no failure


def test_tabu_forbids_to_repeat_what_lost_and_to_undo_what_won_for_seven_experiments() -> None:
    said = steer("tabu", view(*HISTORY))
    named = {(aim.constant, aim.direction, aim.until) for aim in said.avoid}
    assert named == {("BATCH", "up", 13), ("LR", "down", 10)}
    assert objection(said, draft(("LR", 0.02, 0.03)), 6) is None
    assert "LR down" in (objection(said, draft(("LR", 0.02, 0.01)), 6) or "")
    later = replace(view(*HISTORY), number=13, since=13)
    assert registry.built_in("tabu").steer(later, 0) == Steer()


def test_a_category_rests_for_three_experiments_after_four_failures() -> None:
    failures = [past(n, "BATCH", 64, 64 + n) for n in range(1, 5)]
    assert steer("rest", view(*failures)).avoid == (Aim(8, category="batch"),)
    assert steer("rest", view(*failures[:3])) == Steer()
    other = [past(n, "LR", 0.01, 0.01 + n, landed=True) for n in (5, 6, 7)]
    assert steer("rest", view(*failures, *other[:2])).avoid == (Aim(8, category="batch"),)
    assert steer("rest", view(*failures, *other)) == Steer()


def test_novel_sends_back_a_value_that_was_tried_and_no_other() -> None:
    screen = registry.built_in("novel").screen
    assert "experiment 1" in (screen(view(*HISTORY), draft(("BATCH", 64, 128)), 0) or "")
    assert screen(view(*HISTORY), draft(("BATCH", 64, 127.5)), 0) is not None  # within one part in a hundred
    assert screen(view(*HISTORY), draft(("BATCH", 64, 100)), 0) is None
    assert screen(view(*HISTORY), draft(("BATCH", 64, 128), ("LR", 0.02, 0.5)), 0) is None
    assert screen(view(*HISTORY), draft(("BATCH", 64, 128), edits=True), 0) is None


def test_near_misses_are_tried_together() -> None:
    said = steer("combine", view(*HISTORY))
    assert {aim.constant for aim in said.focus} == {"LR", "WD"} and "0.04" in said.note
    together = Past(6, (move("LR", 0.02, 0.04), move("WD", 0.1, 0.2)), "other", "discarded", 0.01)
    assert steer("combine", replace(view(*HISTORY, together), number=8, since=8)) == Steer()


def test_mix_gives_seven_in_ten_to_the_offline_search_and_follows_the_gains() -> None:
    def share(*history: Past) -> float:
        seen = view(*history)
        said = [
            registry.built_in("mix").steer(replace(seen, number=n, since=n), 5).assign
            for n in range(100, 500)
        ]
        assert set(said) == {"claude", "offline"}
        return said.count("offline") / len(said)

    assert 0.6 < share() < 0.8
    won = [past(n, "LR", 0.01, n, -0.1, landed=True, proposer="claude") for n in range(1, 20)]
    lost = [past(n, "LR", 0.01, n, proposer="offline") for n in range(20, 40)]
    assert share(*won, *lost) < 0.6
    assert steer("mix", replace(view(), proposers=("offline",))) == Steer()


def test_models_tries_each_and_then_the_better_one_more_often() -> None:
    seen = replace(view(), proposers=("a", "b", "offline"))
    assert steer("models", seen).assign == "a"
    history: list[Past] = []
    for number in range(1, 61):
        seen = View(number, number, tuple(history), CONSTANTS, ("a", "b", "offline"))
        chosen = steer("models", seen).assign
        assert chosen is not None
        history.append(past(number, "LR", 0.01, number, -0.1, landed=chosen == "b", proposer=chosen))
    count = sum(each.proposer == "b" for each in history)
    assert 40 < count < 60
    assert steer("models", view(*HISTORY)) == Steer()  # there is but one


def test_controls_and_simplification() -> None:
    seen = replace(view(*HISTORY), since=4)
    assert steer("restart", seen) == Steer(fresh=4) and steer("none", seen) == Steer()
    assert steer("kick", seen) == Steer()  # the block's third experiment
    first = steer("kick", view(*HISTORY))
    assert len(first.focus) == 2 and all(aim.until == 7 for aim in first.focus)
    assert {steer("kick", view(*HISTORY), seed).focus for seed in range(20)} != {first.focus}
    merged = [past(n, "LR", 0.01, n, -0.1, landed=True) for n in (1, 2, 3)]
    said = steer("prune", view(*merged))
    assert said.focus == (Aim(5, category="simplification"),) and said.assign == "claude"
    assert steer("prune", view(*merged[:2])) == Steer()


def test_focus_and_avoid_by_category_and_for_edits() -> None:
    rest = Steer(avoid=(Aim(9, category="batch"),))
    assert objection(rest, draft(("BATCH", 64, 32), category="other"), 8) is None  # nobody knows better
    assert objection(rest, draft(("BATCH", 64, 32)), 8, {"BATCH": "batch"}) is not None
    focus = Steer(focus=(Aim(9, constant="LR"), Aim(9, category="schedule")))
    assert objection(focus, draft(("LR", 1.0, 2.0)), 8) is None
    assert objection(focus, draft(("LR", 1.0, 2.0), ("WD", 0.1, 0.2)), 8) is not None
    assert objection(focus, draft(("LR", 1.0, 2.0), edits=True), 8) is not None
    assert objection(focus, draft(category="schedule", edits=True), 8) is None


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ([], "steer is a list, no object"),
        ({"parent": "abc"}, "no field 'parent'"),
        ({"note": "x" * 401}, "steer.note has 401 characters: at most 400"),
        ({"note": "a\nb"}, "steer.note is no single line"),
        ({"assign": 3}, "steer.assign is 3"),
        ({"fresh": 2.5}, "steer.fresh is 2.5"),
        ({"fresh": True}, "steer.fresh is True"),
        ({"avoid": {}}, "steer.avoid is a dict"),
        ({"avoid": [{"until": 3}]}, "a constant or a category"),
        ({"avoid": [{"constant": "A"}]}, r"steer.avoid\[0\] lacks until"),
        ({"avoid": [{"until": 3, "category": "a", "direction": "up"}]}, "needs a constant"),
        ({"avoid": [{"until": 3, "constant": "a", "direction": "left"}]}, r"avoid\[0\].direction is 'left'"),
        ({"focus": [{"until": 10**20, "constant": "a"}]}, r"focus\[0\].until"),
        ({"focus": [{"until": 3, "constant": "a"}] * 33}, "33 entries"),
    ],
)
def test_nonsense_is_refused_by_name(record: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        from_json(Steer, record)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Steer(assign="gpt"), "steer.assign is 'gpt': one of claude, offline"),
        (Steer(fresh=7), "steer.fresh is 7: from 1 to 6"),
        (Steer(avoid=(Aim(6, constant="LR"),)), "LR ends at 6: from 7"),
        (Steer(focus=(Aim(7 + AHEAD, category="batch"),)), "category batch ends at 57"),
    ],
)
def test_a_steer_that_does_not_fit_its_view_is_refused(said: Steer, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check(said, view(*HISTORY))
