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
_DESCRIPTORS = frozenset(
    (
        "open",
        "pread",
        "preadv",
        "readv",
        "pwrite",
        "pwritev",
        "dup",
        "dup2",
        "fdopen",
        "sendfile",
        "memfd_create",
    )
) | frozenset(("posix_fadvise", "copy_file_range", "eventfd", "pidfd_open"))
_LOCKS = frozenset(("fcntl", "flock", "lockf", "ioctl"))
_FOREIGN = frozenset(("CDLL", "PyDLL", "WinDLL", "cdll", "pythonapi", "dlopen", "FFI"))
# What loads a library, whichever module it is reached by.
_LOADS = frozenset(("CDLL", "PyDLL", "WinDLL", "dlopen", "load_library"))
# Modules whose functions are named here: to take one out by a text is to be looked at like the function itself.
_WATCHED = frozenset(("os", "posix", "fcntl", "ctypes", "mmap", "resource", "time"))
_TIMERS = frozenset(("timeit", "Timer", "autorange", "blocked_autorange"))
_OWN = ("/proc/self", "/proc/thread-self")
_CLOCKS = frozenset(
    ("perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "time", "time_ns", "clock_gettime")
) | frozenset(("process_time", "process_time_ns", "clock_gettime_ns", "thread_time", "thread_time_ns"))
_LOOK_UPS = frozenset(
    ("stat", "lstat", "access", "exists", "lexists", "is_file", "is_dir", "isfile", "isdir")
)
_COUNTS = frozenset(("ru_majflt", "ru_minflt", "ru_inblock", "ru_oublock", "io_counters"))
_SYSTEM = ("/usr", "/lib", "/bin", "/sbin", "/etc", "/proc", "/sys", "/opt", "/boot")
_OF_PYTHON = frozenset(("get_path", "get_paths", "executable", "prefix", "base_prefix", "getsitepackages"))
_AROUND = 4  # statements between a clock and the next reading of it

_SAID = {
    "foreign": "calls a library of the system by itself",
    "descriptor": "reads or writes files by their descriptors",
    "lock": "locks files, or commands them",
    "clock": "measures how long it takes to look a file up",
    "count": "asks for its counts of page faults or reads",
    "map": "maps a file of the system into memory",
    "reach": "takes functions out of a module by a text",
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
    modules = _modules(nodes)
    maps = _names_the_system(nodes)
    for node in nodes:
        kind = None
        if isinstance(node, ast.Attribute):
            kind = _of_attribute(node, modules)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            kind = _of_name(*modules.get(node.id, ("", "")))
        else:
            kind = _of_other(node, modules)
        if kind == "map" and not maps:
            kind = None
        if kind is not None:
            yield kind, getattr(node, "lineno", 0)
    for node in nodes:
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                yield from (("clock", line) for line in _timed_look_ups(block))


def _modules(nodes: Sequence[ast.AST]) -> dict[str, tuple[str, str]]:
    """Return what each imported name stands for: its module, and the name in it ("" for the module itself)."""
    known: dict[str, tuple[str, str]] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            known |= {each.asname or each.name.partition(".")[0]: (each.name, "") for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            known |= {each.asname or each.name: (node.module or "", each.name) for each in node.names}
    return known


def _of_attribute(node: ast.Attribute, modules: Mapping[str, tuple[str, str]]) -> str | None:
    if node.attr in _COUNTS:
        return "count"
    if node.attr in _LOADS:
        return "foreign"
    if node.attr == "from_file":
        return "map"
    if isinstance(node.value, ast.Name):
        module, inside = modules.get(node.value.id, ("", ""))
        if module in _WATCHED and node.attr == "__dict__":
            return "reach"
        return None if inside else _of_name(module, node.attr)
    return None


def _of_other(node: ast.AST, modules: Mapping[str, tuple[str, str]]) -> str | None:
    """Return the kind of a text that names the process's own counts, of figures taken from them by their place, and of
    what takes a function out of a module."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(_OWN):
        return "count"
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "modules"
    ):
        told = node.slice.value in _WATCHED if isinstance(node.slice, ast.Constant) else False
        return "reach" if told or isinstance(node.slice, ast.BinOp | ast.JoinedStr | ast.Call) else None
    call = node.value if isinstance(node, ast.Subscript) else node
    if not isinstance(call, ast.Call):
        return None
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if call is not node:
        known = modules.get(name, ("", name))[1] or name
        return "count" if known == "getrusage" else None
    first = call.args[0] if call.args else None
    of_module = isinstance(first, ast.Name) and modules.get(first.id, ("", "")) in {
        (each, "") for each in _WATCHED
    }
    return "reach" if of_module and name in ("getattr", "vars", "attrgetter") else None


def _of_name(module: str, name: str) -> str | None:
    """Return the kind of `name` of a module, None if it is of none."""
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


def _timed_look_ups(block: Sequence[ast.stmt]) -> Iterator[int]:
    """Yield the lines in a block of statements where a file is looked up shortly after a clock is read, and shortly
    before it is read again."""
    called = [_called(each) for each in block]
    yield from (
        each.lineno for each, names in zip(block, called, strict=True) if names & _TIMERS and _looks_up(each)
    )
    clocks = [at for at, names in enumerate(called) if names & _CLOCKS]
    for first in clocks:
        last = next((at for at in clocks if first < at <= first + _AROUND + 1), None)
        for at in range(first, (last or first) + 1):
            if last is not None and called[at] & _LOOK_UPS:
                yield block[at].lineno
                break


def _looks_up(statement: ast.stmt) -> bool:
    """Whether a statement looks a file up, or holds a text that does."""
    texts = (each.value for each in ast.walk(statement) if isinstance(each, ast.Constant))
    words = (text for text in texts if isinstance(text, str))
    return bool(_called(statement) & _LOOK_UPS) or any(
        f"{name}(" in text for text in words for name in _LOOK_UPS
    )


def _called(statement: ast.stmt) -> set[str]:
    """Return the names of all that a statement calls, if it is short: what goes on for pages is timed as a whole."""
    found = set()
    lines = (statement.end_lineno or statement.lineno) - statement.lineno
    for node in ast.walk(statement) if lines <= _AROUND else ():
        if isinstance(node, ast.Call):
            name = node.func
            found.add(name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", ""))
    return found
