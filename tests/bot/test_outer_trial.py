"""The trial of mechanisms: who gets a block, who is dead or retired, and what a campaign's blocks were worth."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from bot.rules import events as ev
from bot.rules.outer.diagnosis import TERMS, findings
from bot.rules.outer.reading import from_json, to_json
from bot.rules.outer.record import Steered, steered_of
from bot.rules.outer.registry import CONTROLS, built_in
from bot.rules.outer.trial import (
    Block,
    Prior,
    advantage,
    allot,
    blocks_needed,
    controls_turn,
    dead,
    known_of,
    prior_of,
    retirement,
)
from bot.rules.outer.view import Past, Steer, View, move
from bot.rules.outer.worth import finished_blocks
from bot.tell.figures.campaign import figures
from bot.tell.views.campaign import report
from bot.tell.views.outer import morning_lines
from bot.tell.writers import markdown
from tests.bot.campaigns import NOW, SIGMA, Night, commit_of
from tests.bot.test_outer import CONSTANTS, past, view

NAMES = ("tabu", "opposite", "novel", "mix")


def trial(worth: dict[str, float], blocks: int, seed: int = 0, **more: Any) -> list[Block]:
    """Return the blocks of a trial in which each mechanism is worth so much, with a deviation of 1."""
    rng = random.Random(seed)
    done: list[Block] = []
    for number in range(blocks):
        name = allot(NAMES, done, number, seed, **more)
        done.append(Block(name, worth.get(name, 0.0) + rng.gauss(0, 1), 1.0, 1))
    return done


def test_a_fifth_of_the_blocks_are_controls_in_turn() -> None:
    for seed in range(20):
        done = trial({}, 50, seed)
        controls = [block.mechanism for block in done if block.mechanism in CONTROLS]
        assert controls == [CONTROLS[place % 3] for place in range(10)]
    places = {tuple(controls_turn(n, seed) for n in range(5)) for seed in range(40)}
    assert len(places) == 5  # at random


def test_the_better_mechanism_gets_more_blocks_and_those_that_are_out_get_none() -> None:
    count = Counter(block.mechanism for seed in range(12) for block in trial({"tabu": 2.0}, 60, seed))
    assert count["tabu"] > 2 * max(count[name] for name in NAMES if name != "tabu")
    assert min(count[name] for name in NAMES) > 0
    without = Counter(block.mechanism for block in trial({"tabu": 2.0}, 60, out={"tabu", "restart"}))
    assert not without["tabu"] and not without["restart"] and without["kick"]
    nobody = allot(NAMES, [], 0, 0, out=set(NAMES) | set(CONTROLS))
    assert nobody == "none"


def test_worth_is_gain_for_gpu_time() -> None:
    cheap, dear = Block("tabu", 1.0, 1.0), Block("mix", 1.0, 4.0)
    known = known_of([cheap, dear, Block("none", 0.0, 1.0)])
    assert known["tabu"].gain == pytest.approx(4 * known["mix"].gain)
    # one whose proposals were all refused cost next to nothing, and is not the best for that
    assert known_of([Block("tabu", 1.0, 1e-9), Block("none", 0.0, 1.0)])["tabu"].gain <= 2.0


def test_a_mechanism_that_changes_nothing_in_three_blocks_is_dead() -> None:
    idle, busy = Block("tabu", 1.0, 1.0, 0), Block("tabu", 1.0, 1.0, 2)
    assert dead([idle] * 3, "tabu") and dead([busy, idle, idle, idle], "tabu")
    assert not dead([idle] * 2, "tabu") and not dead([idle, busy, idle], "tabu")
    assert not dead([Block("none", 0.0, 1.0)] * 9, "none")


def test_a_mechanism_whose_upper_bound_is_below_the_controls_retires() -> None:
    good = [Block(CONTROLS[n % 3], 2.0 + n % 2, 1.0) for n in range(6)]
    bad = [Block("tabu", -2.0 + n % 2, 1.0, 1) for n in range(4)]
    assert retirement(good + bad, "tabu") and not retirement(good + bad, "none")
    assert not retirement(good + bad[:2], "tabu") and not retirement(good[:2] + bad, "tabu")
    assert not retirement(good + [Block("tabu", 2.5, 1.0, 1)] * 4, "tabu")
    # Of mechanisms as good as the controls few retire, for all that they are looked at after each block.
    gone = sum(
        any(retirement(done[:end], name) for end in range(6, len(done)))
        for seed in range(8)
        for done in [trial({}, 60, seed)]
        for name in NAMES
    )
    assert gone < 0.3 * 8 * len(NAMES)


def test_how_many_blocks_it_would_take_is_said() -> None:
    blocks = trial({}, 20)
    for name in {block.mechanism for block in blocks} - set(CONTROLS):
        needed = blocks_needed(blocks, name)
        found = advantage(blocks, name)
        assert found is not None
        assert needed is None or needed >= 2
    assert blocks_needed([], "tabu") is None
    sure = [
        Block("none", 0.0, 1.0),
        Block("none", 0.1, 1.0),
        Block("tabu", 9.0, 1.0),
        Block("tabu", 9.1, 1.0),
    ]
    assert blocks_needed(sure, "tabu") is None
    close = [Block("none", n % 2, 1.0) for n in range(4)] + [
        Block("tabu", n % 2 + 0.2, 1.0) for n in range(4)
    ]
    assert (blocks_needed(close, "tabu") or 0) > 40


def test_a_prior_is_read_weighed_and_refused_by_name() -> None:
    row = {
        "mechanism": "tabu",
        "mind": "claude",
        "task": "train",
        "blocks": 10,
        "gain": 20.0,
        "squares": 50.0,
    }
    whole = prior_of(from_json(Prior, {"rows": [row]}), "claude", "train")
    assert (whole["tabu"].blocks, whole["tabu"].mean) == (10, 2.0)
    assert prior_of(from_json(Prior, {"rows": [row]}), "offline", "train")["tabu"].blocks == 5
    large = prior_of(
        from_json(Prior, {"rows": [{**row, "blocks": 1000, "gain": 2000.0}]}), "claude", "train"
    )["tabu"]
    assert (large.blocks, large.mean) == (20, 2.0)  # it must be possible to learn otherwise
    seeds = range(40)
    first = Counter(trial({}, 4, seed, prior=whole)[-1].mechanism for seed in seeds)
    assert first["tabu"] > 15
    for bad, said in (({"rows": 3}, "prior.rows is 3"), ({"rows": [{**row, "blocks": -1}]}, "below 0")):
        with pytest.raises(ValueError, match=said):
            from_json(Prior, bad)


def steered(block: int, mechanism: str, **more: Any) -> dict[str, Any]:
    return to_json(Steered(block, mechanism, **more))


def night_with_blocks() -> Night:
    """Two blocks: the first one's third experiment is merged, the second changes each proposal and gains nothing."""
    night = Night()
    night.baseline(3)
    for block, mechanism in enumerate(("none", "tabu")):
        night.add(ev.OuterBlockBegun(block, 5 * block + 1, mechanism))
        for number in range(5 * block + 1, 5 * block + 6):
            count = len(night.recorded)
            night.experiment(number, "improved" if number == 3 else "discarded", f"Try {number}")
            place = next(
                n for n in range(count, len(night.recorded))
                if isinstance(night.recorded[n].event, ev.ExperimentProposed)
            )  # fmt: skip
            proposed = night.recorded[place].event
            assert isinstance(proposed, ev.ExperimentProposed)
            more = {"not_asked": "claude"} if block else {}
            said = {**vars(proposed), "outer": steered(block, mechanism, **more)}
            night.recorded[place] = ev.Recorded(ev.ExperimentProposed(**said), night.recorded[place].at)
    return night


def test_blocks_of_a_campaign_have_their_merges_shrunken_gain_and_their_hours() -> None:
    campaign = night_with_blocks().campaign()
    first, second = finished_blocks(campaign, SIGMA)
    assert (first.mechanism, second.mechanism) == ("none", "tabu")
    measured = -(campaign.experiments[3].decision or pytest.fail()).effect / SIGMA  # type: ignore[operator]
    assert 0.5 * measured < first.gain < measured and second.gain == 0
    assert first.hours == pytest.approx(
        sum(r.gpu_seconds for n in range(1, 6) for r in campaign.runs_for(n)) / 3600
    )
    assert (first.changed, second.changed) == (0, 5)
    halved = finished_blocks(campaign, SIGMA, confirmed=first.gain * SIGMA / 2)[0]
    assert halved.gain == pytest.approx(first.gain / 2)
    assert finished_blocks(campaign, SIGMA, confirmed=-1.0)[0].gain == 0


def test_what_was_taken_out_again_gained_nothing_and_an_open_block_is_none() -> None:
    night = night_with_blocks()
    night.add(ev.OuterBlockBegun(2, 11, "mix"))
    night.add(ev.ExperimentClaimed(11, night.incumbent, reverts=3))
    night.add(ev.ExperimentLanded(11, commit_of("back"), night.incumbent))
    blocks = finished_blocks(night.campaign(), SIGMA)
    assert len(blocks) == 2 and blocks[0].gain == 0


def test_events_say_who_is_out_and_a_human_lets_it_in_again() -> None:
    night = night_with_blocks()
    night.add(ev.MechanismDied("tabu", 3))
    night.add(ev.MechanismRetired("mix", -1.0, 0.3))
    night.add(ev.MechanismFailed("novel", 4, "ValueError", "2026-03-09T06:00:00+00:00"))
    night.add(ev.MechanismSwitched("kick", False, "cli:1"))
    outer = night.campaign().outer
    assert outer.out("2026-03-09T05:00:00+00:00") == {"tabu", "mix", "novel", "kick"}
    assert outer.out("2026-03-09T07:00:00+00:00") == {"tabu", "mix", "kick"}
    assert outer.gone["tabu"][0] == "dead" and "\u22121 ± 0.3" in outer.gone["mix"][1]
    night.add(ev.MechanismSwitched("tabu", True, "cli:2"))
    assert night.campaign().outer.out("2027") == {"mix", "kick"}


def test_a_proposal_without_an_outer_loop_is_written_as_before_and_nonsense_is_no_event() -> None:
    plain = ev.ExperimentProposed(1, "h", "c", "r", "e", "r", "offline")
    assert "outer" not in ev.to_json(plain, at="", by="")
    made = ev.ExperimentProposed(1, "h", "c", "r", "e", "r", "offline", outer=steered(0, "tabu"))
    assert ev.from_json(ev.to_json(made, at="", by="")).event == made
    night = Night()
    night.add(ev.ExperimentClaimed(1, night.incumbent))
    night.add(ev.ExperimentProposed(1, "h", "c", "r", "e", "r", "x", outer={"block": "first"}))
    with pytest.raises(ValueError, match=r"outer\.block is 'first'"):
        night.campaign()


def test_steered_experiments_are_found_on_the_ledger() -> None:
    campaign = night_with_blocks().campaign()
    found = steered_of(campaign.experiments[6])
    assert found is not None and found.changed and found.not_asked == "claude"
    assert steered_of(night_of_one().experiments[1]) is None


def night_of_one() -> Any:
    night = Night()
    night.baseline()
    night.experiment(1, "discarded", "One")
    return night.campaign()


@pytest.mark.parametrize(
    ("term", "history"),
    [
        ("crashes", [Past(n, (move("LR", 1.0, 2.0 + n),), "a", "crashed") for n in range(1, 11)]),
        ("repeats", [past(n, "LR", 0.01, 0.02, -0.001) for n in range(1, 11)]),
        ("one direction", [past(n, "BATCH", 64, 65 + 9 * n) for n in range(1, 11)]),
        ("one category", [past(n, "ACT", "gelu", f"f{n}", -0.001, category="x") for n in range(1, 11)]),
        ("no gain", [past(n, "ACT", "gelu", f"f{n}", -0.001, category=str(n)) for n in range(1, 21)]),
    ],
)
def test_each_term_is_found_and_answered_with_an_end(term: str, history: list[Past]) -> None:
    seen = view(*history)
    names = [finding.term for finding in findings(seen)]
    assert term in names
    said = built_in("strategy").steer(seen, 0)
    assert all(seen.number < aim.until <= seen.number + 8 for aim in (*said.focus, *said.avoid))
    # The same look, until the next one: what happens in between does not change it.
    later = View(
        seen.number + 2, 1, (*history, past(seen.number, "WD", 0.1, 0.9, -0.1, landed=True)), CONSTANTS
    )
    assert [finding.term for finding in findings(later)] == names


def test_a_healthy_search_has_no_findings() -> None:
    names = ("LR", "BATCH", "ACT", "WD")
    history = [
        Past(n, (move(names[n % 4], 1.0, 1.0 + n * (-1) ** n),), names[n % 4],
             "improved" if n % 3 == 0 else "discarded", -0.1 if n % 3 == 0 else 0.1, landed=n % 3 == 0)
        for n in range(1, 11)
    ]  # fmt: skip
    assert findings(view(*history, noise=0.01)) == []
    assert built_in("strategy").steer(view(*history), 0) == Steer()
    assert len({each.name for each in TERMS}) == len(TERMS)
    assert all(built_in(each.leads_to) for each in TERMS)


def told(night: Night) -> Any:
    return figures(night.campaign(), now=NOW)


def test_each_changed_experiment_is_told_beside_what_would_have_happened() -> None:
    night = night_with_blocks()
    known = told(night)
    assert [(row.name, row.state, row.blocks) for row in known.outer.rows] == [
        ("none", "control", 1),
        ("tabu", "on trial", 1),
    ]
    (tabu,) = [row for row in known.outer.rows if row.name == "tabu"]
    assert (tabu.changed, tabu.proposals) == (5, 5) and tabu.needed is not None
    said = markdown.write(report(known))
    assert "too few to tell" in said and f"about {tabu.needed:,} blocks would" in said
    assert [row.number for row in known.outer.changed] == [6, 7, 8, 9, 10]
    assert "experiment 6 (tabu): Try 6; instead of: claude was not asked" in said
    lines = [markdown.line(line) for line in morning_lines(known.outer, 9)]
    assert len(lines) == 3 and "tabu (1 blocks)" in lines[0] and "experiment 9" in lines[1]


def test_who_is_out_is_told_and_without_an_outer_loop_nothing_is() -> None:
    night = night_with_blocks()
    night.add(ev.MechanismDied("tabu", 3))
    night.add(ev.MechanismFailed("novel", 4, "ValueError: no", "2027-03-09T06:00:00+00:00"))
    night.add(ev.MechanismSwitched("mix", False, "cli:1"))
    night.add(ev.Diagnosed(6, "repeats", 0.4, 0.3, "novel"))
    said = markdown.write(report(told(night)))
    for words in (
        "dead: its last 3 blocks changed no proposal",
        "failed: ValueError: no",
        "a human took it out",
    ):
        assert words in said
    assert "before experiment 6: repeats 0.4, from 0.3 on; novel answers that" in said
    plain = figures(night_of_one(), now=NOW)
    assert plain.outer.blocks == 0 and morning_lines(plain.outer, 1) == []
    assert "outer" not in markdown.write(report(plain))
