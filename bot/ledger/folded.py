"""What a clone has folded of a ledger, kept in a file so that the next process need not read it from nothing.

A cache and no more: it names the segments that it was folded from by their content, and is used only if the ledger
still begins with them, if the rules that folded it are these, and if its bytes are those that were written. Everything
else is folded anew, without a word.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import hashlib
import io
import json
import os
import pickle
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bot.base.whole import written
from bot.rules.campaign import Campaign

EVERY = 1000
"""Events after which it is written anew: the next process folds no more than these."""
_KEY = 16  # bytes of the digest by which a key is looked up
_PLAIN = {("collections", "defaultdict"), ("builtins", "float"), ("builtins", "set")}


@dataclass(frozen=True)
class Segment:
    """A segment of the ledger as far as it is known: its first `size` bytes hold `count` events, and the blob `sha`
    is just these."""

    path: str
    sha: str
    count: int
    size: int


@dataclass(frozen=True)
class Folded:
    """The first `count` events of a ledger, the last of them with the key `last`: the segments that hold them, their
    keys, and the campaign."""

    count: int
    last: str
    segments: tuple[Segment, ...]
    _file: io.BufferedReader
    _start: int
    _read: list[Campaign]
    """The campaign, if it was read to see whether all is well and nobody has taken it yet."""

    def holds(self, key: str) -> bool:
        """Whether one of the events has this key; only the places on the way of a binary search are read."""
        wanted, low, high = _digest(key), 0, self.count
        while low < high:
            middle = (low + high) // 2
            found = os.pread(self._file.fileno(), _KEY, self._start + middle * _KEY)
            if found == wanted:
                return True
            low, high = (middle + 1, high) if found < wanted else (low, middle)
        return False

    def keys(self) -> bytes:
        """Return the digests of all keys, sorted."""
        return os.pread(self._file.fileno(), self.count * _KEY, self._start)

    def campaign(self) -> Campaign:
        """Return the campaign as these events leave it, each time another one."""
        if self._read:
            return self._read.pop()
        self._file.seek(self._start + self.count * _KEY)
        return _campaign(self._file)


def load(path: Path) -> Folded | None:
    """Return what `path` holds if this version wrote it and all of it is there, else None."""
    try:
        file = path.open("rb")
    except OSError:
        return None
    try:
        folded, rules, digest = _opened(file)
        body = file.read()
        if rules == _rules() and hashlib.sha256(body).hexdigest() == digest:
            folded._read.append(_campaign(io.BytesIO(memoryview(body)[folded.count * _KEY :])))
            return folded
    except Exception:  # whatever a file says that somebody else wrote, the events are there
        file.close()
        return None
    file.close()
    return None


def save(
    path: Path, campaign: Campaign, last: str, segments: Sequence[Segment], before: Folded | None, keys: Iterable[str]
) -> Folded | None:  # fmt: skip
    """Write what is folded by now, and return it; None if it can't be written, which is no harm. `keys` are those of
    the events after those of `before`."""
    digests = [_digest(key) for key in keys]
    old = before.keys() if before is not None else b""
    digests += [old[at : at + _KEY] for at in range(0, len(old), _KEY)]
    body = b"".join(sorted(digests)) + pickle.dumps(campaign, pickle.HIGHEST_PROTOCOL)
    head = {
        "rules": _rules(),
        "digest": hashlib.sha256(body).hexdigest(),
        "count": len(digests),
        "last": last,
        "segments": [dataclasses.astuple(each) for each in segments],
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written(path) as file:
            file.write(json.dumps(head).encode() + b"\n" + body)
        return _opened(path.open("rb"))[0]
    except OSError:
        return None


def blob_name(content: bytes) -> str:
    """Return the name that git gives to a blob of this content."""
    return hashlib.sha1(b"blob %d\0%s" % (len(content), content), usedforsecurity=False).hexdigest()


def _opened(file: io.BufferedReader) -> tuple[Folded, str, str]:
    """Return what an open file says it holds, and the digests of the rules and of all after its first line."""
    line = file.readline()
    head = json.loads(line)
    segments = tuple(Segment(*each) for each in head["segments"])
    return (
        Folded(int(head["count"]), str(head["last"]), segments, file, len(line), []),
        head["rules"],
        head["digest"],
    )


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=_KEY).digest()


@functools.cache
def _rules() -> str:
    """Return a digest of the code that folds, and of the Python that wrote its objects down."""
    digest = hashlib.sha256(repr(sys.version_info[:2]).encode())
    rules = Path(__file__).parents[1] / "rules"
    for path in sorted(rules.rglob("*.py")):
        digest.update(str(path.relative_to(rules)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


class _Reader(pickle.Unpickler):
    """Makes the dataclasses of `bot.rules` and what they hold, and calls nothing else, whoever wrote the file."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        if module.startswith("bot.rules.") and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and dataclasses.is_dataclass(found):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a campaign")


def _campaign(file: IO[bytes]) -> Campaign:
    collects = gc.isenabled()
    gc.disable()  # it would look through all that is made, again and again
    try:
        found = _Reader(file).load()
    finally:
        if collects:
            gc.enable()
    if not isinstance(found, Campaign):
        raise pickle.UnpicklingError("no campaign")
    return found
