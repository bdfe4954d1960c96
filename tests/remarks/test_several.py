"""Several campaigns in one repository: an experiment's pull request means its own, an issue means all."""

from __future__ import annotations

import io

import pytest

from bot.agents.proposers.offline import OfflineProposer
from bot.loop.context import open_context
from bot.loop.start import ensure_started
from bot.tell.display import PlainDisplay
from tests.bot.repositories import CONFIG, git
from tests.remarks.conftest import MERGED, Night, Speech

pytestmark = pytest.mark.long

TWO = "remote: origin\n" + CONFIG + "seed: 1\ncampaigns:\n  main: {}\n  other: {}\n"


@pytest.fixture
def two(night: Night) -> Night:
    """A second campaign beside the first, begun and without an experiment."""
    (night.top / ".github/nocturne.yml").write_text(TWO)
    git(night.top, "commit", "--quiet", "--all", "--message", "A second campaign")
    git(night.top, "push", "--quiet", str(night.repository.path), "main")
    environ = night.environ(night.folder / "none")
    ensure_started(open_context(night.top, "other", PlainDisplay(io.StringIO()), environ, OfflineProposer()))
    return night


def given(night: Night) -> dict[str, list[str]]:
    return {
        name: [event["command"] for event in night.events("command_given", name)]
        for name in ("main", "other")
    }


def test_a_word_on_an_issue_is_for_all(two: Night, speech: Speech) -> None:
    said = speech.say("/nocturne stop", on=two.issue())
    assert given(two) == {"main": ["stop"], "other": ["stop"]}
    assert said.reactions == ["eyes", "+1"] and len(said.answers) == 1
    assert "main: **Stopped.**" in said.answers[0] and "other: **Stopped.**" in said.answers[0]
    told = speech.say("/nocturne status", on=two.issue()).answers[0]
    assert "**Campaign main**" in told and "**Campaign other**" in told and "not measured yet" in told


def test_a_word_on_a_pull_request_is_for_its_campaign(two: Night, speech: Speech) -> None:
    speech.say("/nocturne pause", on=two.pull_of(MERGED))
    speech.say("/nocturne revert", on=two.pull_of(MERGED))
    assert given(two) == {"main": ["pause", "revert"], "other": []}


def test_a_number_alone_is_not_enough(two: Night, speech: Speech) -> None:
    said = speech.say(f"/nocturne revert {MERGED}", on=two.issue())
    assert given(two) == {"main": [], "other": []} and "several campaigns" in said.answers[0]


def test_the_workflow_may_name_one(two: Night, speech: Speech) -> None:
    said = speech.write(f"/nocturne revert {MERGED}", on=two.issue())
    assert speech.answer(said, "--campaign", "main") == 0
    assert given(two) == {"main": ["revert"], "other": []}


def test_one_that_has_not_begun_says_so(two: Night, speech: Speech) -> None:
    three = TWO + "  third: {}\n"
    (two.top / ".github/nocturne.yml").write_text(three)
    git(two.top, "commit", "--quiet", "--all", "--message", "A third campaign")
    said = speech.write("/nocturne pause", on=two.issue())
    assert speech.answer(said, "--campaign", "third") == 0
    assert said.reactions == ["eyes", "confused"] and "has not begun" in said.answers[0]
