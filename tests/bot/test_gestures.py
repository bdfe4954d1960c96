"""A human's gestures are words: each is heard at the worst moment, none is lost, and of others nothing is heard."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from bot.forge.github_records import pull_of, signed, unsigned
from bot.rules.commands import COMMANDS, Gesture, meant_by
from tests.bot.gesture_script import play

RATES = ["0.0022", "0.0023", "0.0027", "0.0028", "0.0031", "0.0036"]


def test_every_gesture_is_a_command_that_there_is() -> None:
    meanings = {gesture: meant_by(gesture) for gesture in get_args(Gesture)}
    assert set(meanings.values()) <= {command.name for command in COMMANDS}
    assert {gesture for gesture, meaning in meanings.items() if meaning == "reject"} == {
        *("close", "delete_branch", "label", "push")
    }


def test_a_signed_text_tells_whether_people_changed_it() -> None:
    def edited(title: str, body: str) -> frozenset[str]:
        side = {"ref": "b", "sha": "1" * 40}
        record = {
            "number": 1,
            "title": title,
            "body": body,
            "merged_at": None,
            "state": "open",
            "html_url": "u",
        }
        pull = pull_of({**record, "head": side, "base": side})
        assert pull.body == unsigned(body)[0]
        return pull.edited

    ours = signed("A title", "Some\nwords")
    assert ours.startswith("Some\nwords\n<!-- ") and unsigned(ours)[0] == "Some\nwords"
    assert edited("A title", ours) == edited("A title", ours.replace("\n", "\r\n")) == frozenset()
    assert edited("My title", ours) == {"title"}
    assert edited("A title", ours.replace("words", "more")) == {"body"}
    assert edited("A title", "mine") == {"title", "body"}
    assert edited("A title", signed(None, "ours")) == {"title"}, "a title that was theirs stays theirs"


@pytest.mark.slow  # each gesture by itself is CI's, in `test_by_hand` and `tests/remarks/test_hand.py`
@pytest.mark.timeout(900)  # fifteen experiments, each with a training of its own
def test_all_gestures_at_the_worst_moments(tmp_path: Path) -> None:
    rows, campaign, humans = play(tmp_path, [(RATES, "32", {"ACTIVATION": '"relu2"'})])
    for row in rows:
        print(row)
    assert len(rows) == 16 and [row for row in rows if not row.heard] == []
    assert len(campaign.order) >= 13 and not campaign.open
    pulls = [issue for issue in humans.contents.issues.values() if issue.pull and issue.pull.base != "main"]
    assert len(pulls) >= 13 and not any(issue.state == "open" for issue in pulls)
