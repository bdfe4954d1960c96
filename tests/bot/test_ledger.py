"""What is appended later goes into one commit with what comes next, and is made anew if somebody else wrote first."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.git import Git
from bot.ledger import Ledger
from bot.ledger.store import REF, LedgerStore
from bot.rules.campaign import Campaign
from bot.rules.events import CampaignStarted, CommandGiven, Event, ExperimentClaimed
from tests.bot.storage import make_bare, make_repository, sh

STARTED = CampaignStarted("main", "main", "a" * 40, "loss", "minimize", 1)


@pytest.fixture
def place(tmp_path: Path) -> tuple[Git, str]:
    return make_repository(tmp_path / "repo"), make_bare(tmp_path / "remote.git")


def ledger(place: tuple[Git, str]) -> Ledger:
    return Ledger(LedgerStore(*place, "main"), "test", print)


def commits(place: tuple[Git, str]) -> int:
    return int(sh(Path(place[1]), "rev-list", "--count", REF))


def claim(campaign: Campaign) -> list[Event]:
    return [ExperimentClaimed(max(campaign.experiments, default=0) + 1, campaign.incumbent)]


def test_what_is_appended_later_is_known_at_once_and_written_with_the_next(place: tuple[Git, str]) -> None:
    mine = ledger(place)
    mine.append(lambda _: [STARTED])
    known = mine.append(claim, lambda c: {"a.txt": b"%d" % len(c.experiments)}, later=True)
    assert list(known.experiments) == [1] and mine.read_file("a.txt") == b"1"
    assert commits(place) == 1 and ledger(place).refresh().experiments == {}
    assert list(mine.append(claim).experiments) == [1, 2]
    assert commits(place) == 2
    other = ledger(place)
    assert list(other.refresh().experiments) == [1, 2] and other.read_file("a.txt") == b"1"


def test_what_waits_outlives_a_look_at_the_ledger_and_is_written_with_files(place: tuple[Git, str]) -> None:
    mine = ledger(place)
    mine.append(lambda _: [STARTED])
    mine.append(claim, later=True)
    assert list(mine.refresh().experiments) == [1] and commits(place) == 1
    mine.append(claim, later=True)
    mine.write({"b.txt": b"text"}, "Render")
    assert commits(place) == 2
    other = ledger(place)
    assert list(other.refresh().experiments) == [1, 2] and other.read_file("b.txt") == b"text"
    mine.flush()
    assert commits(place) == 2


def test_what_waits_is_made_anew_if_another_wrote_first(place: tuple[Git, str]) -> None:
    mine, other = ledger(place), ledger(place)
    mine.append(lambda _: [STARTED])
    mine.append(claim, later=True)
    other.refresh()
    other.append(claim)
    assert list(mine.refresh().experiments) == [1, 2]
    other.append(claim)
    assert list(mine.append(claim).experiments) == [1, 2, 3, 4]
    assert mine.known().event_count == 5 == ledger(place).refresh().event_count


def test_what_waits_may_come_to_nothing_on_the_freshest_campaign(place: tuple[Git, str]) -> None:
    mine, other = ledger(place), ledger(place)
    mine.append(lambda _: [STARTED])
    mine.append(lambda c: [] if c.paused else claim(c), later=True)
    other.refresh()
    other.append(lambda c: [CommandGiven(c.commands + 1, "pause")])
    mine.flush()
    assert mine.known().experiments == {} and mine.known().paused


def test_what_could_not_be_made_is_not_known_either(place: tuple[Git, str]) -> None:
    mine = ledger(place)
    mine.append(lambda _: [STARTED])
    mine.append(claim, later=True)

    def broken(campaign: Campaign) -> list[Event]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        mine.append(broken)
    assert mine.known().experiments == {} and commits(place) == 1
    assert list(mine.append(claim).experiments) == [1]
