"""Python files that share a few windows with held-out text by chance: the same program without those windows.

Indented code is full of idioms ("continue", "else:" and blanks), so that one Python file in some hundreds has
64 bytes in a row that happen to be in held-out text too. An interpreter may need such a file, so it can't be
taken away. A newline that becomes a carriage return, or a blank that becomes a tab, breaks the window and
nothing else: Python reads both alike, and neither the size of the file nor its time changes, so that its byte
code stays valid.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import numpy as np
from numpy.typing import NDArray

from evaluator.heldout.windows import WINDOW, WindowIndex, spans
from evaluator.whole import written

_AS_IT_WAS = bytes.maketrans(b"\r\t", b"\n ")
CHANCE = 2 * WINDOW  # bytes in a row: as many as this are a copy


@dataclass(frozen=True)
class Concealed:
    """What to do about files that carry held-out text: `hidden` ones appear empty, and in the place of each
    key of `replaced` its copy without the windows is shown."""

    hidden: tuple[Path, ...]
    replaced: Mapping[Path, Path]


def conceal(found: Sequence[Path], index: WindowIndex, folder: Path) -> Concealed:
    """Divide what a search found into files to hide and files to replace; their copies are kept in `folder`.

    Replaced is what `rewritten` can change. Its byte code stays, where that has no window itself.
    """
    replaced: dict[Path, Path] = {}
    for path in found:
        copy = _copy(path, index, folder) if path.suffix == ".py" and path.is_file() else None
        if copy is not None:
            replaced[path] = copy
    changed = {(path.parent, path.stem) for path in replaced}
    hidden = [path for path in found if path not in replaced and not _is_harmless_code(path, changed, index)]
    return Concealed(tuple(hidden), replaced)


def rewritten(data: bytes, index: WindowIndex) -> bytes | None:
    """Return the Python source `data` without windows of `index`: as long, and compiled to the same code.

    None if it carries more than chance explains, or can't be changed without changing the program.
    """
    offsets, _ = index.matches(data)
    if any(end - start >= CHANCE for start, end in spans(offsets)):
        return None
    code = _compiled(data)
    if code is None:
        return None
    places = _breaks(data, offsets)
    if places is None:
        return None
    changed = bytearray(data)
    for place in places:
        changed[place] = ord("\r") if data[place] == ord("\n") else ord("\t")
    return bytes(changed) if not index.holds(changed) and _compiled(bytes(changed)) == code else None


def _breaks(data: bytes, offsets: NDArray[np.int64]) -> list[int] | None:
    """Return a few places of which each window has one that may be changed, or None if one has none."""
    # Not in the first two lines, which may name the encoding and are found by other means than the parser's.
    lines = data.split(b"\n", 2)
    head = len(data) - len(lines[2]) if len(lines) == 3 else len(data)
    places: list[int] = []
    for start in offsets.tolist():
        if places and places[-1] >= start:
            continue
        window = range(start + WINDOW - 1, max(start, head) - 1, -1)  # from its end: the next may have it too
        place = next((at for at in window if _is_newline(data, at)), None)
        if place is None:
            place = next((at for at in window if _is_blank(data, at)), None)
        if place is None:
            return None
        places.append(place)
    return places


def _is_newline(data: bytes, at: int) -> bool:
    """A newline that stays one line's end as a carriage return; "\\r\\n" would be one, where "\\n\\n" are two."""
    return data[at] == ord("\n") and data[at + 1 : at + 2] != b"\n" and data[at - 1] != ord("\r")


def _is_blank(data: bytes, at: int) -> bool:
    """A blank between other signs, and not of an indentation."""
    return data[at] == ord(" ") and data[at - 1 : at].strip() != b"" and data[at + 1 : at + 2].strip() != b""


def _is_harmless_code(path: Path, changed: set[tuple[Path, str]], index: WindowIndex) -> bool:
    """Whether this is byte code of a changed file and has no window (a docstring's) itself."""
    if path.suffix != ".pyc":
        return False
    folder = path.parent.parent if path.parent.name == "__pycache__" else path.parent
    return (folder, path.name.split(".")[0]) in changed and not index.holds(path.read_bytes())


def _compiled(data: bytes) -> CodeType | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            code: CodeType = compile(data, "changed", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return code


def _copy(path: Path, index: WindowIndex, folder: Path) -> Path | None:
    """Return a changed copy of the file, made now or earlier, with its own mode and time."""
    try:
        told = path.stat()
        data = path.read_bytes()
    except OSError:
        return None
    name = hashlib.sha256(data)
    name.update(f"{index.digest} {told.st_mtime_ns} {told.st_mode}".encode())
    copy = folder / f"{name.hexdigest()[:32]}.py"
    changed = _known(copy, data, told.st_mtime_ns, index)
    if changed is None:
        changed = rewritten(data, index) or b""
        folder.mkdir(parents=True, exist_ok=True)
        with written(copy) as file:
            file.write(changed)
            file.flush()  # before its time is set
            os.fchmod(file.fileno(), told.st_mode & 0o777 | 0o400)
            os.utime(file.fileno(), ns=(told.st_atime_ns, told.st_mtime_ns))
    return copy if changed else None


def _known(copy: Path, data: bytes, changed_at: int, index: WindowIndex) -> bytes | None:
    """Return what an earlier run wrote to `copy`: nothing if `data` can't be changed; None if it is damaged."""
    try:
        known = copy.read_bytes()
        if copy.stat().st_mtime_ns != changed_at:
            return None
    except OSError:
        return None
    whole = known.translate(_AS_IT_WAS) == data.translate(_AS_IT_WAS) and not index.holds(known)
    return known if whole or not known else None
