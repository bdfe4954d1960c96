"""The ledger as the loop uses it: typed events in, a campaign out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bot.base.text import one_line
from bot.errors import UserError
from bot.ledger import folded
from bot.ledger.state import LedgerState
from bot.ledger.store import REF, LedgerStore
from bot.rules.campaign import Campaign
from bot.rules.events import Event, LedgerMended, Recorded, read, to_json

_NOTHING = (0, 0, None)
Make = Callable[[Campaign], Sequence[Event]]
Files = Callable[[Campaign], Mapping[str, bytes]]


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(timezone.utc)


def stamp(moment: datetime) -> str:
    """Write a time as the ledger does: ISO 8601, UTC, milliseconds, so that text order is time order."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")


class Ledger:
    """One campaign's ledger, with the fold of what was read so far kept at hand."""

    def __init__(
        self, store: LedgerStore, writer: str, on_note: Callable[[str], None], *, cache: Path | None = None
    ) -> None:
        """`cache` is the file where this clone keeps what it has folded; None folds it anew in each process."""
        self._store = store
        self._cache = cache
        self._is_begun = False
        self.writer = writer
        self._on_note = on_note
        self._campaign = Campaign()
        self._noted: set[str] = set()
        self._written: tuple[int, int, str | None] = _NOTHING
        """The end of what is folded (`LedgerState.end`)."""
        self._waiting: list[tuple[Make, Files | None]] = []
        self._asked = 0
        self._ahead: list[dict[str, object]] = []
        """What those that wait have made: applied to the campaign, and not written yet."""
        self._beside: dict[str, bytes] = {}

    def refresh(self) -> Campaign:
        """Read what others wrote meanwhile and return the campaign as it stands; what waits is looked at anew."""
        state = self._begun().load()
        self._records(state)
        self._keep(state)
        campaign = self._campaign
        fresh = [note for note in state.notes if note not in self._noted]
        for note in fresh:
            self._noted.add(note)
            self._on_note(note)
        if fresh and campaign.started is not None:
            return self.append(lambda c: [LedgerMended("; ".join(fresh), c.event_count)])
        return campaign

    def look(self) -> Campaign:
        """Read what others wrote meanwhile, as `refresh` does, and write nothing, whatever state the ledger is in."""
        state = self._begun().load()
        self._records(state)
        self._keep(state)
        return self._campaign

    def as_of(self, moment: str) -> Campaign:
        """Return the campaign as the ledger had it at `moment` (a stamp)."""
        campaign = Campaign()
        for recorded in self.recorded():
            if recorded.at > moment:
                break
            campaign.apply(recorded)
        return campaign

    def recorded(self) -> Iterator[Recorded]:
        """Yield the events of the ledger, first to last, as it is now."""
        return (read(record) for record in self._store.whole())

    def known(self) -> Campaign:
        """Return the campaign as it was when this process last read or wrote the ledger.

        What was just appended went on top of everything others had written by then.
        """
        return self._campaign if self._campaign.event_count else self.refresh()

    def append(self, make: Make, files: Files | None = None, *, later: bool = False) -> Campaign:
        """Append what `make` says of the freshest campaign, with `files` in the same commit.

        `make` may be called several times, when somebody else wrote first: it looks again whether its
        events still make sense, and returns none if they don't. `files` sees the campaign as it is
        with its events. What is appended `later` is known here at once, and written together with what
        comes next: for what may be lost with this process, since it would be made again.
        """
        self._waiting.append((make, files))
        done = False
        try:
            if later:
                self._look_ahead()
            else:
                if self._campaign.event_count:
                    # What it objects to may have been put right by others meanwhile.
                    with suppress(Exception):
                        self._look_ahead()
                state = self._begun().append(self._records, lambda _: self._beside)
            done = True
        finally:
            if not (later and done):
                self._forget_waiting(done)
        if not later:
            self._fold(state)
            self._keep(state)
        return self._campaign

    def flush(self) -> Campaign:
        """Write what waits for a next append, and return the campaign as it is then."""
        return self.append(lambda _: []) if self._waiting else self._campaign

    def _begun(self) -> LedgerStore:
        """Return the store, which goes on from what this clone has folded before, if it has."""
        known = folded.load(self._cache) if self._cache is not None and not self._is_begun else None
        self._is_begun = True
        if known is not None:
            self._store.resume(known)
        return self._store

    def _keep(self, state: LedgerState) -> None:
        """Write down what is folded, if that is much more than what was written down before."""
        last = state.key(state.count)
        if self._cache is None or self._ahead or last is None or len(state.events) < folded.EVERY:
            return
        segments = self._store.segments()
        if segments is None or self._written != state.end:
            return
        keys = (str(event["key"]) for event in state.events)
        made = folded.save(self._cache, self._campaign, last, segments, state.folded, keys)
        if made is not None:
            self._store.resume(made)

    def _records(self, state: LedgerState) -> list[dict[str, object]]:
        """Return what those that wait make of the campaign as it is now, one after the other."""
        if state.end != self._written:
            if self._ahead:
                self._start_over()
            self._fold(state)
            self._asked = 0
        self._look_ahead()
        return self._ahead

    def _look_ahead(self) -> None:
        """Have those that wait and were not asked yet make their events, and apply these."""
        at = stamp(now())
        try:
            for make, files in self._waiting[self._asked :]:
                records = [to_json(event, at=at, by=self.writer) for event in make(self._campaign)]
                fresh = {key: each for each in records if not self._holds(key := str(each["key"]))}
                for record in fresh.values():
                    self._apply(record)
                self._ahead += fresh.values()
                if fresh and files is not None:
                    self._beside |= files(self._campaign)
        except BaseException:
            self._start_over()
            raise
        self._asked = len(self._waiting)

    def _holds(self, key: str) -> bool:
        return self._store.holds(key) or any(record["key"] == key for record in self._ahead)

    def _forget_waiting(self, written: bool) -> None:
        """Nothing waits any more; what was not written is not known either."""
        if self._ahead and written:
            self._written = self._written[0], self._campaign.event_count, str(self._ahead[-1]["key"])
        elif self._ahead:
            self._start_over()
        self._waiting, self._asked = [], 0
        self._ahead, self._beside = [], {}

    def _start_over(self) -> None:
        self._campaign, self._written = Campaign(), _NOTHING
        self._asked, self._ahead, self._beside = 0, [], {}

    def write(self, files: Mapping[str, bytes], message: str) -> None:
        """Write files beside the events: without any event, or together with those that wait."""
        if self._ahead:
            self._beside |= files
            self.flush()
        elif files:
            self._store.write(files, message)

    def read_file(self, path: str) -> bytes | None:
        """Return a file that was written beside the events."""
        waiting = self._beside.get(path)
        return self._store.read_file(path) if waiting is None else waiting

    def _fold(self, state: LedgerState) -> Campaign:
        """Apply the events that are new since the last fold; start over if the past was changed."""
        past, done, key = self._written
        if done and (past != state.past or state.key(done) != key):
            self._start_over()
            done = 0
        if state.folded is not None and done < state.before:
            self._campaign, done = state.folded.campaign(), state.before
        for record in state.events[done - state.before :]:
            self._apply(record)
        self._written = state.end
        return self._campaign

    def _apply(self, record: dict[str, Any]) -> None:
        try:
            self._campaign.apply(read(record))
        except (ValueError, KeyError) as error:
            raise UserError(
                f"the ledger holds an event that this version can't read"
                f" ({one_line(str(record.get('key')), 60)}: {one_line(str(error), 200)}): upgrade Nocturne, or"
                f" revert the commit that wrote it to {REF}"
            ) from None
