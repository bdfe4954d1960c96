"""Edits: applied exactly, or refused with the reason that mends them."""

from __future__ import annotations

import pytest

from bot.agents.draft import DraftRefused, Edit, apply_edits, objections
from bot.agents.review import fingerprint

BASE = {"train.py": "LR = 0.1\nDEPTH = 8\n\n\ndef main():\n    return LR * DEPTH\n", "notes.txt": "one\n"}


def test_edits_apply_one_after_the_other() -> None:
    changed = apply_edits(
        BASE,
        [
            Edit("train.py", "LR = 0.1", "LR = 0.2"),
            Edit("train.py", "LR = 0.2\nDEPTH = 8", "LR = 0.3\nDEPTH = 6"),
        ],
    )
    assert changed == {"train.py": BASE["train.py"].replace("0.1", "0.3").replace("8", "6")}


def test_without_old_text_the_file_is_written_whole() -> None:
    assert apply_edits(BASE, [Edit("notes.txt", "", "two\n")]) == {"notes.txt": "two\n"}


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ([], "there are no edits"),
        ([Edit("train.py", "LR = 0.1", "LR = 0.1")], "change nothing"),
        (
            [Edit("train.py", "LR = 0.1", "LR = 1"), Edit("prepare.py", "", "x")],
            "edit 2 of 2: prepare.py is not an editable file; editable: notes.txt, train.py",
        ),
        ([Edit("train.py", "LR", "X")], "occurs 2 times in train.py (lines 1, 6): add lines around it"),
        (
            [Edit("train.py", "  return LR * DEPHT", "")],
            "does not occur in train.py; line 6 is most like it and reads '    return LR * DEPTH'",
        ),
        ([Edit("train.py", "zebra crossing", "")], "no line looks like it"),
        ([Edit("train.py", "def main():", "def main(:")], "train.py does not parse: line 5 ('def main(:')"),
        ([Edit("train.py", "", "x = 1\0")], "train.py does not parse"),
        ([Edit("train.py", "", "(" * 5000)], "train.py does not parse"),
    ],
)
def test_what_does_not_fit_is_said_exactly(edits: list[Edit], said: str) -> None:
    with pytest.raises(DraftRefused) as caught:
        apply_edits(BASE, edits)
    assert said in str(caught.value)


def test_rules_and_what_was_tried() -> None:
    after = {"train.py": BASE["train.py"].replace("0.1", "0.2")}
    assert objections(BASE, after, {}) == []
    assert objections(BASE, after, {fingerprint({**BASE, **after}): 7}) == [
        "Experiment 7 already tried exactly this."
    ]
    assert (
        "newly imports socket" in objections(BASE, {"train.py": "import socket\n" + BASE["train.py"]}, {})[0]
    )
