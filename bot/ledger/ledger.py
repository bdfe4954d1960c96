"""The ledger as the loop uses it: typed events in, a campaign out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone

from bot.errors import UserError
from bot.ledger.store import REF, LedgerState, LedgerStore
from bot.rules.campaign import Campaign
from bot.rules.events import Event, LedgerMended, read, to_json
from bot.text import one_line

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

    def __init__(self, store: LedgerStore, writer: str, on_note: Callable[[str], None]) -> None:
        self._store = store
        self._writer = writer
        self._on_note = on_note
        self._campaign = Campaign()
        self._last_key: str | None = None
        self._noted: set[str] = set()

    def refresh(self) -> Campaign:
        """Read what others wrote meanwhile and return the campaign as it stands."""
        state = self._store.load()
        campaign = self._fold(state)
        fresh = [note for note in state.notes if note not in self._noted]
        for note in fresh:
            self._noted.add(note)
            self._on_note(note)
        if fresh and campaign.started is not None:
            return self.append(lambda c: [LedgerMended("; ".join(fresh), c.event_count)])
        return campaign

    def as_of(self, moment: str) -> Campaign:
        """Return the campaign as the ledger had it at `moment` (a stamp)."""
        campaign = Campaign()
        for record in self._store.load().events:
            recorded = read(record)
            if recorded.at > moment:
                break
            campaign.apply(recorded)
        return campaign

    def known(self) -> Campaign:
        """Return the campaign as it was when this process last read or wrote the ledger.

        What was just appended went on top of everything others had written by then.
        """
        return self._campaign if self._campaign.event_count else self.refresh()

    def append(self, make: Make, files: Files | None = None) -> Campaign:
        """Append what `make` says of the freshest campaign, with `files` in the same commit.

        `make` may be called several times, when somebody else wrote first: it looks again whether its
        events still make sense, and returns none where they don't. `files` sees the campaign as it was
        before its events.
        """

        def records(state: LedgerState) -> list[dict[str, object]]:
            at = stamp(now())
            return [to_json(event, at=at, by=self._writer) for event in make(self._fold(state))]

        beside = None if files is None else lambda state: files(self._fold(state))
        return self._fold(self._store.append(records, beside))

    def write(self, files: Mapping[str, bytes], message: str) -> None:
        """Write files beside the events, without any event."""
        if files:
            self._store.write(files, message)

    def read_file(self, path: str) -> bytes | None:
        """Return a file that was written beside the events."""
        return self._store.read_file(path)

    def _fold(self, state: LedgerState) -> Campaign:
        """Apply the events that are new since the last fold; start over where the past was mended."""
        done = self._campaign.event_count
        if done > len(state.events) or (done and state.events[done - 1]["key"] != self._last_key):
            self._campaign, done = Campaign(), 0
        for record in state.events[done:]:
            try:
                self._campaign.apply(read(record))
            except (ValueError, KeyError) as error:
                raise UserError(
                    f"the ledger holds an event that this version can't read"
                    f" ({one_line(str(record.get('key')), 60)}: {one_line(str(error), 200)}): upgrade Nocturne, or"
                    f" revert the commit that wrote it to {REF}"
                ) from None
            self._last_key = str(record["key"])
        return self._campaign
