"""What else a candidate may read: what the key `read` names, checked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from evaluator.cache import cache_home
from evaluator.errors import UserError
from evaluator.settings import Settings
from evaluator.workspace import Source, places_of

_LEVELS = 4


def named(settings: Settings, source: Source) -> tuple[Path, ...]:
    """Return what `read` names: absolute paths on this machine, and relative ones inside the repository.

    Raises `UserError` for one that is missing, that would show all there is, or that overlaps `data`.
    """
    held = [(word, at) for word in settings.data for _, at in places_of(word, source) if os.path.lexists(at)]
    found = []
    for word in settings.read:
        place, at = next(((place, at) for place, at in places_of(word, source) if at.exists()), (None, None))
        if place is None or at is None:
            raise UserError(f"read: {word}: no such file or folder in {source.repository} (key `read`)")
        real = at.resolve()
        everything = (Path.home(), source.repository, source.repo, Path("/tmp"))
        if any(_holds(real, each) for each in everything):
            said = "it holds your home folder, the whole repository or the machine's temporary files"
            raise UserError(f"read: {word}: {said}; name the folders in it that a run needs")
        for other, place in held:
            if _overlap(real, place.resolve()):
                raise UserError(
                    f"read: {word}: overlaps `data: {other}`, which no candidate may read; take one of them out"
                )
        found.append(place)
    return tuple(found)


def home_links(paths: Iterable[Path], taken: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """Yield links that show `paths` of the user's home and cache folder at the same places below another home:
    a place there, and where it leads. If `taken` has something in a folder, what it holds is linked instead."""
    known = list(taken)
    for path in paths:
        for home, below in ((cache_home(), ".cache"), (Path.home(), "")):
            if path != home and path.is_relative_to(home):
                yield from _links(str(Path(below) / path.relative_to(home)), path, known, _LEVELS)
                break


def key_for_missing(said: str, home: str) -> str:
    """Return which key would show what is missing in a jail whose home is `home`, if `said` names a file in there that
    this user's home has; "" if not."""
    missing = re.search(r"No such file or directory: '([^']+)'", said)
    if missing is None or not Path(missing[1]).is_relative_to(home):
        return ""
    place = Path(missing[1]).relative_to(home)
    if place.parts[:1] == (".cache",):
        own, place = cache_home(), place.relative_to(".cache")
    else:
        own = Path.home()
    if not place.parts or any(part.startswith(".") for part in place.parts) or not (own / place).exists():
        return ""
    folder = own / place.parts[0]
    shown = f"~/{folder.relative_to(Path.home())}" if folder.is_relative_to(Path.home()) else str(folder)
    return f"a run does not see your home folder: name what it needs, as in `evaluator: {{read: [{shown}]}}`"


def _links(place: str, path: Path, known: list[str], levels: int) -> Iterator[tuple[str, Path]]:
    if any(place == each or place.startswith(f"{each}/") for each in known):
        return
    if not any(each.startswith(f"{place}/") for each in known):
        known.append(place)
        yield place, path
    elif levels and path.is_dir():
        for child in sorted(path.iterdir()):
            yield from _links(f"{place}/{child.name}", child, known, levels - 1)


def _holds(folder: Path, other: Path) -> bool:
    return other.resolve().is_relative_to(folder)


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
