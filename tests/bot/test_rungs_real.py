"""What the runs of `make bench-rungs-real` are made of, and what is said of them."""

from __future__ import annotations

import random
from pathlib import Path

import evaluator
from tests.benchmarks.rungs_real import COLUMNS, DATA, append, missing, rows
from tests.benchmarks.rungs_table import NONE, table
from tests.benchmarks.rungs_variants import FULL_STEPS, constants, full_steps, variants

TRAIN = (Path(evaluator.__file__).parent / "starter" / "train.py").read_text()


def test_at_least_sixty_variants_change_the_starter_each_in_its_own_way() -> None:
    made = variants()
    assert len(made) > 60 and len({each.category for each in made}) == 8
    assert len({each.script(TRAIN) for each in made}) == len(made)
    for each in made:
        compile(each.script(TRAIN), "train.py", "exec")
        assert full_steps(each, TRAIN) % 4 == 0, "a quarter of the steps is a whole number"
    assert full_steps(made[0], TRAIN) == FULL_STEPS
    assert constants(TRAIN)["BATCH_SIZE"] == "16"


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    chosen = variants()[:3]
    every = list(missing([], chosen))
    assert len(every) == len({(v.name, share, seed) for v, share, seed in every}) == 3 * 6
    variant, share, seed = every[0]
    row = dict.fromkeys(COLUMNS, "") | {"variant": variant.name, "share": f"{share:g}", "seed": str(seed)}
    append(row, tmp_path / "runs.csv")
    there = rows(tmp_path / "runs.csv")
    assert there == [row] and list(missing(there, chosen)) == every[1:]


def test_the_table_tells_agreement_and_lost_winners() -> None:
    draw, made = random.Random(5), []
    for variant in variants():
        truth = 3.5 if variant.name == NONE else 3.5 + draw.gauss(0.05, 0.1)
        for share in (0.25, 0.5, 1.0):
            for seed in (0, 1):
                score = truth + (1 - share) + draw.gauss(0, 0.002)
                made.append(
                    {
                        "variant": variant.name,
                        "category": variant.category,
                        "share": f"{share:g}",
                        "seed": str(seed),
                    }
                    | {"score": f"{score:.6f}", "cpu_seconds": f"{10 + 10 * share}"}
                )
    said = "\n".join(table(made))
    assert "all        quarter 1.00 (65)" in said or "all        quarter 0.99 (65)" in said, said
    assert "winners lost: " in said and "experiments per hour against none" in said


def test_the_committed_runs_are_of_known_variants() -> None:
    there = rows(DATA)
    assert {row["variant"] for row in there} <= {each.name for each in variants()}
    assert len({(row["variant"], row["share"], row["seed"]) for row in there}) == len(there)
    assert DATA.stat().st_size < 200_000
