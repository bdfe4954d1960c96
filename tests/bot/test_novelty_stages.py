"""Where repeats are met: sent back to the model that hands one in, and refused by the review."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.agents.claude.proposer import Workbench
from bot.agents.claude.tools import Answer
from bot.agents.novelty import repeats
from bot.agents.protocol import Question, Revision
from bot.loop.commits import editable_files, ensure_commit
from bot.loop.library import CampaignLibrary
from bot.loop.runner import Until, run_loop
from tests.bot.repositories import TRAIN, make_repository, nocturne, status
from tests.bot.test_stages import Script, context_for, proposal

SLOWER = TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.0002")  # worse: nothing lands


def rate(value: str) -> str:
    return TRAIN.replace("LEARNING_RATE = 0.001", f"LEARNING_RATE = {value}")


@pytest.mark.long
def test_what_a_campaign_does_with_repeats(tmp_path: Path) -> None:
    """The same setting again is refused; the offline search may try near ones; another edit makes it new."""
    folder = make_repository(tmp_path / "repo")
    edit = "settings = (DROPOUT,)\n"
    again = proposal({"train.py": rate("0.000201")}, "Once more")
    near = replace(proposal({"train.py": rate("0.000199")}), proposer="offline (Claude: asleep)")
    edited = proposal({"train.py": SLOWER + edit}, "With an edit")
    context = context_for(folder, Script(proposal({"train.py": SLOWER}), again, near, edited))
    run_loop(context, Until(experiments=4))
    assert status(folder)["experiments"]["rejected"] == 1
    shown = " ".join(nocturne(folder, "show", "2").stdout.split())
    assert "sets LEARNING_RATE to 0.000201 as experiment 1" in shown
    past = context.ledger.refresh().history()
    assert past[0].changes == past[3].changes and past[0].edit == "" != past[3].edit
    once_more = proposal({"train.py": SLOWER + "# a remark\n" + edit})
    found = repeats(once_more, past, files={"train.py": TRAIN})
    assert found is not None and (found.kind, found.past.number) == ("edit", 4)


def hand_in(bench: Workbench, new: str) -> Answer:
    given: dict[str, Any] = {
        "hypothesis": f"Learning rate to {new}", "category": "optimization", "expected_effect": "Better.",
        "risk": "None.", "reason": "Because.",
        "edits": [{"path": "train.py", "old": "LEARNING_RATE = 0.001", "new": f"LEARNING_RATE = {new}"}],
    }  # fmt: skip
    (tool,) = (tool for tool in bench.tools() if tool.name == "propose")
    return tool.answer(given)


def test_a_model_is_told_once_what_it_repeats(tmp_path: Path) -> None:
    context = context_for(make_repository(tmp_path / "repo"), Script(proposal({"train.py": SLOWER})))
    run_loop(context, Until(experiments=1))
    campaign = context.ledger.refresh()
    files = editable_files(context, campaign.incumbent)
    library = CampaignLibrary(
        context, campaign, replace(campaign.experiments[1], number=2), look_at=ensure_commit
    )
    question = Question(files, "", campaign.history(), 0, 2, library)
    bench = Workbench(question, library, "claude")
    back = hand_in(bench, "0.0002005")
    assert back.returned and back.result is None
    assert "as experiment 1, which ended discarded (worse by " in back.text
    assert hand_in(bench, "0.002").result is not None
    assert hand_in(bench, "0.0002005").result is not None  # thought again, and meant
    # What is mended after a review may come near to what it mends.
    mending = replace(question, revision=Revision("Smaller steps", {"train.py": TRAIN}, ("Say why.",), 1))
    assert hand_in(Workbench(mending, library, "claude"), "0.0002005").result is not None
