"""Where repeats are met: sent back to the model that hands one in, and refused by the review."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.agents.novelty import repeats
from bot.agents.protocol import Question, Revision
from bot.claude.proposer import Workbench
from bot.claude.tools import Answer
from bot.loop.library import DeskLibrary
from bot.loop.proposing import editable_files, ensure_commit
from bot.loop.run import Until, run_loop
from tests.bot.repositories import TRAIN, make_repository, nocturne, status
from tests.bot.test_stages import Script, desk_for, proposal

SLOWER = TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.0002")  # worse: nothing lands


def test_what_was_tried_on_the_same_incumbent_is_not_trained_again(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    nearly = TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.000201")
    desk = desk_for(
        folder, Script(proposal({"train.py": SLOWER}), proposal({"train.py": nearly}, "Once more"))
    )
    run_loop(desk, Until(experiments=2))
    assert status(folder)["experiments"]["rejected"] == 1
    assert "sets LEARNING_RATE to 0.000201 as experiment 1" in " ".join(
        nocturne(folder, "show", "2").stdout.split()
    )


def test_the_offline_search_may_try_near_values(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    nearly = TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.000201")
    offline = replace(proposal({"train.py": nearly}), proposer="offline (Claude: asleep)")
    run_loop(desk_for(folder, Script(proposal({"train.py": SLOWER}), offline)), Until(experiments=2))
    assert status(folder)["experiments"].get("rejected", 0) == 0


def test_the_ledger_knows_edits_beside_constants(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    edit = "settings = (DROPOUT,)\n"
    desk = desk_for(
        folder, Script(proposal({"train.py": SLOWER}), proposal({"train.py": SLOWER + edit}, "Edit"))
    )
    run_loop(desk, Until(experiments=2))
    first, second = desk.ledger.refresh().history()
    assert first.changes == second.changes and first.edit == "" != second.edit
    assert status(folder)["experiments"].get("rejected", 0) == 0  # the same constant with another edit is new
    again = proposal({"train.py": SLOWER + "# a remark\n" + edit})
    found = repeats(again, [first, second], files={"train.py": TRAIN})
    assert found is not None and (found.kind, found.past.number) == ("edit", 2)


def hand_in(bench: Workbench, new: str) -> Answer:
    given: dict[str, Any] = {
        "hypothesis": f"Learning rate to {new}", "category": "optimization", "expected_effect": "Better.",
        "risk": "None.", "reason": "Because.",
        "edits": [{"path": "train.py", "old": "LEARNING_RATE = 0.001", "new": f"LEARNING_RATE = {new}"}],
    }  # fmt: skip
    (tool,) = (tool for tool in bench.tools() if tool.name == "propose")
    return tool.answer(given)


def bench_after_one(folder: Path, revision: Revision | None = None) -> Workbench:
    """A workbench for the second experiment, after one that made the learning rate smaller."""
    desk = desk_for(folder, Script(proposal({"train.py": SLOWER})))
    run_loop(desk, Until(experiments=1))
    campaign = desk.ledger.refresh()
    files = editable_files(desk, campaign.incumbent)
    library = DeskLibrary(desk, campaign, replace(campaign.experiments[1], number=2), look_at=ensure_commit)
    return Workbench(Question(files, "", campaign.history(), 0, 2, library, revision), library, "claude")


def test_a_model_is_told_once_what_it_repeats(tmp_path: Path) -> None:
    bench = bench_after_one(make_repository(tmp_path / "repo"))
    back = hand_in(bench, "0.0002005")
    assert back.returned and back.result is None
    assert "as experiment 1, which ended discarded (effect +" in back.text
    assert hand_in(bench, "0.002").result is not None
    assert hand_in(bench, "0.0002005").result is not None  # thought again, and meant


def test_a_revision_may_come_near_to_what_it_mends(tmp_path: Path) -> None:
    revision = Revision("Smaller steps", {"train.py": TRAIN}, ("Say why.",), 1)
    bench = bench_after_one(make_repository(tmp_path / "repo"), revision)
    assert hand_in(bench, "0.0002005").result is not None
