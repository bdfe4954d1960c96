"""The shape of the house: what one experiment walks through, what imports what, and how long everything is.

    python -m tests.benchmarks.shape [--no-github] [--static]

A campaign on the formula task begins at its best constants, so that what is tried is discarded. After its first
experiment comes `nocturne iterate`, in this process, while every call of a function in `bot/` is seen. A room is a
folder of `bot/`, or a file that lies there by itself. The depth counts functions of `bot/` that wait for each other,
from the loop's own one on. Processes that the evaluator starts are its own and not counted.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from bot.commands import cli
from bot.loop import runner as loop
from tests.bot.repositories import CONFIG, TRAIN, events, git, make_repository
from tests.github.server import serve

ROOT = Path(__file__).parents[2]
BOT = str(ROOT / "bot")
BEST = {
    "LEARNING_RATE = 0.001": "LEARNING_RATE = 0.004",
    "BATCH_SIZE = 64": "BATCH_SIZE = 16",
    "DROPOUT = 0.2": "DROPOUT = 0.0",
    '"gelu"  #': '"relu2"  #',
}
PUSH = f"{BOT}/git/repository.py:push"
LOOP = f"{loop.__file__}:{loop.run_loop.__name__}"
PERMISSIONS = dict.fromkeys(("contents", "pull-requests", "statuses", "issues", "checks"), "write")


@dataclass
class Walk:
    """What was entered while one experiment was done."""

    calls: int = 0
    pushes: int = 0
    depth: int = 0
    deepest: Sequence[str] = ()
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    files: set[str] = field(default_factory=set)
    commands: list[Sequence[str]] = field(default_factory=list)
    cpu: float = 0.0

    @property
    def rooms(self) -> set[str]:
        return {room_of(path) for path in self.files}

    @property
    def git(self) -> list[str]:
        """The git commands that were started, by their verbs."""
        return [_verb(words) for words in self.commands if Path(words[0]).name == "git"]


def room_of(path: str) -> str:
    """Return the room of a file: the folder below `bot/` or `evaluator/`, or the file itself."""
    return Path(path).relative_to(ROOT).parts[1]


def _verb(words: Sequence[str]) -> str:
    """Return which command of git a command line gives: the first word that belongs to no option."""
    rest = list(words[1:])
    while rest and rest[0].startswith("-"):
        rest = rest[2 if rest[0] in ("-C", "-c", "--git-dir", "--work-tree") else 1 :]
    return rest[0] if rest else ""


_walk: Walk | None = None


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    own = threading.current_thread() is threading.main_thread()  # others serve the GitHub on loopback
    if event == "subprocess.Popen" and _walk is not None and own:
        words = arguments[1]
        _walk.commands.append([os.fsdecode(word) for word in ([words] if isinstance(words, str) else words)])


@contextmanager
def walking() -> Iterator[Walk]:
    """See every call of a function of `bot/` in this thread, and every process it starts."""
    global _walk
    walk = _walk = Walk()
    stack: list[str] = []

    def seen(frame: FrameType, event: str, _: object) -> None:
        path = frame.f_code.co_filename
        if event not in ("call", "return") or not path.startswith(BOT) or frame.f_code.co_name == "<module>":
            return
        if event == "return":
            if stack:
                stack.pop()
            return
        if stack and room_of(stack[-1].partition(":")[0]) != room_of(path):
            walk.moves[room_of(stack[-1].partition(":")[0]), room_of(path)] += 1
        stack.append(f"{path}:{frame.f_code.co_name}")
        walk.calls += 1
        walk.pushes += stack[-1] == PUSH
        walk.files.add(path)
        begins = next((place for place, name in enumerate(stack) if name == LOOP), len(stack))
        if len(stack) - begins > walk.depth:
            walk.depth, walk.deepest = len(stack) - begins, tuple(stack[begins:])

    began = time.process_time()
    sys.setprofile(seen)
    try:
        yield walk
    finally:
        sys.setprofile(None)
        walk.cpu = time.process_time() - began
        _walk = None


def discarded(top: Path, ref: str = "nocturne/ledger") -> Walk:
    """Return the walk of a campaign's second experiment, which must be discarded."""
    with quiet_in(top):
        cli.main(["run", "-n", "1"])
        with walking() as walk:
            cli.main(["iterate"])
    verdict = [event["verdict"] for event in events(top, ref) if event["kind"] == "experiment_decided"][-1]
    if verdict != "discarded":
        raise SystemExit(f"the experiment was {verdict}: start the task nearer to its best")
    return walk


@contextmanager
def quiet_in(top: Path) -> Iterator[None]:
    """Work in a folder, and keep what the command says to itself."""
    before = Path.cwd()
    os.chdir(top)
    try:
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        os.chdir(before)


def task(folder: Path, *, shared: bool = False) -> Path:
    train = TRAIN
    for old, new in BEST.items():
        train = train.replace(old, new)
    return make_repository(
        folder / "repo", config=CONFIG + "seed: 1\n", files={"train.py": train}, shared=shared
    )


def local(folder: Path) -> Walk:
    return discarded(task(folder))


def on_github(folder: Path) -> Walk:
    """As `local`, against the GitHub on loopback."""
    with serve(folder / "github") as github:
        repository = github.repository("octo/models", private=True, default_branch="main")
        top = task(folder, shared=True)
        git(top, "push", "--quiet", str(repository.path), "main")
        git(top, "remote", "add", "origin", f"{github.server_url}/octo/models.git")
        token = github.token(
            "github-actions[bot]", kind="workflow", repository=repository, permissions=PERMISSIONS
        )
        environ = {
            "GITHUB_API_URL": github.api_url,
            "GITHUB_SERVER_URL": github.server_url,
            "GITHUB_REPOSITORY": "octo/models",
            "GITHUB_TOKEN": token,
        }
        os.environ.update(environ)
        return discarded(top, "origin/nocturne/ledger")


def tell(what: str, walk: Walk) -> None:
    print(f"\none discarded experiment, {what}")
    print(f"  rooms {len(walk.rooms)}: {' '.join(sorted(walk.rooms))}")
    print(f"  files {len(walk.files)}, moves between rooms {walk.moves.total()}, calls {walk.calls}")
    pairs = ", ".join(f"{a} -> {b} {count}" for (a, b), count in walk.moves.most_common(5))
    print(f"  most moves: {pairs}")
    print(f"  deepest call stack {walk.depth}:")
    names = (each.removeprefix(f"{BOT}/") for each in walk.deepest)
    print("    " + " > ".join(names))
    verbs = Counter(walk.git)
    print(f"  git processes {len(walk.git)}, of them pushes {verbs['push']}; pushes in all {walk.pushes}")
    print("    " + ", ".join(f"{verb} {count}" for verb, count in verbs.most_common()))
    others = Counter(Path(words[0]).name for words in walk.commands if Path(words[0]).name != "git")
    print(f"  other processes: {', '.join(f'{name} {count}' for name, count in others.items()) or 'none'}")


def sources() -> dict[str, Path]:
    """Return the modules of `bot/` and `evaluator/` by name."""
    found = {}
    for path in [*(ROOT / "bot").rglob("*.py"), *(ROOT / "evaluator").rglob("*.py")]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, modules: Mapping[str, Path]) -> set[str]:
    """Return the modules of ours that a file imports while it is imported itself."""
    found: set[str] = set()
    for node in _at_import(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            named = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in named if name in modules}
            if any(name not in modules for name in named):
                found.add(node.module)
    return found & modules.keys()


def _at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a module without what waits inside its functions, and without what only a type checker imports."""
    for child in ast.iter_child_nodes(node):
        checked = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
        if not checked and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _at_import(child)


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of names of which each leads to every other one."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        ahead = list(graph.get(start, ()))
        while ahead:
            name = ahead.pop()
            if name not in seen:
                seen.add(name)
                ahead += graph.get(name, ())
        return seen

    ends = {name: reached(name) for name in graph}
    groups = {tuple(sorted(b for b in ends[a] if a in ends.get(b, ()))) for a in graph if a in ends[a]}
    return [list(group) for group in sorted(groups)]


def room_graph(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the same graph by rooms: what a room imports from others."""
    rooms: dict[str, set[str]] = {}
    for name, others in graph.items():
        mine = _room(name)
        rooms.setdefault(mine, set()).update(room for other in others if (room := _room(other)) != mine)
    return rooms


def _room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def functions(path: Path) -> Iterator[tuple[int, str]]:
    """Return length in lines and name of each function of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)}:{node.name}"


def tell_static() -> None:
    modules = sources()
    graph = {name: imports(path, modules) for name, path in modules.items()}
    found = circles(graph)
    print(f"import circles between modules: {len(found)}")
    for circle in found:
        print(f"  {' '.join(circle)}")
    rooms = circles(room_graph(graph))
    print(f"import circles between rooms: {len(rooms)}")
    for circle in rooms:
        print(f"  {' '.join(circle)}")

    lines = {path: len(path.read_text().splitlines()) for path in modules.values()}
    for top in ("bot", "evaluator"):
        mine = {path: count for path, count in lines.items() if path.is_relative_to(ROOT / top)}
        print(f"\n{top}: {len(mine)} files, {sum(mine.values())} lines")
        by_room: Counter[str] = Counter()
        for path, count in mine.items():
            by_room[room_of(str(path))] += count
        print("  " + ", ".join(f"{room} {count}" for room, count in by_room.most_common()))
        print("  longest files:")
        for path, count in sorted(mine.items(), key=lambda each: -each[1])[:10]:
            print(f"    {count:5} {path.relative_to(ROOT)}")
        print("  longest functions:")
        for count, name in sorted((each for path in mine for each in functions(path)), reverse=True)[:10]:
            print(f"    {count:5} {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--static", action="store_true", help="run nothing: imports and lengths alone")
    parser.add_argument("--no-github", action="store_true", help="only the local forge")
    args = parser.parse_args()
    tell_static()
    if args.static:
        return
    sys.addaudithook(_heard)
    with tempfile.TemporaryDirectory() as folder:
        tell("local forge", local(Path(folder)))
    if not args.no_github:
        with tempfile.TemporaryDirectory() as folder:
            tell("GitHub on loopback", on_github(Path(folder)))


if __name__ == "__main__":
    main()
