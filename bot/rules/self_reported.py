"""Whether a task's score is self-reported: measured by a process in which the candidate's own code runs.

Who is imported by the script that measures, or run by it in its jail, can print the metric itself. A wall is
`evaluator.call`: the command finds no editable file, and calls what runs in another jail. Or `evaluator.produce`: the
candidate's side runs alone and leaves files, and a command that reaches none of its code measures them. Without either
the score is self-reported, whatever can be followed of how the command comes by the candidate's files.
"""

from __future__ import annotations

import ast
import fnmatch
import posixpath
import re
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import pairwise

WORD = "self-reported"
FIX = (
    "name the file under `evaluator.call` and call its functions by `nocturne_candidate`, or let `evaluator.produce`"
    " run the candidate's side and `command` measure the files it leaves in $NOCTURNE_OUT"
)
_PYTHON = ("python", "pypy")
_RUNNERS = ("env", "uv", "run", "poetry", "pdm", "pipenv", "exec", "nice", "time", "stdbuf")
_MAKE, _MAKEFILES = ("make", "gmake"), ("GNUmakefile", "makefile", "Makefile")
_MOST = 200  # files of the repository that are followed
_LONGEST = 100_000  # characters of a file that is no Python, such as a shell's script
_WORD = re.compile(r"""[^\s'"`;|&(){}<>=,]+""")
_RULE = re.compile(r"^([^\s#:=][^:=]*):(?!=)([^=].*|)$")

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
    found = _found(command, files, read)
    if found is None:
        if produce:
            return None  # nothing says that it reaches candidates' code
        return f"{WORD}: `{' '.join(command)[:80]}` measures in the jail in which candidates run"
    by, path = found
    if by is None:
        return f"{WORD}: the command runs {path}, which candidates change"
    return f"{WORD}: {by} runs {path}, which candidates change, in the jail in which it measures"


def reached(command: Sequence[str], editable: Collection[str], read: Read) -> tuple[str, str] | None:
    """Return the Python script that a command begins and the editable file that it imports or runs; None if it
    reaches none, or is one itself."""
    files = {posixpath.normpath(path) for path in editable}
    script = script_of(command, read)
    if script is None or script in files:
        return None
    found = _followed([script], files, read)
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


def _found(command: Sequence[str], files: Collection[str], read: Read) -> tuple[str | None, str] | None:
    """Return the first editable file that a command runs, and by which of the repository's files; None for the file
    if it is named by the command itself."""
    named = [word for each in command for word in (each, *_WORD.findall(each))]
    by_itself = next((path for path in files if any(_names(word, (path,)) for word in named)), None)
    if by_itself is not None:
        return None, by_itself
    for start in dict.fromkeys(_begun(command, read)):
        found = _followed([start], files, read)
        if found is not None:
            return start.partition(":")[0], found
    code = [text for option, text in pairwise(command) if option == "-c" and _tree(text) is not None]
    begun = [each for text in code for each in _run_by(text, "", files, read)]
    found = next((each for each in begun if each in files), None) or _followed(begun, files, read)
    return None if found is None else (None, found)


def _begun(words: Sequence[str], read: Read) -> Iterator[str]:
    """Yield the files of the repository that the words of a command name, what they call a module among them."""
    if words and posixpath.basename(words[0]) in _MAKE:
        yield from (f"{path}:{' '.join(words[1:])}" for path in _MAKEFILES if read(path) is not None)
    for word in (word for each in words for word in (each, *_WORD.findall(each))):
        place = posixpath.normpath(word)
        for path in (place, *(f"{place.replace('.', '/')}{end}" for end in (".py", "/__main__.py"))):
            if path not in (".", "") and not path.startswith(("/", "..")) and read(path) is not None:
                yield path


def _followed(starts: Sequence[str], files: Collection[str], read: Read) -> str | None:
    """Return the first editable file that is run from `starts`, by way of whatever files of the repository. One that
    make reads stands there with what it is to make behind a colon."""
    waiting, seen = [*starts], {*starts}
    while waiting and len(seen) <= _MOST:
        path, _, goals = waiting.pop(0).partition(":")
        text = read(path) or ""
        if posixpath.basename(path) in _MAKEFILES:
            text = _made(text, goals.split())
        for found in _run_by(text, path, files, read):
            if found in files:
                return found
            if found not in seen:
                seen.add(found)
                waiting.append(found)
    return None


def _run_by(text: str, path: str, files: Collection[str], read: Read) -> Iterator[str]:
    """Yield the files, editable ones and others of the repository, that the file at `path` imports, runs or names."""
    tree = _tree(text) if path.endswith(".py") or not path else None
    if tree is None:
        if not path.endswith(".py") and len(text) <= _LONGEST:
            lines = [_WORD.findall(line.partition("#")[0]) for line in text.splitlines()]
            yield from (
                each for each in files if any(_names(word, (each,)) for line in lines for word in line)
            )
            yield from (each for line in lines for each in _begun(line, read))
        return
    for literal in _literals(tree):
        near = (each for each in files if _names(literal, (each,)) and "/" not in literal.strip("./"))
        yield from (*near, *(each for each in files if _means(literal, each)))
    for words in _commands(tree):
        yield from _begun(words, read)
    for name in _imports(tree, path):
        yield from _imported(name, posixpath.dirname(path), files, read)


def _imported(name: str, folder: str, files: Collection[str], read: Read) -> Iterator[str]:
    """Yield the files that an import runs. If it finds none at the usual places, it may find one below any folder
    that an editable file lies in: by what is installed, or on the path."""
    usual = [place for place in _places(name, folder) if place in files or read(place) is not None]
    yield from usual
    if usual or name.startswith("/") or name.partition("/")[0] in sys.stdlib_module_names:
        return
    above = {root for each in files for root in _above(each)}
    for root in sorted(above):
        places = _places(f"/{root}/{name}", "")
        yield from (place for place in places if place in files or read(place) is not None)


def _above(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _means(literal: str, path: str) -> bool:
    """Whether a text names a file of the repository, or by a pattern files of its kind."""
    if "*" not in literal:
        return posixpath.normpath(literal) == path
    ending = posixpath.splitext(path)[1]
    return bool(ending) and literal.endswith(ending) and fnmatch.fnmatchcase(path, literal)


def _commands(tree: ast.Module) -> Iterator[list[str]]:
    """Yield the words of what may be commands: lists of texts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.List | ast.Tuple):
            words = [each.value for each in node.elts if isinstance(each, ast.Constant)]
            yield [word for word in words if isinstance(word, str)]


def _made(text: str, goals: Sequence[str]) -> str:
    """Return the lines of a Makefile that make what is asked for, by default its first; all of it if it has no such."""
    rules: dict[str, tuple[list[str], list[str]]] = {}
    others: list[str] = []
    recipe = others
    for line in text.splitlines():
        if line.startswith("\t"):
            recipe.append(line)
        elif rule := _RULE.match(line):
            recipe = []
            rules |= dict.fromkeys(rule[1].split(), (rule[2].split(), recipe))
        else:
            others.append(line)
    asked = [goal for goal in goals if goal in rules] or [goal for goal in rules if not goal.startswith(".")][
        :1
    ]
    waiting, seen = [*asked], {*asked}
    said = [line for line in others if not line.startswith(".PHONY")]
    while waiting:
        needed, lines = rules.get(waiting.pop(0), ([], []))
        said += [" ".join(needed), *lines]
        fresh = [each for each in needed if each not in seen]
        waiting, seen = [*waiting, *fresh], seen | {*fresh}
    return "\n".join(said) if asked else text


def _tree(source: str) -> ast.Module | None:
    try:
        return ast.parse(source.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _literals(tree: ast.Module) -> Iterator[str]:
    """Yield the texts in a file, their words, and those that are put together, with `*` for what is not known. What
    stands by itself, such as a docstring, does nothing."""
    told = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(each.value) if isinstance(each, ast.Constant) else "*" for each in node.values)
        elif (
            node not in told
            and isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and 0 < len(node.value) < 300
        ):
            yield node.value
            yield from _WORD.findall(node.value) if " " in node.value else ()


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
