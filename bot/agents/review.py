"""The rule-based review: what a proposal may never do, told from its text alone.

It keeps honest proposals honest and catches accidents early, before a run is paid for. It is no sandbox:
what a candidate can reach when it runs is the jail's business.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.agents.constants import changes_between
from bot.agents.formats.plain import plain_text, without_docstrings
from bot.agents.formats.site import last_part
from bot.agents.looks import imported, looks
from bot.agents.sources import tree_of

_NETWORK = frozenset(
    ("socket", "ssl", "urllib", "http", "ftplib", "smtplib", "poplib", "imaplib", "xmlrpc")
) | {
    *("_socket", "_ssl", "telnetlib", "nntplib", "socketserver", "asyncio", "webbrowser"),
    *(
        "requests",
        "urllib3",
        "httpx",
        "aiohttp",
        "pycurl",
        "paramiko",
        "zmq",
        "grpc",
        "websocket",
        "websockets",
    ),
}
_PROCESSES = frozenset(("subprocess", "multiprocessing", "pty", "ProcessPoolExecutor")) | {
    *("_posixsubprocess", "_multiprocessing", "sh", "pexpect", "joblib"),
}
_CODE_BY_TEXT = frozenset(
    ("importlib", "builtins", "runpy", "pkgutil", "code", "codeop", "zipimport", "imp")
) | {
    *("_imp", "_frozen_importlib", "ctypes", "_ctypes", "cffi", "_cffi_backend"),
}
BANNED_IMPORTS = _NETWORK | _PROCESSES | _CODE_BY_TEXT
# Functions of `os` that start a process.
_STARTS = re.compile(r"(system|popen|v?fork|forkpty|startfile|posix_spawnp?|(exec|spawn)[lv]p?e?)\Z")
_OF_OS = frozenset(("os", "_os", "posix"))
# What modules have of these for their own use, under a name that nothing else has.
_BY_THE_WAY = frozenset(
    ("multiprocessing", "subprocess", "socket", "importlib", "builtins", "ProcessPoolExecutor")
)
BANNED_NAMES = frozenset(("exec", "eval", "compile", "__import__", "__builtins__"))
_SEED = re.compile(r"(^|_)seeds?(\d*)(_|$)", re.IGNORECASE)


# In small pieces, so many times what one piece may hold.
_SCATTERED = 3


@dataclass(frozen=True)
class GrowthLimits:
    """How much a proposal may bring: growth and strings in characters, containers in constants."""

    added_characters: int = 20_000
    literal_characters: int = 2_000
    container_constants: int = 500


@dataclass(frozen=True)
class Review:
    """The outcome; `reasons` has one sentence for each rule that was broken, none if approved. `looks` are what a human
    must look at before it is merged."""

    approved: bool
    reasons: tuple[str, ...]
    looks: tuple[str, ...] = ()


def fingerprint(files: Mapping[str, str]) -> str:
    """Return a digest that changes of comments, docstrings and format leave as it is.

    Python files count by their syntax tree, others (and Python that does not parse) by their text without
    comments, as far as their format is known.
    """
    digest = hashlib.sha256()
    for path in sorted(files):
        tree = tree_of(files[path])[0] if path.endswith(".py") else None
        body = plain_text(path, files[path]) if tree is None else ast.dump(without_docstrings(tree))
        digest.update(f"{path}\0{len(body)}\0{body}\0".encode(errors="surrogatepass"))
    return digest.hexdigest()


def review(
    *,
    editable: Sequence[str],
    base: Mapping[str, str],
    proposed: Mapping[str, str],
    tried: Mapping[str, int],
    limits: GrowthLimits | None = None,
) -> Review:
    """Return whether `proposed` (path -> whole new content) may be run on top of `base`.

    `base` holds the editable files of the incumbent; `tried` maps the fingerprint of an earlier
    experiment's editable files to its number.
    """
    limits = limits or GrowthLimits()
    foreign = [path for path in sorted(proposed) if path not in editable]
    reasons = [f"{path} is not among the editable files ({', '.join(editable)})." for path in foreign]
    changed = {path: text for path, text in proposed.items() if path in editable and base.get(path) != text}
    if not changed:
        return Review(False, tuple(reasons) or ("Nothing changes.",))
    added = sum(max(0, len(text) - len(base.get(path, ""))) for path, text in changed.items())
    if added > limits.added_characters:
        reasons.append(f"It adds {added:,} characters; {limits.added_characters:,} are allowed.")
    before = {path: text for path, text in base.items() if path in editable}
    old = [tree for path, text in before.items() if path.endswith(".py") and (tree := tree_of(text)[0])]
    new: list[tuple[str, ast.Module]] = []
    broken = False
    for path in sorted(changed):
        if path.endswith(".py"):
            tree, error = tree_of(changed[path])
            if tree is None:
                broken = True
                reasons.append(f"{path} does not parse: {error}.")
            else:
                new.append((path, tree))
    if not broken:
        reasons += _sameness(before, {**before, **changed}, tried)
    for path, tree in new:
        reasons += _embedded_data(path, tree, old, limits)
    unchanged = [
        tree
        for path, text in before.items()
        if path.endswith(".py") and path not in changed and (tree := tree_of(text)[0])
    ]
    after = unchanged + [tree for _, tree in new]
    reasons += _new_powers(old, after)
    reasons += _new_seeds(old, after)
    reasons += _reseeded(before, changed, reasons)
    return Review(not reasons, tuple(reasons), () if reasons else looks(before, {**before, **changed}))


def _sameness(before: Mapping[str, str], after: Mapping[str, str], tried: Mapping[str, int]) -> Iterator[str]:
    digest = fingerprint(after)
    if digest == fingerprint(before):
        yield "Only comments or format change."
    elif digest in tried:
        yield f"Experiment {tried[digest]} already tried exactly this."


def _embedded_data(
    path: str, tree: ast.Module, old: Sequence[ast.Module], limits: GrowthLimits
) -> Iterator[str]:
    had = _scattered(old)
    new = _scattered([tree])
    new.subtract(had)
    allowed = {"characters in texts": limits.literal_characters, "numbers": limits.container_constants}
    found = [f"{new[kind]:,} {kind}" for kind, most in allowed.items() if new[kind] > _SCATTERED * most]
    if found:
        yield f"{path} embeds data, in pieces: {' and '.join(found)} more."
    known = {ast.dump(node) for base in old for node, _ in _large(base, limits)}
    for node, what in _large(tree, limits):
        if ast.dump(node) not in known:
            yield f"{path} line {node.lineno} embeds data: {what}."


def _scattered(trees: Sequence[ast.Module]) -> Counter[str]:
    """Count the characters of all texts but docstrings, and all numbers, however small the pieces are."""
    found: Counter[str] = Counter()
    for tree in trees:
        nodes = list(ast.walk(tree))
        said = {
            node.value for node in nodes if isinstance(node, ast.Expr)
        }  # docstrings, and texts that nothing uses
        for node in nodes:
            if node in said:
                continue
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                found["characters in texts"] += len(node.value)
            elif isinstance(node, ast.Constant):
                found["numbers"] += 1
    return found


def _large(tree: ast.Module, limits: GrowthLimits) -> Iterator[tuple[ast.expr, str]]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            if len(node.value) > limits.literal_characters:
                yield node, f"a literal of {len(node.value):,} characters"
        elif isinstance(node, ast.List | ast.Tuple | ast.Dict | ast.Set):
            count = sum(isinstance(inner, ast.Constant) for inner in ast.walk(node))
            if count > limits.container_constants:
                yield node, f"a container of {count:,} constants"
                continue  # one sentence for the whole, not one for each row
        waiting.extend(ast.iter_child_nodes(node))


def _new_powers(old: Sequence[ast.Module], new: Sequence[ast.Module]) -> Iterator[str]:
    had, has = _imports(old), _imports(new)
    for module in sorted((has - had) & BANNED_IMPORTS):
        yield f"It newly imports {module}, which training code does not need."
    for way in sorted(_starts(new) - _starts(old)):
        yield f"It newly starts processes by os.{way}, which training code does not need."
    calls_before, calls_after = _bare_names(old), _bare_names(new)
    for name in sorted(BANNED_NAMES):
        if calls_after[name] > calls_before[name]:
            yield f"It newly uses the built-in {name}."


def _imports(trees: Sequence[ast.Module]) -> set[str]:
    found: set[str] = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            found |= {part for alias in node.names for part in alias.name.split(".")}
        elif isinstance(node, ast.ImportFrom):
            found |= set((node.module or "").split("."))
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute) and node.attr in _BY_THE_WAY:
            found.add(node.attr)
    return found


def _starts(trees: Sequence[ast.Module]) -> set[str]:
    """Return the functions that start processes, taken from `os` by any name or by way of another module."""
    found: set[str] = set()
    for tree in trees:
        nodes = list(ast.walk(tree))
        names = imported(nodes)
        found |= {inside for module, inside in names.values() if module in _OF_OS and _STARTS.match(inside)}
        for node in nodes:
            if isinstance(node, ast.Attribute) and _STARTS.match(node.attr):
                of = node.value
                module = (
                    of.attr
                    if isinstance(of, ast.Attribute)
                    else names.get(getattr(of, "id", ""), ("", ""))[0]
                )
                found |= {node.attr} if module in _OF_OS else set()
    return found


def _bare_names(trees: Sequence[ast.Module]) -> Counter[str]:
    """Count reads of the banned built-ins; `model.eval()` and `torch.compile` are attributes, not these."""
    found: Counter[str] = Counter()
    for tree in trees:
        parameters = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                found[node.func.id] += node.func.id in parameters
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                # A parameter named `compile` may be read; called, it counts (above).
                found[node.id] += node.id not in parameters
    return found


def _new_seeds(old: Sequence[ast.Module], new: Sequence[ast.Module]) -> Iterator[str]:
    before, after = _seeds(old), _seeds(new)
    for name in sorted(after):
        fresh = after[name] - before.get(name, frozenset())
        if fresh and (name in before or name.endswith("()")):
            yield f"It changes a seed: {name} {', '.join(sorted(fresh))}. Luck is not an improvement."


def _reseeded(before: Mapping[str, str], changed: Mapping[str, str], said: Sequence[str]) -> Iterator[str]:
    """Object to seeds among the constants of any format: options, entries of data files, C."""
    for change in changes_between({path: before.get(path, "") for path in changed}, changed):
        sentence = f"It changes a seed: {change.local} {change.new}. Luck is not an improvement."
        if _SEED.search(last_part(change.local)) and sentence not in said:
            yield sentence


def _seeds(trees: Sequence[ast.Module]) -> dict[str, frozenset[str]]:
    """Return the number literals given to every name, keyword or call (`name()`) that speaks of a seed."""
    found: dict[str, frozenset[str]] = {}

    def note(name: str | None, value: ast.expr | None) -> None:
        if name is not None and value is not None and _SEED.search(name.removesuffix("()")):
            texts = {
                ast.unparse(part)
                for part in ast.walk(value)
                if isinstance(part, ast.Constant) and isinstance(part.value, int | float)
            }
            found[name] = found.get(name, frozenset()) | texts

    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                note(_name(target), node.value)
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            note(_name(node.target), node.value)
        elif isinstance(node, ast.keyword):
            note(node.arg, node.value)
        elif isinstance(node, ast.Call) and (name := _name(node.func)):
            for argument in node.args:
                note(f"{name}()", argument)
                if _SEED.search(name) and not any(
                    isinstance(part, ast.Constant) for part in ast.walk(argument)
                ):
                    found[f"{name}()"] = found.get(f"{name}()", frozenset()) | {ast.unparse(argument)}
    return found


def _name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None
