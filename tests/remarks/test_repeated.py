"""A job that dies at any call and is run again: one reaction of each kind, one answer, one event."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bot.forge import github_client
from bot.git import patience
from tests.github.faults import Fault
from tests.remarks.conftest import MERGED, Night, Said, Speech

KINDS = (Fault.before, Fault.after, Fault.bad_gateway, Fault.forbidden(retry_after=0), Fault.reset)
DISPATCHES = {"status": 0, "pause": 0, "resume": 1, "revert": 0}


def calls_of(speech: Speech, command: str) -> int:
    """Return how many calls a command takes where nothing fails."""
    night = speech.night
    night.put_back()
    body, place = said_on(night, command)
    said = speech.write(body, on=place)
    before = night.github.faults.count
    assert speech.answer(said) == 0
    check(said, command)
    return night.github.faults.count - before


def said_on(night: Night, command: str) -> tuple[str, int]:
    return f"/nocturne {command}", night.pull_of(MERGED)


def check(said: Said, command: str) -> None:
    number = MERGED if command == "revert" else None
    assert said.reactions == ["eyes", "+1"]
    assert len(said.answers) == 1
    assert said.commands == ([] if command == "status" else [(command, number)])
    assert len(said.night.github.dispatches) == DISPATCHES[command]


def walk(speech: Speech, command: str, kinds: Sequence[Sequence[Fault]]) -> tuple[int, int]:
    """Fail each call in the ways of `kinds` that go with it; return (failures, jobs that died of it)."""
    night, failed, died = speech.night, 0, 0
    for index in range(calls_of(speech, command)):
        for kind in kinds[index % len(kinds)]:
            night.put_back()
            body, place = said_on(night, command)
            said = speech.write(body, on=place)
            night.github.faults.at(index, kind)
            died += speech.answer(said) != 0
            assert night.github.faults.pending == 0, (command, index, kind)
            assert speech.answer(said) == 0
            check(said, command)
            failed += 1
    return failed, died


@pytest.fixture
def hasty(speech: Speech) -> Speech:
    """A job that gives up at the first failure, so that it is the next one that mends."""
    speech.monkeypatch.setattr(github_client, "TRIES", 1)
    speech.monkeypatch.setattr(patience, "TRIES", 1)
    return speech


@pytest.mark.long
def test_a_job_may_die_at_any_call(hasty: Speech) -> None:
    """`resume` makes every kind of call that there is."""
    failed, died = walk(hasty, "resume", [[kind] for kind in KINDS])
    print(f"{failed} failures, {died} jobs died, nothing doubled")
    assert failed >= 10 and died >= 8


@pytest.mark.slow
@pytest.mark.parametrize("command", list(DISPATCHES))
def test_a_job_may_die_at_any_call_in_every_way(hasty: Speech, command: str) -> None:
    failed, died = walk(hasty, command, [KINDS])
    print(f"{command}: {failed} failures, {died} jobs died, nothing doubled")
    assert failed >= 35 and died >= 20


@pytest.mark.slow
def test_a_patient_job_outlives_each_failure(speech: Speech) -> None:
    failed, died = walk(speech, "resume", [KINDS])
    assert failed >= 50 and died == 0


def test_the_same_comment_twice_is_one_command(night: Night, speech: Speech) -> None:
    said = speech.say("/nocturne pause", on=night.issue())
    before = len(night.github.git_calls)
    assert speech.answer(said) == 0
    assert len(night.github.git_calls) == before  # the ledger is not even looked at
    check(said, "pause")


def test_an_answer_that_was_deleted_is_written_again_and_nothing_else(night: Night, speech: Speech) -> None:
    said = speech.say("/nocturne revert", on=night.pull_of(MERGED))
    comments = night.repository.contents.comments
    for number in [number for number, each in comments.items() if "nocturne:answer" in each.body]:
        del comments[number]
    assert speech.answer(said) == 0
    check(said, "revert")


def test_of_pause_and_resume_the_later_comment_counts(night: Night, speech: Speech) -> None:
    """Jobs run in any order, and an old one may be run again days later."""
    place = night.issue()
    first, second = speech.write("/nocturne pause", on=place), speech.write("/nocturne resume", on=place)
    for said in (second, first):
        assert speech.answer(said) == 0
    assert second.commands == [("resume", None)] and first.commands == []
    assert first.reactions == ["eyes", "confused"] and "a later comment" in first.answers[0]


def test_each_comment_is_a_command_of_its_own(night: Night, speech: Speech) -> None:
    place = night.issue()
    said = [speech.say(f"/nocturne {name}", on=place) for name in ("stop", "pause", "stop")]
    assert [each.commands for each in said] == [[("stop", None)], [("pause", None)], [("stop", None)]]
    numbers = [event["number"] for event in night.events("command_given")]
    assert numbers == [1, 2, 3]
