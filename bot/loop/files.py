"""Whether the files that a campaign runs are there: committed, text, and found by the names that the configuration
gives them; what is not is told with what is there instead."""

from __future__ import annotations

import ast
import difflib
import os
import tokenize
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path, PurePosixPath

from bot.agents.skills import FOLDER
from bot.config import CONFIG_PATH
from bot.errors import UserError
from bot.git.user_state import changed_files
from bot.loop.context import Context

_SCRIPTS = (".py", ".sh", ".bash", ".pl", ".rb", ".js", ".R", ".jl")
_MOST_NAMED = 6
_LONGEST_LINK = 300  # bytes
_PATTERN = "*?["


def base_commit(context: Context) -> str:
    """Return the commit that a new campaign begins on. Raises UserError if its branch has none."""
    commit = context.git.resolve(context.base)
    if commit is None:
        raise UserError(f"branch {context.base!r} has no commit yet: run `git add -A && git commit` first")
    return commit


def check_files(context: Context, base: str) -> None:
    """Check that a commit has all that a new campaign needs: what `check_tree` looks for, the data, and the program."""
    check_tree(context, base)
    _check_places(context, base)
    _check_program(context, base)


def check_tree(context: Context, commit: str) -> None:
    """Check that a commit has what a run needs: editable files, which parse if they are Python, and the scripts that
    the configuration names."""
    for path in context.config.editable:
        content = context.git.read_blob(commit, path)
        if content is None:
            raise UserError(_missing_editable(context, commit, path))
        _check_editable(context, commit, path, content)
    _check_scripts(context, commit)
    if context.config.evaluator.kind != "train":
        return
    for path in needed_to_train(context, commit):
        content = context.git.read_blob(commit, path)
        if content is None:
            raise UserError(_missing_to_train(context, path))
        _check_source(path, content)
        _check_syntax(path, content)


def _check_editable(context: Context, commit: str, path: str, content: bytes) -> None:
    """Check that an editable file is a file, is text, and parses if it is Python."""
    if len(content) < _LONGEST_LINK and b"\n" not in content and _is_link(context, commit, path):
        place = os.path.normpath(PurePosixPath(path).parent / content.decode(errors="replace"))
        raise UserError(
            f"{path} is a symbolic link: name the file that it leads to under `editable:`: {place}"
        )
    try:
        content.decode()
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text: save it as UTF-8 and commit it") from None
    if b"\0" in content:
        raise UserError(
            f"{path}: holds NUL characters, so that it is no text: save it as UTF-8 and commit it"
        )
    _check_syntax(path, content)


def _is_link(context: Context, commit: str, path: str) -> bool:
    folder = str(PurePosixPath(path).parent)
    entries = context.git.list_tree(commit, "" if folder == "." else folder, recursive=False)
    return any(entry.path == path and entry.mode == "120000" for entry in entries)


def _check_syntax(path: str, content: bytes) -> None:
    if not path.endswith(".py"):
        return
    try:
        ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f" line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UserError(f"{path}:{line} does not parse ({what}): fix it and commit") from None


def _check_source(path: str, content: bytes) -> None:
    """Check that the bytes of a script are in the encoding that it declares, UTF-8 if it declares none."""
    if not path.endswith(".py"):
        return
    try:
        encoding, _ = tokenize.detect_encoding(BytesIO(content).readline)
        whole = "\0" not in content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        whole = False
    if not whole:
        raise UserError(
            f"{path}: Python can't read it, for it is not UTF-8 text: save it as UTF-8 and commit it"
        )


def _check_scripts(context: Context, commit: str) -> None:
    """Check that the scripts that `produce` and `command` begin, and the files of `call`, are there."""
    task = context.config.evaluator
    named = [("call", path) for path in task.call]
    for key, words in (("produce", task.produce), ("command", task.command)):
        script = next((word for word in words if word.endswith(_SCRIPTS) and _is_inside(word)), None)
        named += [(key, script)] if script is not None else []
    for key, word in named:
        path = os.path.normpath(word)
        content = context.git.read_blob(commit, path)
        if content is not None:
            _check_source(path, content)
        elif not (context.git.top / path).exists():
            close = _alike(context, commit, path)
            fix = (
                f"did you mean {_either(close)}?"
                if close
                else f"add it, or name another one in {CONFIG_PATH}"
            )
            raise UserError(f"evaluator.{key}: {word}: there is no such file in {context.git.top}: {fix}")


def _check_places(context: Context, commit: str) -> None:
    """Check that what `data` and `read` name is there, committed or not."""
    task, top = context.config.evaluator, context.git.top
    for key, words in (("data", task.data), ("read", task.read)):
        for word in words:
            path = os.path.normpath(word)
            there = os.path.exists(top / os.path.expanduser(word))  # noqa: PTH110, PTH111  (never raise)
            if not (there or context.git.read_blob(commit, path) or context.git.list_tree(commit, path)):
                close = difflib.get_close_matches(path, [each.name for each in top.iterdir()], n=1)
                fix = f"did you mean {close[0]}?" if close else f"add it, or take it out of {CONFIG_PATH}"
                raise UserError(f"evaluator.{key}: {word}: there is no such file or folder in {top}: {fix}")


def _is_inside(word: str) -> bool:
    return not word.startswith(("-", "/", "~", "../")) and not set(word) & set(" =$\0")


def _check_program(context: Context, base: str) -> None:
    path = context.config.program
    content = context.git.read_blob(base, path)
    if content is None:
        raise UserError(_missing_program(context, base, path))
    fix = f"write into it what shall be explored, or name another file under `program:` in {CONFIG_PATH}"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text: save it as UTF-8 and commit it") from None
    if not text.strip("\ufeff \t\r\n"):
        raise UserError(f"{path} is empty: {fix}")


def needed_to_train(context: Context, commit: str) -> list[str]:
    """Return the files that `kind: train` runs: the script, and the prepare.py beside it or in a folder above it."""
    script = context.config.script or "train.py"
    places = [str(folder / "prepare.py") for folder in PurePosixPath(script).parents]
    there = (path for path in places if context.git.read_blob(commit, path) is not None)
    return [script, next(there, places[0])]


# -- what is there instead ---------------------------------------------------------------------------------


def _missing_editable(context: Context, commit: str, path: str) -> str:
    if set(path) & set(_PATTERN):
        found = [each for each in _paths(context, commit) if fnmatchcase(each, path)]
        if not found:
            return f"{CONFIG_PATH}: editable: {path!r} is a pattern, and matches nothing: name each file by its path"
        return (
            f"{CONFIG_PATH}: editable: {path!r} is a pattern: name each file by its path: {_written(found)}"
        )
    inside = [each.path for each in context.git.list_tree(commit, path)]
    if inside:
        return f"{CONFIG_PATH}: editable: {path!r} is a folder: name the files in it: {_written(inside)}"
    if (context.git.top / path).is_file():
        return _uncommitted(context, path)
    close = _alike(context, commit, path)
    if close:
        instead = [close[0] if each == path else each for each in context.config.editable]
        return (
            f"{path} is missing in {context.git.top}, where there is {_either(close)}: write {_written(instead)} in"
            f" {CONFIG_PATH}"
        )
    return (
        f"{path} is missing in {context.git.top}: add it, or name the files to edit under `editable:` in"
        f" {CONFIG_PATH}, or write a starter with `nocturne init --starter`"
    )


def _missing_to_train(context: Context, path: str) -> str:
    if (context.git.top / path).is_file():
        return _uncommitted(context, path)
    if PurePosixPath(path).name == "prepare.py":
        return (
            f"{path} is missing in {context.git.top}: `kind: train` needs it beside {context.config.script}, with the"
            " data and the metric as autoresearch has them; a script that prints its own score goes with"
            f" `kind: command` in {CONFIG_PATH}; `nocturne init --starter` writes a whole task"
        )
    return f"{path} is missing in {context.git.top}: add it, or name another under `evaluator.train` in {CONFIG_PATH}"


def _missing_program(context: Context, commit: str, path: str) -> str:
    other = f"or name another file under `program:` in {CONFIG_PATH}"
    if (context.git.top / path).is_file():
        return _uncommitted(context, path)
    if context.git.list_tree(commit, path):
        return f"{path} is a folder: write what shall be explored into a file, {other}"
    close = _alike(context, commit, path)
    if close:
        return f"{path} is missing in {context.git.top}, where there is {_either(close)}: rename it, {other}"
    return f"{path} is missing in {context.git.top}: write into it what shall be explored, {other}"


def _uncommitted(context: Context, path: str) -> str:
    return f"{path} is not committed on {context.base}: run `git add {path} && git commit`"


def _paths(context: Context, commit: str) -> list[str]:
    return [entry.path for entry in context.git.list_tree(commit) if entry.kind == "blob"]


def _alike(context: Context, commit: str, path: str) -> list[str]:
    """Return the files that may have been meant: of that name in another folder, else of a name like it."""
    paths, name = _paths(context, commit), PurePosixPath(path).name
    same = [each for each in paths if PurePosixPath(each).name.lower() == name.lower()]
    return (same or difflib.get_close_matches(path, paths, n=1, cutoff=0.75))[:_MOST_NAMED]


def _either(paths: Sequence[str]) -> str:
    return " or ".join(paths)


def _written(paths: Sequence[str]) -> str:
    more = ", ..." if len(paths) > _MOST_NAMED else ""
    return f"`editable: [{', '.join(paths[:_MOST_NAMED])}{more}]`"


# -- what is not committed ---------------------------------------------------------------------------------


def check_working_tree(context: Context) -> None:
    """What runs is what is committed: refuse while the campaign's files differ from it."""
    said = uncommitted(context)
    if said is not None:
        raise UserError(said)


def uncommitted(context: Context) -> str | None:
    """Return a line on the campaign's files that differ from what is committed, None if none do."""
    script = PurePosixPath(context.config.script or "train.py")
    prepare = [str(folder / "prepare.py") for folder in script.parents]
    paths = [*context.config.editable, str(script), *prepare, context.config.program, CONFIG_PATH, FOLDER]
    words = (*context.config.evaluator.produce, *context.config.evaluator.command)
    paths += [path for word in words if (path := _own_file(context.git.top, word)) is not None]
    dirty = changed_files(context.git, paths)
    if not dirty:
        return None
    return f"{_named(dirty)}: changes are not committed; commit or stash them, runs use commits only"


def _named(paths: Iterable[str]) -> str:
    return ", ".join([*paths][:3])


def _own_file(top: Path, word: str) -> str | None:
    """Return the path below `top` of the file that a word of a command names; None if it names none there."""
    if "\0" in word:
        return None
    place = Path(os.path.normpath(top / os.path.expanduser(word)))  # noqa: PTH111  (which never raises)
    own = place.is_relative_to(top) and os.path.isfile(place)  # noqa: PTH113  (never raises, however long)
    return place.relative_to(top).as_posix() if own else None
