"""The ledger's events as lines of JSON in segments, on top of records; knows no kind of event by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any

from bot.errors import UserError
from bot.git import Git
from bot.git.remote import LEDGER_REF
from bot.ledger.folded import Folded, Segment, blob_name
from bot.ledger.lines import Event, decoded, encoded
from bot.ledger.places import spread
from bot.ledger.records import Records, Snapshot
from bot.ledger.state import LedgerState

REF = LEDGER_REF
SEGMENT_EVENTS = 1000
SCHEMA = 1
# Turns events of one version into what the next version writes: {version: function}
Migration = Callable[[Sequence[Event]], Sequence[Event]]
MIGRATIONS: Mapping[int, Migration] = {}
_CAMPAIGN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


Files = Mapping[str, bytes] | Callable[[LedgerState], Mapping[str, bytes]]


class LedgerStore:
    """One campaign's events. Remembers what it has read, so that a load reads only what is new."""

    def __init__(
        self,
        git: Git,
        remote: str,
        campaign: str,
        *,
        schema: int = SCHEMA,
        migrations: Mapping[int, Migration] = MIGRATIONS,
    ) -> None:
        if not _CAMPAIGN.fullmatch(campaign):
            raise UserError(f"campaign {campaign!r}: use letters, digits, '.', '_' and '-' only")
        self._records = Records(git, remote, REF)
        self._campaign = campaign
        self._schema = schema
        self._migrations = migrations
        self._past = 0
        self._forget()
        self._notes: dict[str, None] = {}

    def load(self) -> LedgerState:
        """Return all events as they are on the remote now.

        Raises `UserError` for a ledger of a newer schema or with a broken line, and `RemoteUnreachable`.
        """
        return self._records.read(self._read)

    def whole(self) -> tuple[Event, ...]:
        """Return all events, those too that are folded."""
        if self._folded is None:
            return self.load().events
        anew = copy(self)
        anew._forget()
        return anew.load().events

    def segments(self) -> list[Segment] | None:
        """Return the segments last read or written, None if the last was cut off or their schema is old."""
        is_whole = self._tail is not None and blob_name(self._tail) == self._segments[-1].sha
        return self._segments if is_whole and self._version == self._schema else None

    def append(
        self, make: Callable[[LedgerState], Sequence[Mapping[str, Any]]], files: Files | None = None
    ) -> LedgerState:
        """Append what `make` returns for the freshest state, and return the state with it.

        `make` is asked again if somebody else wrote first, and returns nothing when its events no
        longer make sense. An event whose "key" the ledger holds is skipped. `files`, paths from the
        campaign's folder, go into the same commit; as a function they see the state before the events.
        """
        added: list[Event] = []
        segments: list[tuple[Segment, bytes]] = []

        def change(snapshot: Snapshot) -> Mapping[str, bytes | None] | None:
            state = self._read(snapshot)
            added[:] = self._fresh(make(state))
            if not added:
                return None
            segments[:] = self._with(added)
            beside = files(state) if callable(files) else files or {}
            written: dict[str, bytes | None] = {self._path(name): content for name, content in beside.items()}
            if self._version != self._schema:
                written[self._path("schema")] = b"%d\n" % self._schema
            if self._is_outdated():
                written |= dict.fromkeys(segment.path for segment in self._segments)
            return written | {segment.path: lines for segment, lines in segments}

        snapshot = self._records.update(change, lambda: self._message(added))
        if added:
            self._take(snapshot.commit, added, segments)
        return self._state()

    def holds(self, key: str) -> bool:
        """Whether an event with this key was there when the ledger was last read or written."""
        return key in self._keys or (self._folded is not None and self._folded.holds(key))

    def write(self, files: Mapping[str, bytes], message: str) -> None:
        """Write `files`, paths from the campaign's folder, without any event."""
        self._records.update(lambda _: {self._path(name): files[name] for name in files}, message)

    def read_file(self, path: str) -> bytes | None:
        """Return a file that was written beside the events last read or written, None if there is none."""
        places = dict.fromkeys(
            (self._path(path), f"{self._campaign}/{path}")
        )  # there earlier versions wrote it
        found = self._records.read(lambda now: [now.read(place) for place in places], again=False)
        return next((content for content in found if content is not None), None)

    def campaigns(self) -> list[str]:
        """Return the names of all campaigns in this ledger, sorted."""

        def folders(now: Snapshot) -> list[str]:
            entries = self._records.git.list_tree(now.commit, recursive=False) if now.commit else []
            return [entry.path for entry in entries if entry.kind == "tree"]

        return self._records.read(folders)

    # Reading

    def _forget(self) -> None:
        self._commit: str | None = None
        self._folded: Folded | None = None
        self._segments: list[Segment] = []
        self._tail: bytes | None = None
        """What is intact of the last segment, None if that was not read."""
        self._events: tuple[Event, ...] = ()
        self._keys: set[str] = set()
        self._version: int | None = None

    def resume(self, folded: Folded) -> None:
        """Go on from what is folded: events that it holds are not read, unless the ledger does not begin with them."""
        self._forget()
        self._folded, self._segments, self._version = folded, list(folded.segments), self._schema

    def _read(self, snapshot: Snapshot) -> LedgerState:
        """Bring what is remembered up to `snapshot`: the segments that changed, of the last only its end."""
        if snapshot.commit is None:
            self._past += bool(self._segments)
            self._forget()
        elif snapshot.commit != self._commit:
            self._catch_up(snapshot)
        return self._state()

    def _catch_up(self, snapshot: Snapshot) -> None:
        assert snapshot.commit is not None
        listed = self._records.git.list_tree(snapshot.commit, self._path("events"), recursive=False)
        there = [(entry.path, entry.sha) for entry in listed if entry.path.endswith(".jsonl")]
        known = [(segment.path, segment.sha) for segment in self._segments]
        same = next((i for i, (a, b) in enumerate(zip(there, known, strict=False)) if a != b), None)
        same = min(len(there), len(known)) if same is None else same
        paths = [path for path, _ in there[same:]]
        contents = snapshot.read_many([self._path("schema"), *paths])
        version = self._checked_version(contents[self._path("schema")], bool(there))
        outdated = version is not None and version != self._schema
        if outdated or (self._version is not None and version != self._version):
            self._past += 1
            self._forget()
            if same:  # an older schema is read and migrated whole
                same = 0
                contents = snapshot.read_many([path for path, _ in there])

        segments = self._segments[:same]
        tail = self._tail if same == len(self._segments) else None
        kept = sum(segment.count for segment in segments)
        fresh: list[Event] = []
        for number, (path, sha) in enumerate(there[same:], start=same):
            content = contents[path] or b""
            lines, count = b"", 0
            if number == same and number < len(self._segments):
                old = self._segments[number]
                if old.path == path and blob_name(content[: old.size]) == old.sha:
                    lines, count = content[: old.size], old.count
                    kept += count
            is_last = number == len(there) - 1
            events, tail = self._parse(path, content, lines, count, kept + len(fresh), is_last)
            fresh += events
            segments.append(Segment(path, sha, count + len(events), len(tail)))
        before = self._folded.count if self._folded is not None else 0
        self._past += kept < before + len(self._events)  # changed under us
        if kept < before:  # what is folded is no longer what the ledger begins with
            self._forget()
            self._catch_up(snapshot)
            return
        if kept < before + len(self._events):
            self._keys = {str(event["key"]) for event in self._events[: kept - before]}
        if version is not None and outdated:
            fresh = self._migrate(fresh, version)
        self._events = self._events[: kept - before] + tuple(fresh)
        self._keys.update(str(event["key"]) for event in fresh)
        self._segments, self._tail = segments, tail
        self._version = version
        self._commit = snapshot.commit

    def _parse(
        self, path: str, content: bytes, intact: bytes, count: int, total: int, last: bool
    ) -> tuple[list[Event], bytes]:
        """Return the events of a segment after its first `count` (the bytes `intact`), and its intact lines.

        `total` events of the ledger come before the ones returned, which is for the note.
        """
        events: list[Event] = []
        lines = content[len(intact) :].split(b"\n")
        if not lines[-1]:
            lines.pop()
        for number, line in enumerate(list(lines), start=1):
            event = decoded(line)
            if event is not None:
                events.append(event)
            elif last and number == len(lines):
                whole = total + len(events)
                self._notes[f"the ledger's last line was cut off: dropped, {whole} events intact"] = None
                lines.pop()
            else:
                raise UserError(
                    f"{REF}: {path}: line {count + number} is not an event: the ledger was edited by hand or"
                    f" damaged: restore the line from `git log -p nocturne/ledger -- {path}`"
                )
        return events, intact + b"".join(line + b"\n" for line in lines)

    def _checked_version(self, content: bytes | None, has_events: bool) -> int | None:
        if content is None:
            return 1 if has_events else None
        try:
            version = int(content)
        except ValueError:
            raise UserError(
                f"{REF}: {self._path('schema')}: not a number: write {self._schema} there"
            ) from None
        if version > self._schema:
            raise UserError(
                f"the ledger was written by a newer Nocturne (schema {version}, this one reads up to"
                f" {self._schema}): upgrade with pip install -U nocturne"
            )
        return version

    def _migrate(self, events: Sequence[Event], version: int) -> list[Event]:
        for step in range(version, self._schema):
            if step not in self._migrations:
                raise UserError(f"the ledger has schema {step}, which this Nocturne cannot bring up to date")
            events = self._migrations[step](events)
        return list(events)

    def _state(self) -> LedgerState:
        self._notes.update(dict.fromkeys(self._records.take_notes()))
        return LedgerState(self._commit, self._events, tuple(self._notes), self._folded, self._past)

    def _is_outdated(self) -> bool:
        """Say whether the ledger has an older schema: then the next append writes all of it anew."""
        return self._version is not None and self._version < self._schema

    # Writing

    def _fresh(self, made: Sequence[Mapping[str, Any]]) -> list[Event]:
        """Return those of the made events that the ledger does not hold, each key once."""
        fresh: dict[str, Event] = {}
        for event in made:
            key = event.get("key")
            if not isinstance(key, str) or not key:
                raise ValueError(f"an event needs a key: {dict(event)}")
            if not self.holds(key):
                fresh.setdefault(key, dict(event))
        return list(fresh.values())

    def _with(self, added: Sequence[Event]) -> list[tuple[Segment, bytes]]:
        """Return the segments that change when `added` is appended, and their lines: the last, and new ones."""
        outdated = self._is_outdated()
        lines = [encoded(event) for event in ([*self._events, *added] if outdated else added)]
        last = None if outdated or not self._segments else self._segments[-1]
        number = int(last.path.rpartition("/")[2].split(".")[0]) if last else 1
        segments = []
        while lines:
            held = last.count if last else 0
            take, lines = lines[: max(0, SEGMENT_EVENTS - held)], lines[max(0, SEGMENT_EVENTS - held) :]
            if take:
                content = (self._last_lines() if last else b"") + b"".join(take)
                path = self._path(f"events/{number:06d}.jsonl")
                segment = Segment(path, blob_name(content), held + len(take), len(content))
                segments.append((segment, content))
            number, last = number + 1, None
        return segments

    def _last_lines(self) -> bytes:
        if self._tail is None:
            self._tail = self._records.git.store.read(self._segments[-1].sha, "blob")
        return self._tail

    def _take(
        self, commit: str | None, added: Sequence[Event], segments: Sequence[tuple[Segment, bytes]]
    ) -> None:
        """Remember what was just written, without reading it back."""
        written = {segment.path: segment for segment, _ in segments}
        before = {} if self._is_outdated() else {segment.path: segment for segment in self._segments}
        self._segments = [*(before | written).values()]
        self._tail = segments[-1][1]
        self._events += tuple(added)
        self._keys.update(str(event["key"]) for event in added)
        self._version = self._schema
        self._commit = commit

    def _message(self, added: Sequence[Event]) -> str:
        kinds = list(dict.fromkeys(str(event.get("kind", "event")) for event in added))
        more = f" and {len(kinds) - 3} more" if len(kinds) > 3 else ""
        return f"{self._campaign}: {', '.join(kinds[:3])}{more}"

    def _path(self, name: str) -> str:
        return f"{self._campaign}/{spread(name)}"
