"""Whether a task's score is self-reported: measured by a process in which the candidate's own code runs.

Who is imported by the script that measures, or run by it in its jail, can print the metric itself. A wall is
`evaluator.call`: the command finds no editable file, and calls what runs in another jail. Or `evaluator.produce`: the
candidate's side runs alone and leaves files, and a command that reaches none of its code measures them. What can't be
read is not known, and counts as self-reported.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable, Collection, Iterator, Sequence

WORD = "self-reported"
FIX = (
    "name the file under `evaluator.call` and call its functions by `nocturne_candidate`, or let `evaluator.produce`"
    " run the candidate's side and `command` measure the files it leaves in $NOCTURNE_OUT"
)
_PYTHON = ("python", "pypy")
_RUNNERS = ("env", "uv", "run", "poetry", "pdm", "pipenv", "exec", "nice", "time", "stdbuf")
_MOST = 200  # files of the repository that are followed

Read = Callable[[str], "str | None"]
"""Returns the text of a file of the repository, None if there is none."""


def self_reported(
    kind: str,
    command: Sequence[str],
    produce: Sequence[str],
    editable: Collection[str],
    read: Read,
    call: Sequence[str] = (),
) -> str | None:
    """Return why the score of a task is self-reported, in a few words that follow "the score is"; None if it is not.

    `editable` are the files that candidates change. A task of the kind train never is: it is scored by the evaluator
    itself.
    """
    if kind == "train" or call:
        return None
    files = {posixpath.normpath(path) for path in editable}
    named = next((word for word in command if _names(word, files)), None)
    if named is not None:
        return f"{WORD}: the command runs {posixpath.normpath(named)}, which candidates change"
    script = script_of(command, read)
    if script is None:
        if produce:
            return None  # nothing says that it reaches candidates' code
        return f"{WORD}: what `{' '.join(command)[:80]}` runs can't be followed, and candidates run in the same jail"
    found = _reached(script, files, read)
    if found is not None:
        return f"{WORD}: {script} runs {found}, which candidates change, in the jail in which it measures"
    if not produce and _unknown(script, read):
        return f"{WORD}: what {script} runs can't be followed, and candidates run in the same jail"
    return None


def reached(command: Sequence[str], editable: Collection[str], read: Read) -> tuple[str, str] | None:
    """Return the Python script that a command begins and the editable file that it imports or runs; None if it
    reaches none, or is one itself."""
    files = {posixpath.normpath(path) for path in editable}
    script = script_of(command, read)
    if script is None or script in files:
        return None
    found = _reached(script, files, read)
    return None if found is None else (script, found)


def local_files(script: str, read: Read) -> list[str]:
    """Return the Python files of the repository that `script` imports or names, and what those do, nearest first."""
    waiting, seen = [script], [script]
    while waiting and len(seen) <= _MOST:
        path = waiting.pop(0)
        tree = _tree(read(path) or "")
        if tree is None:
            continue
        places = [place for name in _imports(tree, path) for place in _places(name, posixpath.dirname(path))]
        places += [posixpath.normpath(word) for word in _literals(tree) if word.endswith(".py")]
        for place in places:
            if place not in seen and read(place) is not None:
                seen, waiting = [*seen, place], [*waiting, place]
    return seen[1:]


def _names(word: str, files: Collection[str]) -> bool:
    plain = posixpath.normpath(word)
    return plain in files or any(path.endswith(f"/{plain}") or plain.endswith(f"/{path}") for path in files)


def behind_runners(command: Sequence[str]) -> list[str]:
    """Return the words of a command from the program on that `uv run`, `env` and their like start."""
    words = list(command)
    while words and (posixpath.basename(words[0]) in _RUNNERS or "=" in words[0] or words[0].startswith("-")):
        words.pop(0)
    return words


def script_of(command: Sequence[str], read: Read) -> str | None:
    """Return the Python script of the repository that a command begins; None if it is another kind of command."""
    words = behind_runners(command)
    if words and posixpath.basename(words[0]).startswith(_PYTHON):
        words.pop(0)
        while words and words[0].startswith("-"):
            option = words.pop(0)
            if option == "-m" and words:
                name = words[0].replace(".", "/")
                return next((p for p in (f"{name}.py", f"{name}/__main__.py") if read(p) is not None), None)
            if option == "-c":
                return None
            if option in ("-W", "-X") and words:
                words.pop(0)
    if not words or not words[0].endswith(".py"):
        return None
    script = posixpath.normpath(words[0])
    return script if read(script) is not None else None


def _unknown(script: str, read: Read) -> bool:
    return _tree(read(script) or "") is None


def _reached(script: str, files: Collection[str], read: Read) -> str | None:
    """Return the first editable file that `script` imports or names, by way of whatever files of the repository."""
    waiting, seen = [script], {script}
    while waiting and len(seen) <= _MOST:
        path = waiting.pop(0)
        text = read(path)
        tree = _tree(text) if text is not None and path.endswith(".py") else None
        if tree is None:
            continue
        for literal in _literals(tree):
            found = next(
                (each for each in files if _names(literal, (each,)) and "/" not in literal.strip("./")), None
            )
            found = found or next((each for each in files if posixpath.normpath(literal) == each), None)
            if found is not None:
                return found
        for name in _imports(tree, path):
            for place in _places(name, posixpath.dirname(path)):
                if place in files:
                    return place
                if place not in seen and read(place) is not None:
                    seen.add(place)
                    waiting.append(place)
    return None


def _tree(source: str) -> ast.Module | None:
    try:
        return ast.parse(source.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _literals(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) < 300:
            yield node.value
            yield from (word.strip("'\"") for word in node.value.split()) if " " in node.value else ()


def _imports(tree: ast.Module, path: str) -> Iterator[str]:
    """Yield what a file imports, as paths without an ending; relative imports from where it lies."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.replace(".", "/") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = (node.module or "").replace(".", "/")
            if node.level:
                folder = posixpath.dirname(path)
                for _ in range(node.level - 1):
                    folder = posixpath.dirname(folder)
                base = f"/{posixpath.join(folder, base)}"
            yield base
            yield from (posixpath.join(base, alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.args[0] if node.args else None, ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            value = getattr(node.args[0], "value", None)
            if name in ("import_module", "__import__", "run_module") and isinstance(value, str):
                yield value.replace(".", "/")


def _places(name: str, folder: str) -> Iterator[str]:
    """Yield the files of the repository that an import may mean: beside the file, at the top, and in src."""
    if name.startswith("/"):
        roots, name = [""], name[1:]
    else:
        roots = [folder, "", "src"]
    if not name:
        return
    for root in roots:
        parts = name.split("/")
        for end in range(1, len(parts) + 1):  # a package's own file runs before what lies in it
            place = posixpath.join(root, *parts[:end])
            yield from (f"{place}.py", f"{place}/__init__.py")
