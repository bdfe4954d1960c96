"""Real environments for the tests, made cheaply: what they have is led to, not installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from evaluator.interpreter.interpreter import Interpreter, ask
from evaluator.interpreter.task_python import TaskPython
from evaluator.jail.python import python_paths

ROOT = Path(__file__).resolve().parents[2]
# What torch and numpy need, and nothing else: no cloudpickle above all.
TO_TRAIN = (
    *("torch", "torchgen", "functorch", "numpy", "numpy.libs", "typing_extensions.py", "sympy", "mpmath"),
    *("networkx", "jinja2", "markupsafe", "filelock", "fsspec", "setuptools"),
)

_NO_TORCH = {
    "version": "__version__ = '2.13.0'\n",
    "__init__": """
class Tensor:
    cuda = pin_memory = to = None
class cuda:
    is_available = staticmethod(lambda: False)
def set_num_threads(count):
    pass
""",
    "library": "class Library: pass\n",
    "optim": "",
    "overrides": """
import contextlib
class TorchFunctionMode(contextlib.AbstractContextManager):
    def __exit__(self, *error):
        pass
""",
}


def running() -> Interpreter:
    """Return the Python that runs the tests."""
    return ask(Path(sys.executable), folder=Path("/"))


def running_paths() -> tuple[Path, ...]:
    return python_paths(running())


def running_task(checkout: Path) -> TaskPython:
    """Return the Python that runs the tests, as that of a task."""
    return TaskPython(running(), "the tests", checkout)


def environment(
    folder: Path, *, names: Iterable[str] | None = None, without: tuple[str, ...] = (), ours: bool = False
) -> Path:
    """Make a virtual environment with links to those packages that the tests have and that are `names` (all where
    None), but none that begins with one of `without`; with `ours` Nocturne is installed there as in a checkout.

    Return its interpreter.
    """
    command = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    site = next((folder / "lib").glob("python3*")) / "site-packages"
    left_out = ("__pycache__", "_nocturne", "_editable", "nocturne", "__editable__", *without)
    for entry in Path(next(path for path in sys.path if path.endswith("site-packages"))).iterdir():
        wanted = names is None or entry.name in names or _of_dist(entry.name, names)
        if wanted and not entry.name.startswith(left_out):
            (site / entry.name).symlink_to(entry)
    if ours:
        (site / "nocturne.pth").write_text(f"{ROOT}\n")
    return folder / "bin" / "python"


def without_torch(folder: Path) -> Path:
    """Make an environment with a torch that is imported in no time and can do nothing: all that a run needs up to the
    first line of a candidate that trains nothing. Validation rows must be there, see `tests.evaluator.runs.prepared`.
    """
    python = environment(folder, names=("numpy", "numpy.libs", "cloudpickle"))
    package = site_of(python) / "torch"
    package.mkdir()
    for name, text in _NO_TORCH.items():
        (package / f"{name}.py").write_text(text)
    return python


def bot_environment(folder: Path) -> Path:
    """Make an environment as `uv tool install nocturne` does: all that we need, and no torch."""
    python = environment(folder, without=("torch", "functorch", "triton", "nvidia"), ours=True)
    (folder / "uv-receipt.toml").write_text("")
    return python


def _of_dist(name: str, names: Iterable[str]) -> bool:
    return name.endswith(".dist-info") and name.split("-")[0] in names


def conda_environment(folder: Path) -> Path:
    """Make an environment as conda does: a whole Python of its own, with `conda-meta`, and no pyvenv.cfg."""
    release = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    base = Path(sys.base_prefix)
    (folder / "conda-meta").mkdir(parents=True)
    (folder / "bin").mkdir()
    skipped = shutil.ignore_patterns("site-packages", "test", "idlelib", "__pycache__", "config-*")
    shutil.copytree(
        base / "lib" / release, folder / "lib" / release, symlinks=True, ignore=skipped, copy_function=_link
    )
    (folder / "lib" / release / "site-packages").mkdir()
    shutil.copy2(Path(sys.executable).resolve(), folder / "bin" / release)
    for name in ("python", "python3"):
        (folder / "bin" / name).symlink_to(release)
    return folder / "bin" / "python"


def site_of(python: Path) -> Path:
    """Return the site-packages of an environment."""
    return next((python.parent.parent / "lib").glob("python3*")) / "site-packages"


def other_pythons() -> list[Path]:
    """Return Pythons of other versions that this machine happens to have, one of each."""
    found: dict[str, Path] = {}
    for minor in range(10, 20):
        name = f"python3.{minor}"
        places = [
            shutil.which(name),
            *map(str, Path("~/.pyenv/versions").expanduser().glob(f"3.{minor}.*/bin/{name}")),
        ]
        real = [Path(each) for each in places if each and "shims" not in each]
        if real and minor != sys.version_info[1]:
            found[name] = real[0]
    return list(found.values())


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
