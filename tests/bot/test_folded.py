"""What a clone keeps of a folded ledger: never believed over the events, and equal to the fold from nothing."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
from pathlib import Path

import pytest

from bot.git import Git
from bot.ledger import Ledger, folded, store
from bot.ledger.places import spread
from bot.ledger.records import Records
from bot.ledger.store import LedgerStore
from bot.rules.campaign import Campaign, fold
from bot.rules.events import CampaignStarted, CommandGiven, Event, read, to_json
from tests.bot.campaigns import night_of
from tests.bot.storage import make_bare, make_repository

LEDGERS = Path(__file__).parent / "ledgers"
NIGHT = [each.event for each in night_of(20).recorded]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have segments, and what is folded between two writes, hold fewer events."""
    monkeypatch.setattr(folded, "EVERY", 100)
    monkeypatch.setattr(store, "SEGMENT_EVENTS", 60)


@pytest.fixture
def place(tmp_path: Path) -> tuple[Git, str]:
    return make_repository(tmp_path / "repo"), make_bare(tmp_path / "remote.git")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "folded"


def ledger(place: tuple[Git, str], cache: Path | None) -> Ledger:
    return Ledger(LedgerStore(*place, "main"), "test", print, cache=cache)


def fill(place: tuple[Git, str], cache: Path | None, events: list[Event] = NIGHT) -> Campaign:
    return ledger(place, cache).append(lambda _: events)


def read_objects(git: Git, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the bytes of blobs that are read from now on."""
    sizes: list[int] = []
    original = type(git.store).read

    def counted(store: object, sha: str, kind: str) -> bytes:
        content = original(store, sha, kind)  # type: ignore[arg-type]
        sizes.extend([len(content)] if kind == "blob" else [])
        return content

    monkeypatch.setattr(type(git.store), "read", counted)
    return sizes


@pytest.mark.parametrize("name", ["claude", "every-kind", "formula"])
def test_what_is_kept_of_a_recorded_ledger_is_the_campaign(name: str, tmp_path: Path) -> None:
    events = [read(json.loads(line)) for line in (LEDGERS / f"{name}.jsonl").read_text().splitlines()]
    campaign = fold(events)
    made = folded.save(tmp_path / "folded", campaign, "last", [], None, [e.event.key for e in events])
    again = folded.load(tmp_path / "folded")
    assert made is not None and again is not None
    assert again.campaign() == again.campaign() == campaign and again.campaign() is not again.campaign()
    assert (again.count, again.last) == (len(events), "last")
    assert all(again.holds(each.event.key) for each in events) and not again.holds("another")


def test_the_next_process_goes_on_from_it_and_reads_the_last_segment_only(
    place: tuple[Git, str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fill(place, cache)
    assert cache.exists() and len(NIGHT) > store.SEGMENT_EVENTS
    sizes = read_objects(place[0], monkeypatch)
    mine = ledger(place, cache)
    assert mine.refresh() == whole
    assert sum(sizes) < 10, "of the events nothing was read"
    mine.append(lambda c: [CommandGiven(c.commands + 1, "resume")])
    last = (len(NIGHT) % store.SEGMENT_EVENTS) * max(len(json.dumps(to_json(e, at="", by=""))) for e in NIGHT)
    assert sum(sizes) < last, "to append, only the last segment was"
    whole = mine.known()
    assert whole == ledger(place, None).refresh()
    said, count = CommandGiven(whole.commands + 1, "pause"), whole.event_count
    assert mine.append(lambda _: [said, NIGHT[5]]).event_count == count + 1, "it knows the keys too"
    assert mine.append(lambda _: [said]).event_count == count + 1
    assert ledger(place, cache).refresh() == ledger(place, None).refresh()
    assert [each.event.key for each in mine.recorded()] == [
        *(each.key for each in NIGHT),
        "command:1",
        said.key,
    ]


def test_it_goes_along_with_the_ledger_and_with_a_lost_race(
    place: tuple[Git, str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folded, "EVERY", 10)
    fill(place, cache, NIGHT[:130])
    mine, other = ledger(place, cache), ledger(place, None)
    mine.refresh()
    mine.append(lambda c: [CommandGiven(c.commands + 1, "pause")], later=True)
    other.append(lambda _: NIGHT[130:])
    other.append(lambda c: [CommandGiven(c.commands + 1, "resume")])
    assert mine.flush().commands == 2
    known = folded.load(cache)
    assert known is not None and known.count > len(NIGHT)
    assert mine.refresh() == ledger(place, cache).refresh() == ledger(place, None).refresh()


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flipped(content: bytes) -> bytes:
    return content[:-200] + bytes([content[-200] ^ 1]) + content[-199:]


def _of_other_rules(content: bytes) -> bytes:
    head, _, body = content.partition(b"\n")
    return json.dumps(json.loads(head) | {"rules": "newer"}).encode() + b"\n" + body


def _calling(content: bytes) -> bytes:
    import hashlib

    class Call:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, ("called",)

    head, _, body = content.partition(b"\n")
    said = json.loads(head)
    body = body[: said["count"] * 16] + pickle.dumps(Call())
    said["digest"] = hashlib.sha256(body).hexdigest()
    return json.dumps(said).encode() + b"\n" + body


@pytest.mark.parametrize(
    "change", [_cut, _flipped, _of_other_rules, _calling, lambda _: b"", lambda _: b"{}\n", lambda _: b"\xff" * 99]
)  # fmt: skip
def test_what_is_damaged_foreign_or_of_other_rules_is_folded_anew(
    place: tuple[Git, str], cache: Path, change: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = NIGHT[: folded.EVERY]
    whole = fill(place, cache, events)
    monkeypatch.chdir(tmp_path)
    cache.write_bytes(change(cache.read_bytes()))  # type: ignore[operator]
    assert folded.load(cache) is None and not (tmp_path / "called").exists()
    assert ledger(place, cache).refresh() == whole
    assert folded.load(cache) is not None, "it is written anew"


def test_another_ledgers_is_not_believed(place: tuple[Git, str], cache: Path, tmp_path: Path) -> None:
    others = [dataclasses.replace(NIGHT[0], seed=2), *NIGHT[1 : folded.EVERY]]  # type: ignore[call-arg]
    fill((place[0], make_bare(tmp_path / "other.git")), cache, others)
    whole = fill(place, None, NIGHT[: folded.EVERY])
    found = ledger(place, cache).refresh()
    assert found == whole and found.started is not None and found.started.seed == 1
    shorter = (place[0], make_bare(tmp_path / "shorter.git"))
    fill(shorter, None, NIGHT[:20])
    assert ledger(shorter, cache).refresh() == ledger(shorter, None).refresh()


def test_what_was_changed_in_the_past_is_folded_anew_and_kept_so(place: tuple[Git, str], cache: Path) -> None:
    fill(place, cache, NIGHT[: folded.EVERY])
    mine = ledger(place, cache)
    mine.refresh()
    path, there = "events/000001.jsonl", LedgerStore(*place, "main")
    there.load()
    lines = (there.read_file(path) or b"").replace(b'"seed":1}', b'"seed":9}', 1)
    there.write({path: lines}, "edit")
    for each in (mine, ledger(place, cache)):
        started = each.refresh().started
        assert isinstance(started, CampaignStarted) and started.seed == 9
    again = folded.load(cache)
    assert again is None or again.campaign().started == ledger(place, None).refresh().started


def test_a_folder_that_cannot_be_written_is_no_harm(place: tuple[Git, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert fill(place, tmp_path / "file" / "folded").event_count == len(NIGHT)


def test_folders_beside_the_events_are_divided_and_what_earlier_versions_wrote_is_found(
    place: tuple[Git, str],
) -> None:
    assert spread("experiments/000999/train.py") == "experiments/000999/train.py"
    assert spread("experiments/001234/a/b.py") == "experiments/001/001234/a/b.py"
    assert spread("revisions/123456-2/a.py") == "revisions/123/123456-2/a.py"
    assert spread("logs/ab12-1.txt") == "logs/ab/ab12-1.txt"
    assert spread("results.tsv") == "results.tsv" and spread("events/001234.jsonl") == "events/001234.jsonl"
    mine = ledger(place, None)
    mine.append(lambda _: NIGHT[:1], lambda _: {"experiments/001234/train.py": b""})
    assert mine.read_file("experiments/001234/train.py") == b""
    Records(*place, store.REF).update(lambda _: {"main/logs/ab12-1.txt": b"old"}, "as earlier versions did")
    mine.refresh()
    assert mine.read_file("logs/ab12-1.txt") == b"old"
