"""Proposals that repeat an earlier one, by their edit, their constants, their words, their direction; and others."""

from __future__ import annotations

import pytest

from bot.agents.constants import changes_between
from bot.agents.novelty import FAILURES, edit_beside, repeats, twin
from bot.rules.proposal import Change, PastExperiment, Proposal

TRAIN = '''"""Train."""
LR = 0.02
MATRIX_LR = 0.02
BETA2 = 0.95
ACT = "gelu"
NORM = "gelu"


def schedule(step):
    # the whole way down
    return 1 - step
'''
FILES = {"train.py": TRAIN}


def proposed(
    old: str = "", new: str = "", words: str = "Try it", *, category: str = "optimization", reason: str = ""
) -> Proposal:
    files = {"train.py": TRAIN.replace(old, new) if old else TRAIN}
    return Proposal(words, category, reason, "", "", files, changes_between(FILES, files))


def past(
    number: int, proposal: Proposal, *, verdict: str = "discarded", effect: float | None = 0.01
) -> PastExperiment:
    edit = edit_beside(FILES, proposal.files, proposal.changes)
    return PastExperiment(
        number, proposal.changes, proposal.hypothesis, proposal.category, verdict, effect, 0.004,
        verdict == "improved", {}, proposal.reason, edit,
    )  # fmt: skip


def told(words: str, reason: str = "") -> Proposal:
    """A proposal of which only the words are known."""
    return Proposal(words, "other", reason, "", "", {}, ())


def said(number: int, words: str) -> PastExperiment:
    return PastExperiment(number, (), words, "other", "discarded", 0.01, 0.004, False, {})


def is_repeat(earlier: str, later: str) -> bool:
    return repeats(told(later), [said(1, earlier)]) is not None


# -- by constants and edits ----------------------------------------------------------------------------


def test_the_same_constant_at_the_same_value() -> None:
    history = [past(3, proposed("MATRIX_LR = 0.02", "MATRIX_LR = 0.04"))]
    found = repeats(
        proposed("MATRIX_LR = 0.02", "MATRIX_LR = 4e-2", "Let matrices learn faster"), history, files=FILES
    )
    assert found is not None and found.kind == "constants" and found.past.number == 3
    assert found.why == (
        "It sets MATRIX_LR to 4e-2 as experiment 3, which ended discarded (worse by 0.01, deviation 0.004)."
    )


def test_within_one_part_in_a_hundred() -> None:
    history = [past(1, proposed("MATRIX_LR = 0.02", "MATRIX_LR = 0.04"))]
    assert repeats(proposed("MATRIX_LR = 0.02", "MATRIX_LR = 0.0402"), history, files=FILES)
    assert not repeats(proposed("MATRIX_LR = 0.02", "MATRIX_LR = 0.042"), history, files=FILES)


def test_decays_near_one_are_compared_by_their_distance_to_one() -> None:
    history = [past(1, proposed("BETA2 = 0.95", "BETA2 = 0.99"))]
    assert repeats(proposed("BETA2 = 0.95", "BETA2 = 0.99"), history, files=FILES)
    for other in ("0.995", "0.999", "0.985"):
        assert not repeats(proposed("BETA2 = 0.95", f"BETA2 = {other}"), history, files=FILES)


@pytest.mark.parametrize(
    ("old", "new"),
    [("\nLR = 0.02", "\nLR = 0.04"), ("NORM = \"gelu\"", "NORM = \"relu\""), ("LR = 0.02", "LR = 0.04")],
    ids=["a name that is part of another", "the same word elsewhere", "two constants at once"],
)  # fmt: skip
def test_another_constant_at_the_same_value_is_new(old: str, new: str) -> None:
    history = [
        past(1, proposed("MATRIX_LR = 0.02", "MATRIX_LR = 0.04")),
        past(2, proposed('ACT = "gelu"', 'ACT = "relu"')),
    ]
    assert repeats(proposed(old, new), history, files=FILES) is None


def test_on_a_newer_incumbent_it_is_a_repeat_too() -> None:
    earlier = Change("train.py", "LR", "0.01", "0.04")
    history = [PastExperiment(1, (earlier,), "Raise it", "other", "discarded", 0.1, None, False, {})]
    assert repeats(proposed("\nLR = 0.02", "\nLR = 0.04"), history, files=FILES)


COSINE = ("    return 1 - step", "    return cosine(step)")


def test_the_same_edit_with_other_comments() -> None:
    history = [past(1, proposed(*COSINE, "Cosine schedule"))]
    again = proposed(COSINE[0], COSINE[1] + "  # smooth", "Slow down gently")
    found = repeats(again, history, files=FILES)
    assert found is not None and found.kind == "edit"
    other = proposed(COSINE[0], "    return linear(step)", "Straight line")
    assert repeats(other, history, files=FILES) is None


def test_the_same_constant_beside_another_edit_is_new() -> None:
    both = TRAIN.replace(*COSINE).replace("\nLR = 0.02", "\nLR = 0.04")
    combined = Proposal(
        "Cosine with LR", "other", "", "", "", {"train.py": both}, changes_between(FILES, {"train.py": both})
    )
    alone = past(1, proposed("\nLR = 0.02", "\nLR = 0.04", "Raise LR"))
    assert repeats(combined, [alone], files=FILES) is None
    assert twin(combined.changes, "", [alone]) is not None  # without the edit it would be one
    assert repeats(combined, [past(2, combined)], files=FILES)


def test_an_edit_is_the_same_on_other_constants() -> None:
    moved = {"train.py": TRAIN.replace("MATRIX_LR = 0.02", "MATRIX_LR = 0.03")}
    onto = {"train.py": moved["train.py"].replace(*COSINE)}
    assert edit_beside(moved, onto, ()) == edit_beside(FILES, proposed(*COSINE).files, ()) != ""


def test_reverts_are_no_repeats() -> None:
    undo = proposed("MATRIX_LR = 0.02", "MATRIX_LR = 0.04", category="revert")
    same = proposed("MATRIX_LR = 0.02", "MATRIX_LR = 0.04")
    assert repeats(undo, [past(1, same)], files=FILES) is None
    assert repeats(same, [past(1, undo)], files=FILES) is None


# -- by direction --------------------------------------------------------------------------------------


def steps(count: int, *, effect: float = 0.01) -> list[PastExperiment]:
    values = [0.02 * 1.3 ** (k + 1) for k in range(count)]
    return [
        past(k + 1, proposed("MATRIX_LR = 0.02", f"MATRIX_LR = {value:.4f}"), effect=effect)
        for k, value in enumerate(values)
    ]


def test_one_more_step_after_many_failures() -> None:
    further, back = ("MATRIX_LR = 0.02", "MATRIX_LR = 0.9"), ("MATRIX_LR = 0.02", "MATRIX_LR = 0.001")
    found = repeats(proposed(*further), steps(FAILURES), files=FILES)
    assert found is not None and found.kind == "direction"
    assert repeats(proposed(*back), steps(FAILURES), files=FILES) is None
    assert repeats(proposed(*further), steps(FAILURES - 1), files=FILES) is None
    assert repeats(proposed(*further), steps(FAILURES), files=FILES, failures=None) is None
    assert repeats(proposed(*further, category="other"), steps(FAILURES), files=FILES) is None


def test_a_near_miss_ends_a_row_of_failures() -> None:
    history = steps(FAILURES)
    near = past(9, proposed("MATRIX_LR = 0.02", "MATRIX_LR = 0.2"), effect=-0.001)
    assert repeats(proposed("MATRIX_LR = 0.02", "MATRIX_LR = 0.9"), [*history, near], files=FILES) is None


# -- by words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("dropout 0.1 to 0.2", "Dropout: 0.1 to 0.2"),
        ("orthogonal init for attention output", "Attention output, init orthogonal for"),
        ("Raise the embedding_lr to 0.4 at last", "raise the embedding lr to 0.4 at last (embedding_lr)"),
    ],
)
def test_nearly_the_same_words(earlier: str, later: str) -> None:
    assert is_repeat(earlier, later)
    assert is_repeat(later, earlier)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("dropout 0.1 to 0.2", "dropout 0.2 to 0.25"),
        ("dropout 0.1 to 0.2", "weight decay 0.1 to 0.2"),
        ("orthogonal init for attention output", "zero init for the MLP"),
        ("", ""),
    ],
)
def test_other_words_are_new(earlier: str, later: str) -> None:
    assert not is_repeat(earlier, later)
    assert not is_repeat(later, earlier)


def test_code_outweighs_words() -> None:
    """Two changes of constants are compared by their values, whatever is written about them."""
    history = [past(1, proposed("MATRIX_LR = 0.02", "MATRIX_LR = 0.04", "Let the matrices learn faster"))]
    later = proposed("MATRIX_LR = 0.02", "MATRIX_LR = 0.08", "Let the matrices learn faster")
    assert repeats(later, history, files=FILES) is None


def test_the_latest_of_several_is_named() -> None:
    history = [said(1, "dropout 0.2"), said(5, "Dropout 0.2"), said(3, "dropout 0.2 again")]
    found = repeats(told("dropout 0.2"), history)
    assert found is not None and found.kind == "words" and found.past.number == 5
