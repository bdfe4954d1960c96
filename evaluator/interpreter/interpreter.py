"""A Python, asked once what it is and what it has; the answer is kept until something there changes."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluator.cache import cache_home
from evaluator.interpreter.start_failure import Unstartable, said_by, why_not
from evaluator.jail.credentials import is_credential

INSIDE = Path(__file__).resolve().parents[1] / "inside"
_PROBE = Path(__file__).with_name("probe.py")
_SECONDS = 60.0  # on a cold network disk a first start takes long
_FORMAT = 1


@dataclass(frozen=True)
class Interpreter:
    """What a Python says of itself. Versions are None for what it does not have.

    `library` is where its standard library lies, `path` are the folders that it imports from besides, `places`
    files and folders that editable installations lead single names to, `projects` those of them whose way is not
    known, `libraries` the folders of shared libraries that it has loaded. `user_base` is set if it imports
    what was installed for the user (`pip install --user`). `not_compiled` says which program of ours it can't run.
    """

    executable: Path
    version: tuple[int, ...]
    prefixes: tuple[str, ...] = ()
    library: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    user_base: str | None = None
    torch: str | None = None
    cuda: str | None = None
    numpy: str | None = None
    cloudpickle: str | None = None
    not_compiled: str | None = None
    modules: Mapping[str, bool] = field(default_factory=dict)

    @property
    def prefix(self) -> Path:
        return Path(self.prefixes[0]) if self.prefixes else self.executable.parent.parent

    @property
    def is_virtual(self) -> bool:
        """Whether it is a virtual environment's."""
        return (self.prefix / "pyvenv.cfg").is_file()

    @property
    def is_conda(self) -> bool:
        return (self.prefix / "conda-meta").is_dir()

    @property
    def release(self) -> str:
        """Its version as text, such as 3.12.1."""
        return ".".join(map(str, self.version))


def ask(
    executable: Path, *, folder: Path, modules: Sequence[str] = (), python_path: Sequence[str] = ()
) -> Interpreter:
    """Return what the Python at `executable` is, started in `folder` with `python_path` to import from besides.

    `modules` are looked for too, without importing them. Raises `Unstartable` if it can't be started.
    """
    facts = None if modules else _kept(executable, tuple(python_path))
    if facts is None:
        facts = _asked(executable, folder, modules, python_path)
        if not modules:
            _keep(executable, tuple(python_path), facts)
    return _interpreter(executable, facts)


def _interpreter(executable: Path, facts: Mapping[str, Any]) -> Interpreter:
    def paths(name: str) -> tuple[str, ...]:
        return tuple(str(each) for each in facts.get(name) or ())

    def text(name: str) -> str | None:
        return None if facts.get(name) is None else str(facts[name])

    return Interpreter(
        # A shim (pyenv, asdf) leads to another file than its own.
        executable=Path(facts.get("executable") or executable),
        version=tuple(int(each) for each in facts["version"]),
        prefixes=paths("prefixes"),
        library=paths("library"),
        path=paths("path"),
        places=paths("places"),
        projects=paths("projects"),
        libraries=paths("libraries"),
        user_base=text("user_base"),
        torch=text("torch"),
        cuda=text("cuda"),
        numpy=text("numpy"),
        cloudpickle=text("cloudpickle"),
        not_compiled=text("not_compiled"),
        modules=dict(facts.get("modules") or {}),
    )


@functools.lru_cache(maxsize=64)
def _asked_once(executable: str, folder: str, modules: tuple[str, ...], python_path: tuple[str, ...]) -> str:
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and not is_credential(name)
    }
    env["PYTHONIOENCODING"] = "utf-8"
    if python_path:
        env["PYTHONPATH"] = os.pathsep.join(python_path)
    command = [executable, "-B", str(_PROBE), str(INSIDE), *modules]
    try:
        done = subprocess.run(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unstartable(f"did not answer within {_SECONDS:g} seconds") from None
    except OSError as error:
        raise Unstartable(why_not(Path(executable), error)) from None
    if done.returncode:
        raise Unstartable(said_by(done.returncode, done.stderr))
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _asked(
    executable: Path, folder: Path, modules: Sequence[str], python_path: Sequence[str]
) -> dict[str, Any]:
    said = _asked_once(str(executable), str(folder), tuple(modules), tuple(python_path))
    try:
        facts = json.loads(said)
        _interpreter(executable, facts)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Unstartable(f"is no Python: asked what it is, it said {said[:80]!r}") from None
    assert isinstance(facts, dict)
    return facts


# --- the answers that are kept ---


def _kept(executable: Path, python_path: tuple[str, ...]) -> dict[str, Any] | None:
    """Return an earlier answer if nothing it depends on has changed since."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        said = json.loads(_place(executable, python_path).read_bytes())
        facts = said["facts"]
        if said["stamps"] == _stamps(executable, facts):
            _interpreter(executable, facts)
            assert isinstance(facts, dict)
            return facts
    return None


def _keep(executable: Path, python_path: tuple[str, ...], facts: Mapping[str, Any]) -> None:
    # A shim's answer depends on the folder and on variables too.
    if not _is_binary(executable):
        return
    place = _place(executable, python_path)
    with contextlib.suppress(OSError):  # a cache that can't be written costs time alone
        place.parent.mkdir(parents=True, exist_ok=True)
        scratch = place.with_name(f".{place.name}-{os.getpid()}")
        scratch.write_text(json.dumps({"stamps": _stamps(executable, facts), "facts": facts}))
        scratch.replace(place)


def _place(executable: Path, python_path: tuple[str, ...]) -> Path:
    key = hashlib.sha256(repr((_FORMAT, str(executable), python_path)).encode(errors="surrogateescape"))
    return cache_home() / "nocturne" / "pythons" / f"{key.hexdigest()[:32]}.json"


def _stamps(executable: Path, facts: Mapping[str, Any]) -> list[list[Any]]:
    """Return what changes with the answer: of the interpreter, of what is installed there, and of our question."""
    return [[str(path), *_stamp(path)] for path in _watched(executable, facts)]


def _watched(executable: Path, facts: Mapping[str, Any]) -> Iterable[Path]:
    yield executable
    yield from sorted((_PROBE, *INSIDE.glob("*.py")))
    for prefix in facts.get("prefixes") or ():
        yield Path(prefix) / "pyvenv.cfg"
    for folder in map(Path, facts.get("path") or ()):
        yield folder
        if folder.name in ("site-packages", "dist-packages"):
            yield from sorted(folder.glob("*.pth"))


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        found = path.stat()
        return str(path.resolve()), found.st_mtime_ns, found.st_size
    except OSError:
        return "", 0, 0


def _is_binary(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False
