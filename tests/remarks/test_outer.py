"""`/nocturne outer` in a comment: shows the mechanisms, and takes one out or lets it in, once."""

from __future__ import annotations

import pytest

from bot.github.parse import Asked, parse
from tests.remarks.conftest import MERGED, Night, Speech


def test_how_it_is_read() -> None:
    assert parse("/nocturne outer") == Asked("outer")
    assert parse("/nocturne outer tabu off\nIt goes in circles.") == Asked(
        "outer", text="tabu off\nIt goes in circles."
    )


@pytest.mark.long
def test_a_comment_takes_a_mechanism_out_once(night: Night, speech: Speech) -> None:
    place = night.pull_of(MERGED)
    said = speech.say("/nocturne outer tabu off\nIt goes in circles.", on=place)
    assert said.reactions == ["eyes", "+1"] and "tabu is off" in said.answers[0]
    assert speech.answer(said) == 0  # the job is run again
    (switched,) = night.events("mechanism_switched")
    assert (switched["mechanism"], switched["on"], switched["source"][:8]) == ("tabu", False, "comment:")
    wrong = speech.say("/nocturne outer wander off", on=place)
    assert "confused" in wrong.reactions and "there are none, restart, kick" in wrong.answers[0]
    assert "No experiment was steered" in speech.say("/nocturne outer", on=place).answers[0]
