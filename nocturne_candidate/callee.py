"""The process that is called: runs a file of the candidate's and answers for its functions. Nothing here is trusted."""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import json
import os
import socket
import sys
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import plain, wire

# Starts it: python -B -c START LIBRARY DESCRIPTOR FILE SOURCE; nothing of the working folder is in sight before it.
START = (
    "import sys; library = sys.argv.pop(1); sys.path[0] = library; from nocturne_candidate import callee;"
    " sys.path.pop(0); callee.main(*sys.argv[1:])"
)
_LONGEST = 1000  # characters of what an exception says


def main(descriptor: str, file: str, source: str = "") -> None:
    """Answer over the socket `descriptor` for `file`, a path from the working folder; its text is that of `source` if
    it is given."""
    channel = wire.Channel(socket.socket(fileno=int(descriptor)))
    path = Path.cwd() / file
    text = Path(source) if source else path
    _import_installed(text)
    channel.send(wire.READY)
    channel.receive(0)
    try:
        module = _module(path, text)
    except BaseException as error:
        _tell(channel, b"", error)
        os._exit(1)
    channel.send(wire.LOADED)
    while True:
        try:
            _, body = channel.receive(wire.NONCE + plain.MOST + 4)
        except wire.Gone:
            os._exit(0)
        nonce = bytes(body[: wire.NONCE])
        try:
            name, args, kwargs = plain.unpacked(memoryview(body)[wire.NONCE :])
            answer = plain.packed(_found(module, name)(*args, **kwargs))
        except BaseException as error:
            _tell(channel, nonce, error)
        else:
            channel.send(wire.VALUE, nonce, answer)


def _import_installed(path: Path) -> None:
    """Import what the file imports of Python and of installed packages: that is no work of the candidate's."""
    here = Path.cwd()
    for name in _imported(path):
        with contextlib.suppress(Exception):
            spec = importlib.util.find_spec(name.partition(".")[0])
            origin = spec.origin if spec is not None else None
            if origin is not None and not Path(origin).is_relative_to(here):
                importlib.import_module(name)


def _imported(path: Path) -> Iterator[str]:
    with contextlib.suppress(Exception):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                yield node.module


def _module(path: Path, text: Path) -> types.ModuleType:
    """Run the file as the module that an import of it would give: by its name in its package, if it lies in one."""
    parts: list[str] = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    for each in dict.fromkeys([str(folder), str(Path.cwd())]):
        if each not in sys.path:
            sys.path.insert(0, each)
    name = ".".join(parts)
    if text == path and path.suffix == ".py":
        return importlib.import_module(name)
    if len(parts) > 1:
        importlib.import_module(".".join(parts[:-1]))
    module = types.ModuleType(name)
    module.__file__ = str(path)
    module.__package__ = ".".join(parts[:-1])
    sys.modules[name] = module
    exec(compile(text.read_bytes(), str(path), "exec"), module.__dict__)
    return module


def _found(module: types.ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _tell(channel: wire.Channel, nonce: bytes, error: BaseException) -> None:
    kind, said = _words(error)
    told = "".join(traceback.format_exception(type(error), error, error.__traceback__))[-4000:]
    body = {"type": kind, "message": said[:_LONGEST], "traceback": told}
    channel.send(wire.RAISED, nonce, json.dumps(body).encode())


def _words(error: BaseException) -> tuple[str, str]:
    try:
        return type(error).__name__, str(error)
    except BaseException:
        return "Exception", "(it can't be shown)"
