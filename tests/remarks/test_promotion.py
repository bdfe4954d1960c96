"""The promotion by comment: `promote` opens it, `approve` on it merges it, each once."""

from __future__ import annotations

from tests.bot.repositories import git
from tests.remarks.conftest import MERGED, Night, Speech


def promotions(night: Night) -> list[int]:
    contents = night.repository.contents
    return [n for n, i in contents.issues.items() if i.pull is not None and i.pull.base == "main"]


def test_promote_and_approve(night: Night, speech: Speech) -> None:
    said = speech.say("/nocturne promote", on=night.issue())
    (number,) = promotions(night)
    assert said.reactions == ["eyes", "+1"] and f"/pull/{number})" in said.answers[0]
    assert speech.answer(said) == 0 and promotions(night) == [number]
    landed = night.events("experiment_landed")[0]["commit"]
    assert git(night.repository.path, "rev-parse", "main") != landed
    stranger = speech.say("/nocturne approve", on=number, by="rita")
    assert stranger.answers == [] and git(night.repository.path, "rev-parse", "main") != landed
    approved = speech.say("/nocturne approve\n\nRead all of it.", on=number)
    assert approved.reactions == ["eyes", "+1"], approved.answers
    assert git(night.repository.path, "rev-parse", "main") == landed
    issue = night.repository.pull(number)
    assert issue.pull is not None and issue.pull.merged is not None
    again = speech.say("/nocturne promote", on=night.pull_of(MERGED))
    assert again.reactions == ["eyes", "confused"] and promotions(night) == [number]


def test_a_word_about_an_experiment_on_the_promotion_needs_its_number(night: Night, speech: Speech) -> None:
    speech.say("/nocturne promote", on=night.issue())
    (number,) = promotions(night)
    said = speech.say("/nocturne reject", on=number)
    assert said.commands == [] and "needs the number" in said.answers[0]
