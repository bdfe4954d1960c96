"""What a human must look at before it is merged: code by which a process can tell what another one did.

None of it is forbidden, for each has good uses; but a model trains without, and whoever listens to the kernel's caches
needs some of it. Told from the text alone: what is new of it, by kind and line.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from bot.agents.sources import tree_of

_MOST = 10  # sentences
# Of these there is no other function by the name, whatever it is taken from.
_ONLY_OF_OS = frozenset(
    ("pread", "preadv", "readv", "pwrite", "pwritev", "memfd_create", "posix_fadvise")
) | {*("copy_file_range", "eventfd", "pidfd_open", "posix_fallocate")}
_DESCRIPTORS = _ONLY_OF_OS | {"open", "dup", "dup2", "fdopen", "sendfile"}
_ONLY_LOCKS = frozenset(("flock", "lockf", "LOCK_SH", "LOCK_EX"))
_LOCKS = _ONLY_LOCKS | {"fcntl", "ioctl"}
_FOREIGN = frozenset(("CDLL", "PyDLL", "WinDLL", "cdll", "pythonapi", "dlopen", "FFI"))
# What loads a library, whichever module it is reached by.
_LOADS = frozenset(("CDLL", "PyDLL", "WinDLL", "dlopen", "load_library"))
# Modules whose functions are named here: to take one out by a text is to be looked at like the function itself.
_WATCHED = frozenset(("os", "posix", "fcntl", "ctypes", "mmap", "resource", "time"))
# The same, as other modules have them for their own use.
_BY_THE_WAY = _WATCHED - {"time"} | {"_os", "_posix", "_time"}
_TIMERS = frozenset(("timeit", "Timer", "autorange", "blocked_autorange"))
_OWN = ("/proc/self", "/proc/thread-self")
_CLOCKS = frozenset(
    ("perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "time", "time_ns", "clock_gettime")
) | {
    *("process_time", "process_time_ns", "clock_gettime_ns", "thread_time", "thread_time_ns"),
    *("default_timer", "now", "utcnow", "times", "getitimer", "getrusage", "elapsed_time"),
}
_LOOK_UPS = frozenset(
    ("stat", "lstat", "access", "exists", "lexists", "is_file", "is_dir", "isfile", "isdir")
) | {
    *("readlink", "realpath", "resolve", "scandir", "listdir", "iterdir", "glob", "iglob", "rglob", "which"),
    *("find_spec", "chdir", "samefile", "getsize", "getmtime", "getatime", "rename", "utime"),
}
_OPENS = frozenset(("open", "read_text", "read_bytes"))  # looks a file up if it may be missing
_COUNTS = frozenset(("ru_majflt", "ru_minflt", "ru_inblock", "ru_oublock", "io_counters"))
_SYSTEM = ("/usr", "/lib", "/bin", "/sbin", "/etc", "/proc", "/sys", "/opt", "/boot")
_OF_PYTHON = frozenset(("get_path", "get_paths", "executable", "prefix", "base_prefix", "getsitepackages"))
_AROUND = 4  # statements between a clock and the next reading of it
_SHORT = 8  # lines of a function that does nothing else

# What holds all that is in a module.
_ALL_OF_IT = frozenset(("__dict__", "__getattribute__", "__loader__", "__spec__"))

_SAID = {
    "foreign": "calls a library of the system by itself",
    "descriptor": "reads or writes files by their descriptors",
    "lock": "locks files, or commands them",
    "clock": "measures how long it takes to look a file up",
    "count": "asks for its counts of page faults or reads",
    "map": "maps a file of the system into memory",
    "reach": "hands on a module of the system, or takes what is in it by a text",
}


def looks(base: Mapping[str, str], proposed: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for each thing in `proposed` (path to text) that `base` has not as often and that a human must
    look at: at most `_MOST`."""
    had = Counter(kind for text in base.values() for kind, _ in _marks(text))
    found = []
    for path in sorted(proposed):
        for kind, line in _marks(proposed[path]) if path.endswith(".py") else ():
            if had[kind]:
                had[kind] -= 1
            else:
                found.append(f"{path} line {line} {_SAID[kind]}.")
    return tuple(found[:_MOST])


def _marks(text: str) -> Iterator[tuple[str, int]]:
    """Yield kind and line of what is to be looked at in a Python file, in order of kinds."""
    tree = tree_of(text)[0]
    if tree is None:
        return
    nodes = list(ast.walk(tree))
    modules = imported(nodes)
    maps = _names_the_system(nodes)
    handed_on = _handed_on(nodes, modules)
    put_in = {
        each.value for each in nodes if isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Store)
    }
    for node in nodes:
        kind = None
        if isinstance(node, ast.Attribute):
            kind = _of_attribute(node, modules) if node not in put_in else None
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            kind = "reach" if node in handed_on else _of_name(*modules.get(node.id, ("", node.id)))
        else:
            kind = _of_other(node, modules)
        if kind == "map" and not maps:
            kind = None
        if kind is not None:
            yield kind, getattr(node, "lineno", 0)
    as_called = _meanings(nodes, modules)
    for node in nodes:
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                yield from (("clock", line) for line in _timed_look_ups(block, as_called))


def imported(nodes: Sequence[ast.AST]) -> dict[str, tuple[str, str]]:
    """Return what each imported name stands for: its module, and the name in it ("" for the module itself)."""
    known: dict[str, tuple[str, str]] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for each in node.names:
                first = each.name.partition(".")[0]
                known[each.asname or first] = (each.name if each.asname else first, "")
        elif isinstance(node, ast.ImportFrom):
            known |= {each.asname or each.name: (node.module or "", each.name) for each in node.names}
    return known


def _handed_on(nodes: Sequence[ast.AST], modules: Mapping[str, tuple[str, str]]) -> set[ast.AST]:
    """Return the names of watched modules where they stand by themselves: what gets one, by another name or in a
    function, can take from it what it likes."""
    whole = {name for name, (module, inside) in modules.items() if module in _WATCHED and not inside}
    asked = {node.value for node in nodes if isinstance(node, ast.Attribute)}
    return {node for node in nodes if isinstance(node, ast.Name) and node.id in whole and node not in asked}


def _meanings(nodes: Sequence[ast.AST], modules: Mapping[str, tuple[str, str]]) -> dict[str, set[str]]:
    """Return, for each name that stands for others, which of the functions it may call: what it was imported as, or
    was set to, or calls in a few lines."""
    means = {name: {inside} for name, (_, inside) in modules.items() if inside and inside != name}
    for node in nodes:
        if isinstance(node, ast.FunctionDef) and _lines(node) <= _SHORT:
            means.setdefault(node.name, set()).update(_called(node, {}, _SHORT))
        elif isinstance(node, ast.ClassDef) and _lines(node) <= 2 * _SHORT:
            means.setdefault(node.name, set()).update(_called(node, {}, 2 * _SHORT))
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute | ast.Lambda):
            value = node.value
            name = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
            found = (
                {name} if name else {_name_of(each) for each in ast.walk(value) if isinstance(each, ast.Call)}
            )
            for target in node.targets:
                if isinstance(target, ast.Name):
                    means.setdefault(target.id, set()).update(found)
    for _ in range(3):  # of functions that call such functions
        for name, found in means.items():
            found |= {further for each in found if each != name for further in means.get(each, ())}
    return means


def _of_attribute(node: ast.Attribute, modules: Mapping[str, tuple[str, str]]) -> str | None:
    if node.attr in _COUNTS:
        return "count"
    if node.attr in _LOADS:
        return "foreign"
    if node.attr == "from_file":
        return "map"
    if node.attr in _ONLY_OF_OS:
        return "descriptor"
    if node.attr in _ONLY_LOCKS:
        return "lock"
    if isinstance(node.value, ast.Name):
        module, inside = modules.get(node.value.id, ("", ""))
        if module in _WATCHED and node.attr in _ALL_OF_IT:
            return "reach"
        if module == "sys" and node.attr == "modules" and not inside:
            return "reach"
        if module and node.attr in _BY_THE_WAY and module != node.attr and not inside:
            return "reach"
        return None if inside else _of_name(module, node.attr)
    first = node.value
    while isinstance(first, ast.Attribute):
        first = first.value
    by_the_way = isinstance(first, ast.Name) and first.id in modules and node.attr in _BY_THE_WAY
    return "reach" if by_the_way else None


def _of_other(node: ast.AST, modules: Mapping[str, tuple[str, str]]) -> str | None:
    """Return the kind of a text that names the process's own counts, of figures taken from them by their place, and of
    what takes a function out of a module."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(_OWN):
        return "count"
    if isinstance(node, ast.ImportFrom) and node.module in (*_WATCHED, "sys"):
        taken = {each.name for each in node.names}
        return "reach" if "*" in taken or (node.module == "sys" and "modules" in taken) else None
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Call):
        told = node.slice.value in _WATCHED if isinstance(node.slice, ast.Constant) else True
        if told and getattr(node.value.func, "id", "") in ("globals", "locals"):
            return "reach"
    call = node.value if isinstance(node, ast.Subscript) else node
    if not isinstance(call, ast.Call):
        return None
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if call is not node:
        known = modules.get(name, ("", name))[1] or name
        return "count" if known == "getrusage" else None
    return None


def _of_name(module: str, name: str) -> str | None:
    """Return the kind of `name` of a module, None if it is of none."""
    if name in _ONLY_OF_OS:
        return "descriptor"
    if module in ("ctypes", "cffi", "_ctypes") and name in _FOREIGN:
        return "foreign"
    if module in ("os", "posix") and name in _DESCRIPTORS:
        return "descriptor"
    if module in ("fcntl", "os", "posix") and name in _LOCKS:
        return "lock"
    if (module, name) in (("mmap", "mmap"), ("numpy", "memmap"), ("torch", "from_file")):
        return "map"
    return None


def _names_the_system(nodes: Sequence[ast.AST]) -> bool:
    """Whether some text names a folder of the system, or some code a file or folder of Python's own."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if any(node.value == each or node.value.startswith(f"{each}/") for each in _SYSTEM):
                return True
        elif isinstance(node, ast.Attribute) and node.attr in (_OF_PYTHON | {"__file__"}):
            return True
    return False


def _timed_look_ups(block: Sequence[ast.stmt], means: Mapping[str, set[str]]) -> Iterator[int]:
    """Yield the lines in a block of statements where a file is looked up shortly after a clock is read, and shortly
    before it is read again."""
    called = [_called(each, means) for each in block]
    yield from (
        each.lineno
        for each, names in zip(block, called, strict=True)
        if names & _TIMERS and _looks_up(each, means)
    )
    clocks = [at for at, names in enumerate(called) if names & _CLOCKS]
    for first in clocks:
        last = next((at for at in clocks if first < at <= first + _AROUND + 1), None)
        for at in range(first, (last or first) + 1):
            if last is not None and called[at] & _LOOK_UPS:
                yield block[at].lineno
                break


def _looks_up(statement: ast.stmt, means: Mapping[str, set[str]]) -> bool:
    """Whether a statement looks a file up, or holds a text that does."""
    texts = (each.value for each in ast.walk(statement) if isinstance(each, ast.Constant))
    words = (text for text in texts if isinstance(text, str))
    return bool(_called(statement, means) & _LOOK_UPS) or any(
        f"{name}(" in text for text in words for name in _LOOK_UPS
    )


def _called(statement: ast.stmt, means: Mapping[str, set[str]], most: int = _AROUND) -> set[str]:
    """Return the names of all that a statement calls, if it is short: what goes on for pages is timed as a whole. What
    opens a file that may be missing counts as a look for it."""
    found: set[str] = set()
    for node in ast.walk(statement) if _lines(statement) <= most else ():
        if isinstance(node, ast.Call):
            name = _name_of(node)
            found |= {name, *means.get(name, ())}
        elif isinstance(node, ast.Try) and node.handlers:
            tried = {
                _name_of(each) for part in node.body for each in ast.walk(part) if isinstance(each, ast.Call)
            }
            if tried & _OPENS:
                found.add("exists")
    return found


def _name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno
