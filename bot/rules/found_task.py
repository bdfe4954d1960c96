"""The task that a repository without a configuration seems to hold: what `nocturne init` proposes."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from bot.rules.printed import direction_of, printed_score
from bot.rules.self_reported import Read, local_files
from bot.rules.wall import Wall, found_among

_METRIC = re.compile(r"METRIC\s+([A-Za-z_][\w.-]{0,63})\s*=")
_TRAINERS = (
    "train", "main", "run", "fit", "pretrain", "finetune", "experiment", "bench", "benchmark", "evaluate", "eval",
)  # fmt: skip
_NO_TEXT = ("true", "false", "null", "yes", "no", "on", "off", "y", "n", "-")  # as YAML reads them
_TARGETS = ("bench", "benchmark", "eval", "evaluate", "score", "measure", "train", "run")
_SETTINGS = (".yaml", ".yml", ".toml", ".json")
_LANGUAGES = (".py", ".sh", ".c", ".cc", ".cpp", ".cu", ".rs", ".go", ".js", ".ts")
_COMMAND = re.compile(r"(?:^|[\s`])((?:uv run )?(?:python3?|torchrun|bash|sh) [^\n`|&;<>$#]*)", re.MULTILINE)
_QUOTES = re.compile(r'"""|\'\'\'')  # at the end of a docstring
_MOST_PRINTERS = 50


@dataclass(frozen=True)
class FoundTask:
    """`because` says what was seen. No `command` is the contract of autoresearch; `wall` is what the task lacks."""

    because: str
    editable: tuple[str, ...] = ("train.py",)
    command: tuple[str, ...] = ()
    name: str = "val_bpb"
    direction: Literal["minimize", "maximize"] = "minimize"
    pattern: str | None = None
    program: str | None = None
    wall: Wall | None = field(default=None, compare=False)

    @property
    def config(self) -> str:
        """The keys that a configuration of this task needs, as YAML; empty if the defaults will do."""
        lines = [] if self.editable == ("train.py",) else [f"editable: {_list(self.editable)}"]
        if self.program is not None:
            lines.append(f"program: {_word(self.program)}")
        if self.command:
            lines += ["evaluator:", "  kind: command", f"  command: {_list(self.command)}"]
            if self.wall is not None:
                lines.append(f"  call: {_list([self.wall.called])}")
            more = "" if self.direction == "minimize" else ", direction: maximize"
            more += "" if self.pattern is None else f", pattern: {_quoted(self.pattern)}"
            lines.append(f"  metric: {{name: {_word(self.name)}{more}}}")
        return "".join(f"{line}\n" for line in lines)


def find_task(paths: Sequence[str], read: Read) -> FoundTask | None:
    """Return the task that the files `paths` of a repository seem to hold, None if there is none or it is not clear."""
    wall = None if "train.py" in paths else found_among(paths, read)
    if wall is not None and wall.metric is not None:
        return FoundTask(
            because=f"{wall.script} prints METRIC {wall.metric} and imports {wall.called}",
            editable=(wall.called,), command=_command(wall.script, paths, read), name=wall.metric,
            direction=direction_of(wall.metric), wall=wall,
        )  # fmt: skip
    contract = _contract(paths, read)
    if contract is not None:
        return contract
    sources = [path for path in paths if path.endswith(_LANGUAGES) and path.count("/") < 3]
    printers = {path: found[1] for path in sources if (found := _METRIC.search(read(path) or ""))}
    return _stated(printers, paths, read) if printers else _printed(paths, read)


def _contract(paths: Sequence[str], read: Read) -> FoundTask | None:
    """Look for a train.py that trains and asks for `evaluate_bpb` of the prepare.py beside or above it."""
    found = []
    for path in paths:
        pure = PurePosixPath(path)
        if pure.name == "train.py" and "evaluate_bpb" in (read(path) or ""):
            places = [str(folder / "prepare.py") for folder in pure.parents]
            if any("evaluate_bpb" in (read(place) or "") for place in places if place in paths):
                found.append(path)
    chosen = "train.py" if "train.py" in found else found[0] if len(found) == 1 else None
    if chosen is None:
        return None
    beside = posixpath.join(posixpath.dirname(chosen), "program.md")
    return FoundTask(
        because=f"{chosen} and its prepare.py keep the contract of autoresearch", editable=(chosen,),
        program=beside if beside in paths and "program.md" not in paths else None,
    )  # fmt: skip


def _stated(printers: Mapping[str, str], paths: Sequence[str], read: Read) -> FoundTask | None:
    """Look for what runs the one file that prints a METRIC line; `printers` are {file: the metric's name}."""
    if len(printers) != 1:
        return None
    path, name = next(iter(printers.items()))
    runner, command = path, _command(path, paths, read)
    made = _target(path, read) if "Makefile" in paths else None
    if made is not None:
        runner, command = "Makefile", ("make", made)
    elif not path.endswith((".py", ".sh")):
        shells = [each for each in paths if each.endswith(".sh") and "/" not in each]
        if len(shells) != 1:
            return None
        command = ("sh", shells[0])
    editable = _changed_by(path, runner, paths, read)
    if not editable or not command:
        return None
    by = "" if command[-1] == path else f", which `{' '.join(command)}` runs"
    return FoundTask(f"{path} prints METRIC {name}{by}", editable, command, name, direction_of(name))


def _target(path: str, read: Read) -> str | None:
    """Return the target of the Makefile whose recipe runs `path`."""
    targets: dict[str, str] = {}
    name = ""
    for line in (read("Makefile") or "").splitlines():
        head = re.match(r"([A-Za-z][\w-]*)\s*:(?!=)", line)
        if head:
            name = head[1]
        elif line.startswith("\t") and name:
            targets[name] = targets.get(name, "") + line
    running = [each for each, recipe in targets.items() if path in recipe]
    return next((each for each in _TARGETS if each in running), running[0] if len(running) == 1 else None)


def _changed_by(path: str, runner: str, paths: Sequence[str], read: Read) -> tuple[str, ...]:
    """Return the files that experiments may change: what those import that the measuring file and its runner run."""
    text = read(path) or ""
    if path.endswith((".c", ".cc", ".cpp", ".cu")):
        ending = posixpath.splitext(path)[1]
        folder = posixpath.dirname(path)
        heads = re.findall(r'#\s*include\s+"([^"]+)\.h', text)
        return tuple(p for head in heads if (p := posixpath.join(folder, head + ending)) in paths)
    roots = [path] if path.endswith(".py") else []
    recipes = "\n".join(line for line in (read(runner) or "").splitlines() if line.startswith("\t"))
    said = recipes if runner == "Makefile" else text if path.endswith(".sh") else ""
    roots += [each for each in paths if each.endswith(".py") and each not in roots and each in said]
    below = [each for root in roots for each in local_files(root, read)]
    imported = tuple(
        dict.fromkeys(each for each in below if each not in roots and not each.endswith("__init__.py"))
    )
    if imported:
        return imported[:8]
    alone = [each for each in paths if each.endswith(_LANGUAGES) and each not in (path, runner)]
    return tuple(roots) if not path.endswith(".py") or not alone else ()


def _printed(paths: Sequence[str], read: Read) -> FoundTask | None:
    """Look for the script that trains and prints a score that a pattern finds."""
    scripts = [
        path for path in paths if path.endswith(".py") and path.count("/") < 3 and _rank(path) is not None
    ]
    for path in sorted(scripts, key=lambda each: (_rank(each), each))[:_MOST_PRINTERS]:
        score = printed_score(read(path) or "")
        if score is None:
            continue
        command = _command(path, paths, read)
        given = [word for word in command if word in paths and word != path]
        settings = tuple(word for word in given if word.endswith(_SETTINGS))
        configured = tuple(word for word in given if word.endswith(".py"))
        how = "" if score.pattern is None else f", as '{score.pattern}' finds"
        return FoundTask(
            because=f"{path} reports {score.name}{how}", editable=settings or (*configured, path), command=command,
            name=score.name, direction=score.direction, pattern=score.pattern,
        )  # fmt: skip
    return None


def _rank(path: str) -> tuple[int, int] | None:
    """Return how much a path looks like the script that trains, the least first; None if it does not."""
    stem = PurePosixPath(path).stem.lower()
    folder = posixpath.dirname(path)
    if re.search(r"(^|/)(tests?|docs?|examples?|\.\w+)(/|$)", folder) or stem.startswith(("test_", "_")):
        return None
    for number, name in enumerate(_TRAINERS):
        if stem == name or stem.startswith(f"{name}_") or stem.endswith(f"_{name}"):
            return path.count("/"), number
    return None if folder else (1, len(_TRAINERS))


def _command(script: str, paths: Sequence[str], read: Read) -> tuple[str, ...]:
    """Return the words that run a script: as its docstring or a README says, the package's own command, or plainly."""
    uv = "uv.lock" in paths or "[tool.uv]" in (read("pyproject.toml") or "")
    module = script.removesuffix(".py").removeprefix("src/").replace("/", ".")
    if script.endswith(".sh"):
        return ("bash", script)
    for words in _typed(script, module, paths, read):
        return ("uv", "run", *words) if uv and words[0] != "uv" else tuple(words)
    plain = ("uv", "run") if uv else ()
    own = re.search(rf'^([\w-]+)\s*=\s*"{re.escape(module)}:\w+"', read("pyproject.toml") or "", re.MULTILINE)
    if uv and own:
        return (*plain, own[1])
    packaged = posixpath.join(posixpath.dirname(script), "__init__.py")
    if "/" in script and packaged in paths:
        return (*plain, "python", "-m", module)
    return (*plain, "python", script)


def _typed(script: str, module: str, paths: Sequence[str], read: Read) -> Iterator[list[str]]:
    """Yield the commands for a script that its own first lines and the README show, as words."""
    readmes = [path for path in paths if re.fullmatch(r"README(\.\w+)?", path, re.IGNORECASE)]
    for text in ("\n".join((read(script) or "").splitlines()[:60]), *(read(path) or "" for path in readmes)):
        for found in _COMMAND.finditer(text):
            try:
                words = shlex.split(_QUOTES.sub("", found[1]).strip().rstrip(".,;:"))
            except ValueError:
                continue
            if not {script, f"./{script}", module} & set(words):
                continue
            if not any(re.search(r"[\[\]{}*]|\.\.\.", word) for word in words):
                yield ["python" if word == "python3" else word for word in words]


def _list(words: Sequence[str]) -> str:
    return f"[{', '.join(_word(word) for word in words)}]"


def _word(text: str) -> str:
    """Return a text as YAML takes it for one, in quotes if it might mean something else."""
    plain = re.fullmatch(r"[A-Za-z_./-][\w./-]*", text) and text.lower() not in _NO_TEXT
    return text if plain else _quoted(text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
