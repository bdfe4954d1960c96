"""The Python that the task runs with: what its jails are shown of it, and what they are told.

The repository itself is installed into its own environment often enough (`pip install -e .`, `uv sync`). Such an
installation leads to the user's checkout; in a run it must lead to the tree under test instead.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from evaluator.cache import cache_home
from evaluator.interpreter.interpreter import INSIDE, Interpreter
from evaluator.jail.python import python_paths, too_wide

_TOO_OLD = ("0", "1", "2")  # major versions of cloudpickle that our programs are not written for


@dataclass(frozen=True)
class TaskPython:
    """An interpreter, how it was found, and `checkout`, the user's folder that a run's tree is a copy of.

    `remarks` are what somebody should know of the search. `python_path` are the folders of PYTHONPATH, absolute."""

    interpreter: Interpreter
    found: str
    checkout: Path
    remarks: tuple[str, ...] = ()
    python_path: tuple[str, ...] = ()

    @property
    def executable(self) -> str:
        return str(self.interpreter.executable)

    def words(self, program: str, *arguments: object) -> list[str]:
        """Return the words that start one of our own programs in a jail."""
        user_site = [] if self.interpreter.user_base else ["-s"]
        brought = str(self._brought() or "-")
        return [
            *(self.executable, *user_site, "-B", str(INSIDE / "launch.py"), brought, program),
            *(str(each) for each in arguments),
        ]

    @functools.cached_property
    def shown(self) -> tuple[Path, ...]:
        """Return what a jail must show, read-only, so that this Python runs there, and our programs in it."""
        paths = [*python_paths(self.interpreter), *self._sources_elsewhere(), INSIDE]
        brought = self._brought()
        if brought is not None:
            paths.append(brought)
        if self._names_elsewhere():
            paths.append(self._names())
        uv = shutil.which("uv")
        if uv is not None:  # a file, and what it leads to
            paths += [Path(uv), Path(uv).resolve()]
        return tuple(dict.fromkeys(paths))

    def search_path(self, ours: str | None) -> str:
        """Return PATH for a jail: `ours`, with this Python as `python` and `python3` before all else."""
        first = [str(self._names())] if self._names_elsewhere() else []
        return os.pathsep.join([*first, str(self.interpreter.executable.parent), ours or os.defpath])

    def variables(self, tree: Path) -> dict[str, str]:
        """Return the variables that this Python needs in a jail in which `tree` stands for the user's checkout."""
        here = self.interpreter
        values: dict[str, str] = {}
        found = [*self._sources_in(tree), *(each for each in self.python_path if not self._is_ours(each))]
        if found:
            values["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(found))
        if here.user_base:
            values["PYTHONUSERBASE"] = here.user_base
        if here.is_virtual:
            values["VIRTUAL_ENV"] = str(here.prefix)
        elif here.is_conda:
            values["CONDA_PREFIX"] = str(here.prefix)
        return values | self._for_uv()

    def facts(self) -> dict[str, object]:
        """Return what to tell of it, as JSON."""
        here = self.interpreter
        return {
            "executable": self.executable,
            "version": here.release,
            "found": self.found,
            "torch": here.torch,
            "cuda": here.cuda,
            "numpy": here.numpy,
            "remarks": list(self.remarks),
            "modules": dict(here.modules),
        }

    def _for_uv(self) -> dict[str, str]:
        """Return what makes `uv run` take this Python as it is: no network, nothing installed, nothing resolved.

        https://docs.astral.sh/uv/reference/environment/
        """
        values = {"UV_OFFLINE": "1", "UV_NO_SYNC": "1", "UV_FROZEN": "1", "UV_PYTHON_DOWNLOADS": "never"}
        if (self.interpreter.prefix / "bin" / "python").exists():
            return values | {"UV_PROJECT_ENVIRONMENT": str(self.interpreter.prefix)}
        return values | {"UV_NO_PROJECT": "1", "UV_PYTHON": self.executable}

    def _brought(self) -> Path | None:
        """Return our own cloudpickle if this Python has none that will do: it is Python alone, and fits any."""
        theirs = self.interpreter.cloudpickle
        if theirs is not None and theirs.split(".")[0] not in _TOO_OLD:
            return None
        spec = find_spec("cloudpickle")
        places = list(spec.submodule_search_locations or ()) if spec is not None else []
        return Path(places[0]) if places else None

    # --- its names ---

    def _names_elsewhere(self) -> bool:
        """Whether `python` and `python3` beside the interpreter are missing, or another one."""
        ours = self.interpreter.executable.resolve()
        beside = [self.interpreter.executable.with_name(name) for name in ("python", "python3")]
        return any(not each.exists() or each.resolve() != ours for each in beside)

    def _names(self) -> Path:
        """Return a folder where `python` and `python3` are this Python, made if it is missing."""
        # Not below what jails hide of our cache.
        folder = cache_home() / "nocturne-python" / _hash(self.executable)
        text = f'#!/bin/sh\nexec "{self.executable}" "$@"\n'
        for name in ("python", "python3"):
            path = folder / name
            with contextlib.suppress(OSError):
                if path.read_text() == text:
                    continue
            folder.mkdir(parents=True, exist_ok=True)
            scratch = folder / f".{name}-{os.getpid()}"
            scratch.write_text(text)
            scratch.chmod(0o755)
            scratch.replace(path)
        return folder

    # --- what it imports from the repository, and from others ---

    def _sources(self) -> Iterator[Path]:
        """Yield the folders outside of the environment that it imports from, in order."""
        here = self.interpreter
        for each in (*here.path, *(str(Path(place).parent) for place in here.places), *here.projects):
            path = Path(each)
            if path.name not in ("site-packages", "dist-packages") and not any(
                path.is_relative_to(prefix) for prefix in here.prefixes
            ):
                yield path

    def _sources_in(self, tree: Path) -> list[str]:
        """Return what `tree` has in place of the folders of the user's checkout that it imports from."""
        found = []
        for path in self._sources():
            for checkout in (self.checkout, self.checkout.resolve()):
                if path.is_relative_to(checkout):
                    found.append(str(tree / path.relative_to(checkout)))
                    break
        return found

    def _sources_elsewhere(self) -> Iterator[Path]:
        """Yield what is to be shown of folders that lie outside of the user's checkout."""
        here = self.interpreter
        named = {Path(each) for each in here.places}
        for path in (*self._sources(), *named):
            if self._is_ours(str(path)) or too_wide(path) or any(each.parent == path for each in named):
                continue
            yield from _importable(path) if path.is_dir() and path not in named else [path]

    def _is_ours(self, path: str) -> bool:
        """Whether a path is the user's checkout, for which the tree stands, or Nocturne's own source."""
        real = Path(path).resolve()
        return real.is_relative_to(self.checkout.resolve()) or INSIDE.is_relative_to(real)


def _hash(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:32]


def _importable(folder: Path) -> Sequence[Path]:
    """Return what of a source folder can be imported: of a whole project not its data, and nothing hidden."""
    if not any((folder / name).exists() for name in ("pyproject.toml", "setup.py", ".git")):
        return [folder]
    return [
        each
        for each in sorted(folder.iterdir())
        if (each.is_file() and each.suffix in (".py", ".so", ".pth"))
        or (each.name.endswith((".egg-info", ".dist-info")))
        or (each.is_dir() and each.name.isidentifier() and _is_package(each))
    ]


def _is_package(folder: Path) -> bool:
    return any(next(folder.glob(pattern), None) is not None for pattern in ("*.py", "*/__init__.py"))
