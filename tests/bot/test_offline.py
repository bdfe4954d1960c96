"""The offline search: what it tries first, how it learns, that it never repeats, what it says."""

from __future__ import annotations

import ast
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bot.agents.constants import canonical, constant_values, rewrite, rewritten
from bot.agents.offline.search import propose
from bot.rules.proposal import Change, PastExperiment, Proposal
from tests.benchmarks.search.__main__ import main as bench
from tests.benchmarks.search.landscapes import SOURCE, landscape
from tests.benchmarks.search.searchers import Blind, Offline, campaign
from tests.families import few

FILES = {"train.py": SOURCE}


def past(
    number: int,
    name: str,
    old: str,
    new: str,
    effect: float | None,
    verdict: str | None = "discarded",
    category: str = "optimization",
) -> PastExperiment:
    return PastExperiment(
        number=number,
        changes=(Change("train.py", name, old, new),),
        hypothesis=f"Set {name} to {new}",
        category=category,
        verdict=verdict,
        effect=effect,
        sigma=None if effect is None else 0.001,
        landed=verdict == "improved",
        parent_values={},
    )


def one(source: str, history: Sequence[PastExperiment] = (), number: int = 1) -> Proposal | None:
    return propose({"t.py": source}, history, seed=0, number=number)


def test_same_input_same_proposal_and_seeds_differ_somewhere() -> None:
    assert propose(FILES, (), seed=1, number=1) == propose(FILES, (), seed=1, number=1)
    assert len({propose(FILES, (), seed=seed, number=1).hypothesis for seed in range(12)}) > 1  # type: ignore[union-attr]


def test_the_first_dozen_covers_rates_batch_size_and_schedule_before_the_rest() -> None:
    history: list[PastExperiment] = []
    for number in range(1, 7):
        proposal = propose(FILES, history, seed=3, number=number)
        assert proposal is not None
        change = proposal.changes[0]
        history.append(past(number, change.name, change.old, change.new, 0.002, category=proposal.category))
    names = [item.changes[0].name for item in history]
    assert any("LR" in name for name in names)
    assert "TOTAL_BATCH_SIZE" in names
    assert {"DEPTH", "ASPECT_RATIO", "WARMDOWN_RATIO"} & set(names)
    assert not {"BETA2", "GRAD_CLIP"} & set(names[:4])


def test_a_proposal_changes_only_its_literals_and_explains_itself() -> None:
    proposal = propose(FILES, (), seed=0, number=1)
    assert proposal is not None
    change = proposal.changes[0]
    assert proposal.files["train.py"] == rewrite(FILES["train.py"], {change.name: change.new})
    assert proposal.proposer == "offline"
    assert change.name in proposal.hypothesis
    assert change.new in proposal.hypothesis
    assert proposal.reason
    assert proposal.expected_effect
    assert proposal.risk


def test_nothing_tunable_and_everything_tried_give_none() -> None:
    assert one("import os\n") is None
    source = "USE_BIAS = True\nuse(USE_BIAS)\n"
    first = one(source)
    assert first is not None
    assert first.hypothesis == "Turn USE_BIAS off"
    history = [replace(past(1, "USE_BIAS", "True", "False", 0.1), changes=first.changes)]
    assert one(source, history, 2) is None


def test_goes_on_where_it_won() -> None:
    source = "MATRIX_LR = 0.04\nuse(MATRIX_LR)\n"
    won = past(1, "MATRIX_LR", "0.02", "4e-2", -0.01, "improved")
    proposal = one(source, [won], 2)
    assert proposal is not None
    assert proposal.hypothesis == "Raise MATRIX_LR from 0.04 to 0.08"
    assert (
        "experiment 1 went from 0.02 to 4e-2 (improved, better by 0.01, deviation 0.001)" in proposal.reason
    )
    assert "direction that won" in proposal.reason


def test_turns_round_after_a_loss_and_takes_finer_steps_after_two() -> None:
    source = "MATRIX_LR = 0.04\nuse(MATRIX_LR)\n"
    up = past(1, "MATRIX_LR", "0.04", "0.08", 0.02)
    proposal = one(source, [up], 2)
    assert proposal is not None
    assert proposal.changes[0].new == "0.02"
    assert "other direction" in proposal.reason
    finer = one(source, [up, past(2, "MATRIX_LR", "0.04", "0.02", 0.004)], 3)
    assert finer is not None
    assert finer.changes[0].new == "0.028"


@pytest.mark.parametrize("seed", range(6))
def test_never_beyond_a_crash(seed: int) -> None:
    source = "MATRIX_LR = 0.04\nuse(MATRIX_LR)\n"
    history = [past(1, "MATRIX_LR", "0.04", "0.06", None, "crashed")]
    for number in range(2, 12):
        proposal = propose({"t.py": source}, history, seed=seed, number=number)
        if proposal is None:
            break
        assert float(proposal.changes[0].new) < 0.06
        history.append(past(number, "MATRIX_LR", "0.04", proposal.changes[0].new, -0.0005))
    assert len(history) > 4


def test_near_misses_come_back_together_and_name_their_experiments() -> None:
    source = "MATRIX_LR = 0.04\nWEIGHT_DECAY = 0.2\nuse(MATRIX_LR, WEIGHT_DECAY)\n"
    history = [
        past(1, "MATRIX_LR", "0.04", "0.08", -0.0018, "inconclusive"),
        past(2, "WEIGHT_DECAY", "0.2", "0.1", -0.0017, "discarded", "regularization"),
        past(3, "MATRIX_LR", "0.04", "0.02", 0.02),
        past(4, "WEIGHT_DECAY", "0.2", "0.4", 0.02, category="regularization"),
        past(5, "MATRIX_LR", "0.04", "0.16", 0.02),
        past(6, "WEIGHT_DECAY", "0.2", "0.05", 0.02, category="regularization"),
    ]
    proposal = one(source, history, 7)
    assert proposal is not None
    assert {(change.name, change.new) for change in proposal.changes} == {
        ("MATRIX_LR", "0.08"),
        ("WEIGHT_DECAY", "0.1"),
    }
    assert "near misses: experiments 1 and 2" in proposal.hypothesis
    assert "better by 0.0018, deviation 0.001" in proposal.reason


def test_what_another_loop_works_on_is_taken() -> None:
    first = propose(FILES, (), seed=0, number=1)
    assert first is not None
    change = first.changes[0]
    flying = past(1, change.name, change.old, change.new, None, None)
    second = propose(FILES, [flying], seed=0, number=1)
    assert second is not None
    assert second.changes[0].name != change.name


def test_an_equal_value_in_another_spelling_is_a_repeat() -> None:
    source = "USE_LR = 3e-4\nuse(USE_LR)\n"
    history = [past(1, "USE_LR", "0.0003", "0.0006", 0.02)]
    proposal = one(source, history, 2)
    assert proposal is not None
    assert canonical(proposal.changes[0].new) != canonical("6e-4")


def test_an_earlier_incumbent_does_not_come_back() -> None:
    source = "DEPTH = 8\nuse(DEPTH)\n"
    history = [past(1, "DEPTH", "6", "8", -0.01, "improved")]
    seen = {6, 8}
    for number in range(2, 30):
        proposal = one(source, history, number)
        if proposal is None:
            break
        value = int(proposal.changes[0].new)
        assert value not in seen
        seen.add(value)
        history.append(past(number, "DEPTH", "8", str(value), -0.0001))
    else:
        pytest.fail("a single count should run out")


def test_a_category_that_only_fails_rests() -> None:
    history = [
        past(1, "MATRIX_LR", "0.04", "0.08", 0.004),
        past(2, "MATRIX_LR", "0.04", "0.02", 0.004),
        past(3, "EMBEDDING_LR", "0.6", "1.2", 0.004),
        past(4, "EMBEDDING_LR", "0.6", "0.3", 0.004),
    ]
    for seed in range(8):
        proposal = propose(FILES, history, seed=seed, number=5)
        assert proposal is not None
        assert proposal.category != "optimization"


def test_a_width_keeps_the_heads_dividing() -> None:
    source = "N_EMBD = 384\nN_HEAD = 6\nLR = 0.01\ndef f():\n    assert N_EMBD % N_HEAD == 0\n    return LR\n"
    history: list[PastExperiment] = []
    turned = set()
    for number in range(1, 40):
        proposal = one(source, history, number)
        if proposal is None:
            break
        values = constant_values(proposal.files)
        assert int(values["N_EMBD"]) % int(values["N_HEAD"]) == 0
        assert int(values["N_EMBD"]) // int(values["N_HEAD"]) % 2 == 0
        turned |= {change.name for change in proposal.changes}
        history.append(replace(past(number, "x", "0", "0", -0.0005), changes=proposal.changes))
    assert turned == {"N_EMBD", "N_HEAD", "LR"}


class Watched(Offline):
    """The search in a campaign, each proposal looked at; `blindfolded`: without the values of the incumbents."""

    blindfolded = False

    def ask(self, number: int) -> Mapping[str, str] | None:
        if self.blindfolded:
            self.history = [replace(item, parent_values={}) for item in self.history]
        values = super().ask(number)
        if values is not None:
            ast.parse(rewritten(self.files, self.changes)[self.ground.path])
            assert {change.name for change in self.changes} <= set(self.values)
        return values


class Blindfolded(Watched):
    blindfolded = True


@pytest.mark.parametrize("make", few([Watched, Blindfolded], 1))
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_a_long_campaign_never_repeats_and_always_parses(make: type[Watched], seed: int) -> None:
    experiments = 60 if seed else 40
    found = campaign(landscape("uniform", f"test/{seed}"), make, experiments=experiments, seed=seed)
    assert found.repeats == 0
    assert found.gains[-1] > 0.4


@pytest.mark.long
def test_it_beats_blind_mutation_clearly() -> None:
    grounds = [landscape("own", f"test/{seed}") for seed in range(8)]
    ours = [campaign(ground, Offline, experiments=12, seed=seed) for seed, ground in enumerate(grounds)]
    blind = [campaign(ground, Blind, experiments=12, seed=seed) for seed, ground in enumerate(grounds)]
    assert sum(each.gains[-1] for each in ours) >= 1.5 * sum(each.gains[-1] for each in blind)
    assert sum(each.repeats for each in ours) == 0


def test_a_history_of_thousands_costs_in_proportion() -> None:
    rng = random.Random(0)
    values = constant_values(FILES)
    names = {name: text for name, text in values.items() if "LR" in name or "STD" in name}

    def history(count: int) -> list[PastExperiment]:
        found = []
        for number in range(count):
            name = rng.choice(sorted(names))
            new = f"{float(names[name]) * rng.uniform(0.2, 5):.6g}"
            item = past(number, name, names[name], new, rng.gauss(0.002, 0.002))
            found.append(replace(item, parent_values=values))
        return found

    def cost(count: int) -> float:
        told = history(count)
        best = float("inf")
        for _ in range(2):
            began = time.process_time()
            assert propose(FILES, told, seed=0, number=count) is not None
            best = min(best, time.process_time() - began)
        return best

    assert cost(800) < 16 * cost(100)


def test_the_bench_goes_on_with_what_was_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--experiments", "12", "--family", "own", "--only", "blind", "--kept", str(tmp_path / "kept")]
    assert bench(["--seeds", "1", *words]) == 0
    once = (tmp_path / "kept").read_text()
    assert bench(["--seeds", "2", *words]) == 0
    twice = (tmp_path / "kept").read_text()
    assert twice.startswith(once) and len(twice.splitlines()) == 2
    assert "tpe joint" in capsys.readouterr().out, "what the libraries reach is known"
