"""What a batch takes, told from when batches were served."""

from __future__ import annotations

import pytest

from evaluator.training.pace import Pace


@pytest.mark.parametrize("batches", [40, 5000])
def test_what_the_first_batches_take_beyond_the_pace_is_told_apart(batches: int) -> None:
    pace, began, late = (
        Pace(),
        100.0,
        7.0,
    )  # seconds that compiling takes before the second batch is asked for
    for served in range(1, batches + 1):
        pace.served(served, began + (served - 1) * 0.5 + (late if served > 1 else 0.0))
    each, excess = pace.of_a_training(began, late + batches * 0.5)
    assert each == pytest.approx(0.5) and excess == pytest.approx(late)


def test_a_training_of_one_batch_is_its_pace() -> None:
    pace = Pace()
    pace.served(1, 3.0)
    assert pace.of_a_training(3.0, 12.0) == (12.0, 0.0)
