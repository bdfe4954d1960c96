"""What a repository's prepare.py may read beside itself: changed, the validation rows are others."""

from __future__ import annotations

import ast
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from evaluator import untracked
from evaluator.script import prepare_folder, script_path
from evaluator.settings import Settings
from evaluator.workspace import Source, places_of

_MOST_FILES = 5000
_HASHED = 64 << 20  # bytes: of larger files, size and time tell
_WORD = re.compile(r"[\w.-]+")


def signature(source: Source, settings: Settings) -> Iterator[str]:
    """Yield lines that change with whatever prepare.py is likely to read: the modules that it imports, files of the
    tree that its text names, what git ignores in the user's repository, and `data`."""
    modules = _modules(source.repo / prepare_folder(source.repo, PurePosixPath(script_path(settings))))
    text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in modules)
    words = set(_WORD.findall(text))
    own = source.repo == source.repository
    strange = untracked.not_tracked(source.repository, ignored=own) or []
    left = {source.repository / each for each in strange} if own else set()
    editable = {source.repo / each for each in settings.editable}
    named = [path for path in _files(source.repo, left) if path.name in words and path.suffix != ".py"]
    for path in dict.fromkeys([*modules[1:], *named]):
        if path not in editable:
            yield f"{path.relative_to(source.repo)} {_content(path)}"
    held = [at for word in settings.data for _, at in places_of(word, source) if os.path.lexists(at)]
    fit = [source.repository / each for each in strange]
    shown = [each for each in fit if not untracked.is_unfit(each) and not untracked.is_output(each / "x")]
    files = [path for top in (*held, *shown) for path in _files(top, set())]
    if files:
        yield str(source.repository)
    for path in files[:_MOST_FILES]:
        yield f"{path} {_times(path)}"


def _modules(home: Path) -> list[Path]:
    """Return the prepare.py in `home` and the files beside it that it imports, themselves or by others."""
    found = [home / "prepare.py"]
    for path in found:
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
            for name in names:
                place = home / name.replace(".", "/")
                for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
                    if file.is_file() and file not in found and file.name != "train.py":
                        found.append(file)
    return found


def _files(top: Path, without: set[Path]) -> Iterator[Path]:
    """Yield the plain files below `top`, or `top` itself, in order; a bounded number."""
    if top.is_file():
        yield top
        return
    left = _MOST_FILES
    for folder, names, files in os.walk(top):
        names[:] = sorted(
            each for each in names if not untracked.is_needless(each) and Path(folder, each) not in without
        )
        for name in sorted(files):
            left -= 1
            if left < 0:
                return
            if Path(folder, name) not in without:
                yield Path(folder, name)


def _content(path: Path) -> str:
    try:
        if path.stat().st_size <= _HASHED:
            return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"
    return _times(path)


def _times(path: Path) -> str:
    try:
        told = path.stat()
    except OSError:
        return "gone"
    return f"{told.st_size} {told.st_mtime_ns}"
