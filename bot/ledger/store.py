"""The ledger's events as lines of JSON in segments, on top of records; knows no kind of event by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.errors import UserError
from bot.git import Git
from bot.git.remote import LEDGER_REF
from bot.ledger.records import Records, Snapshot

REF = LEDGER_REF
SEGMENT_EVENTS = 1000
SCHEMA = 1
# Turns events of one version into what the next version writes: {version: function}
Event = dict[str, Any]
Migration = Callable[[Sequence[Event]], Sequence[Event]]
MIGRATIONS: Mapping[int, Migration] = {}
_CAMPAIGN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class LedgerState:
    """All events of the campaign at `commit` (None: there are none yet), and notes for the human."""

    commit: str | None
    events: tuple[Event, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Segment:
    """A segment as it was read: `lines` is what is intact of its content, `count` events long."""

    path: str
    sha: str
    lines: bytes
    count: int


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
        self._forget()
        self._notes: dict[str, None] = {}

    def load(self) -> LedgerState:
        """Return all events as they are on the remote now.

        Raises `UserError` for a ledger of a newer schema or with a broken line, and `RemoteUnreachable`.
        """
        return self._records.read(self._read)

    def append(
        self, make: Callable[[LedgerState], Sequence[Mapping[str, Any]]], files: Files | None = None
    ) -> LedgerState:
        """Append what `make` returns for the freshest state, and return the state with it.

        `make` is asked again if somebody else wrote first, and returns nothing when its events no
        longer make sense. An event whose "key" the ledger holds is skipped. `files`, paths from the
        campaign's folder, go into the same commit; as a function they see the state before the events.
        """
        added: list[Event] = []
        segments: list[_Segment] = []

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
            return written | {segment.path: segment.lines for segment in segments}

        snapshot = self._records.update(change, lambda: self._message(added))
        if added:
            self._take(snapshot.commit, added, segments)
        return self._state()

    def holds(self, key: str) -> bool:
        """Whether an event with this key was there when the ledger was last read or written."""
        return key in self._keys

    def write(self, files: Mapping[str, bytes], message: str) -> None:
        """Write `files`, paths from the campaign's folder, without any event."""
        self._records.update(lambda _: {self._path(name): files[name] for name in files}, message)

    def read_file(self, path: str) -> bytes | None:
        """Return a file that was written beside the events last read or written, None if there is none."""
        return self._records.read(lambda now: now.read(self._path(path)), again=False)

    def campaigns(self) -> list[str]:
        """Return the names of all campaigns in this ledger, sorted."""

        def folders(now: Snapshot) -> list[str]:
            entries = self._records.git.list_tree(now.commit, recursive=False) if now.commit else []
            return [entry.path for entry in entries if entry.kind == "tree"]

        return self._records.read(folders)

    # Reading

    def _forget(self) -> None:
        self._commit: str | None = None
        self._segments: list[_Segment] = []
        self._events: tuple[Event, ...] = ()
        self._keys: set[str] = set()
        self._version: int | None = None

    def _read(self, snapshot: Snapshot) -> LedgerState:
        """Bring what is remembered up to `snapshot`: the segments that changed, of the last only its end."""
        if snapshot.commit is None:
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
            self._forget()
            if same:  # an older schema is read and migrated whole
                same = 0
                contents = snapshot.read_many([path for path, _ in there])

        segments = self._segments[:same]
        kept = sum(segment.count for segment in segments)
        fresh: list[Event] = []
        for number, (path, sha) in enumerate(there[same:], start=same):
            content = contents[path] or b""
            lines, count = b"", 0
            if number == same and number < len(self._segments):
                old = self._segments[number]
                if old.path == path and content.startswith(old.lines):
                    lines, count = old.lines, old.count
                    kept += count
            is_last = number == len(there) - 1
            events, lines = self._parse(path, content, lines, count, kept + len(fresh), is_last)
            fresh += events
            segments.append(_Segment(path, sha, lines, count + len(events)))
        if kept < len(self._events):  # the past was changed under us
            self._keys = {str(event["key"]) for event in self._events[:kept]}
        if version is not None and outdated:
            fresh = self._migrate(fresh, version)
        self._events = self._events[:kept] + tuple(fresh)
        self._keys.update(str(event["key"]) for event in fresh)
        self._segments = segments
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
            event = _decoded(line)
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
        return LedgerState(self._commit, self._events, tuple(self._notes))

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
            if key not in self._keys:
                fresh.setdefault(key, dict(event))
        return list(fresh.values())

    def _with(self, added: Sequence[Event]) -> list[_Segment]:
        """Return the segments that change when `added` is appended: the last one, and new ones after it."""
        outdated = self._is_outdated()
        lines = [_encoded(event) for event in ([*self._events, *added] if outdated else added)]
        last = None if outdated or not self._segments else self._segments[-1]
        number = int(last.path.rpartition("/")[2].split(".")[0]) if last else 1
        segments = []
        while lines:
            held = last.count if last else 0
            take, lines = lines[: max(0, SEGMENT_EVENTS - held)], lines[max(0, SEGMENT_EVENTS - held) :]
            if take:
                content = (last.lines if last else b"") + b"".join(take)
                path = self._path(f"events/{number:06d}.jsonl")
                segments.append(_Segment(path, "", content, held + len(take)))
            number, last = number + 1, None
        return segments

    def _take(self, commit: str | None, added: Sequence[Event], segments: Sequence[_Segment]) -> None:
        """Remember what was just written, without reading it back."""
        written = {segment.path: segment for segment in segments}
        before = [] if self._is_outdated() else self._segments
        known = [segment for segment in before if segment.path not in written]
        self._segments = sorted([*known, *segments], key=lambda segment: segment.path)
        self._events += tuple(added)
        self._keys.update(str(event["key"]) for event in added)
        self._version = self._schema
        self._commit = commit

    def _message(self, added: Sequence[Event]) -> str:
        kinds = list(dict.fromkeys(str(event.get("kind", "event")) for event in added))
        more = f" and {len(kinds) - 3} more" if len(kinds) > 3 else ""
        return f"{self._campaign}: {', '.join(kinds[:3])}{more}"

    def _path(self, name: str) -> str:
        return f"{self._campaign}/{name}"


def _decoded(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("key"), str) else None


def _encoded(event: Event) -> bytes:
    text = json.dumps(event, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    # A half of a surrogate pair has no UTF-8; escaped it reads back as it was.
    return text.encode(errors="backslashreplace") + b"\n"
