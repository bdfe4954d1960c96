"""Package caches of this machine: models and kernels of hubs, tokenizers. A candidate sees them, read-only.

Each is found where its own package looks for it (the variables that name it, else the folders below the user's
home), is shown where it lies, and is linked into the jail's home, which is where the same packages look for it
there: a folder that they may write to, so that their locks and notes find a place. Data sets are left out.

Sources: huggingface_hub's constants and its guide to the cache, kernels' hf_hub.py and load.py, torch.hub.get_dir,
tiktoken's load.py.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluator.cache import cache_home

_KINDS = ("models--", "kernels--")
_DATA_KINDS = ("datasets--", "spaces--")
_MOST = 200  # of each: every one is a mount of its own

# Places below the jail's home.
_HUB = ".cache/huggingface/hub"
_KERNELS = ".cache/kernels"
_TORCH_HUB = ".cache/torch/hub"
_TIKTOKEN = ".cache/tiktoken"
_DATASETS = ".cache/huggingface/datasets"

_HUB_VARIABLES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE", "SENTENCE_TRANSFORMERS_HOME")


@dataclass(frozen=True)
class Caches:
    """`shown` are files and folders to bind where they lie, `links` lead there from places below a home."""

    shown: tuple[Path, ...]
    links: tuple[tuple[str, Path], ...]


def found(*, datasets: bool = False) -> Caches:
    """Return what lies in this user's caches; data sets only if they are asked for."""
    shown: dict[Path, None] = {}
    links: dict[str, Path] = {}
    for place, path in _entries(datasets):
        if path.exists():
            links.setdefault(place, path)
            shown.update(dict.fromkeys([path, *_shared_blobs(path)]))
    for word in os.environ.get("LOCAL_KERNELS", "").split(":"):
        path = Path(word.partition("=")[2])
        if path.is_absolute() and path.exists():
            shown[path] = None
    return Caches(tuple(shown), tuple(links.items()))


def environment(home: Path, *, offline: bool) -> dict[str, str]:
    """Return the variables that name caches below `home`, and those that keep packages from the network if
    there is none."""
    hub = str(home / _HUB)
    cache = home / ".cache"
    values = {
        "HF_HOME": str(cache / "huggingface"),
        "HF_HUB_CACHE": hub,
        "HF_MODULES_CACHE": str(cache / "huggingface" / "modules"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TORCH_HOME": str(cache / "torch"),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "torchinductor"),
        "TRITON_CACHE_DIR": str(cache / "triton"),
        "TORCH_EXTENSIONS_DIR": str(cache / "torch_extensions"),
        "CUDA_CACHE_PATH": str(cache / "nv"),
        "NUMBA_CACHE_DIR": str(cache / "numba"),
        "MPLCONFIGDIR": str(cache / "matplotlib"),
        "TIKTOKEN_CACHE_DIR": str(home / _TIKTOKEN),
        "UV_CACHE_DIR": str(cache / "uv"),
    }
    values |= {name: hub for name in _HUB_VARIABLES[2:] if name in os.environ}
    if "KERNELS_CACHE" in os.environ:
        values["KERNELS_CACHE"] = str(home / _KERNELS)
    if "LOCAL_KERNELS" in os.environ:
        values["LOCAL_KERNELS"] = os.environ["LOCAL_KERNELS"]
    switches = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "UV_OFFLINE")
    values |= {name: os.environ[name] for name in switches if name in os.environ}
    if offline:
        values |= dict.fromkeys(switches, "1")
        values |= {"UV_NO_SYNC": "1", "UV_PYTHON_DOWNLOADS": "never", "WANDB_MODE": "disabled"}
    return values


def handed_on() -> dict[str, str]:
    """Return the variables of our own that name caches, for a process that sees them where they lie."""
    names = ("HF_HOME", *_HUB_VARIABLES, "HF_DATASETS_CACHE", "KERNELS_CACHE", "LOCAL_KERNELS", "TORCH_HOME")
    return {name: os.environ[name] for name in (*names, "TIKTOKEN_CACHE_DIR") if name in os.environ}


def folders() -> tuple[Path, ...]:
    """Return the whole caches, data sets among them, for a process that may see those."""
    return tuple(
        dict.fromkeys(
            [
                _huggingface(), *_hubs(), _huggingface() / "datasets", *_named("HF_DATASETS_CACHE"),
                *_named("KERNELS_CACHE"), _torch(), *_tiktoken(), *found().shown,
            ]
        )
    )  # fmt: skip


def _entries(datasets: bool) -> Iterator[tuple[str, Path]]:
    """Yield places below a home, and what they stand for here."""
    kinds = _KINDS + _DATA_KINDS if datasets else _KINDS
    for hub in _hubs():
        for path in _newest(hub):
            if path.name.startswith(kinds) and path.is_dir():
                yield f"{_HUB}/{path.name}", path
    for folder in _named("KERNELS_CACHE"):
        for path in _newest(folder):
            if path.name.startswith(_KINDS) and path.is_dir():
                yield f"{_KERNELS}/{path.name}", path
    for path in _newest(_torch() / "hub"):
        # The list of who is trusted is written to.
        if path.name != "trusted_list":
            yield f"{_TORCH_HUB}/{path.name}", path
    for folder in _tiktoken():
        for path in _newest(folder):
            if path.is_file():
                yield f"{_TIKTOKEN}/{path.name}", path
    if datasets:
        for folder in (*_named("HF_DATASETS_CACHE"), _huggingface() / "datasets"):
            yield _DATASETS, folder


def _shared_blobs(repository: Path) -> Iterator[Path]:
    """Yield files outside of a hub's folder of one repository that its blobs are links to: several repositories
    may share them (huggingface_hub's utils/_shared_blobs.py)."""
    hub = repository.parent.resolve()
    for blob in _newest(repository / "blobs"):
        if blob.is_symlink():
            real = blob.resolve()
            if real.is_relative_to(hub) and not real.is_relative_to(repository.resolve()) and real.is_file():
                yield real


def _newest(folder: Path) -> list[Path]:
    """Return what a folder holds, the newest first, and no more than can be shown one by one."""
    try:
        listed = [(path.lstat().st_mtime, path) for path in folder.iterdir()]
    except OSError:
        return []
    return [path for _, path in sorted(listed, reverse=True)[:_MOST]]


def _named(variable: str) -> list[Path]:
    value = os.environ.get(variable)
    return [Path(value).expanduser()] if value and Path(value).expanduser().is_absolute() else []


def _huggingface() -> Path:
    return (_named("HF_HOME") or [cache_home() / "huggingface"])[0]


def _hubs() -> list[Path]:
    """Return the folders that hold hubs' repositories: what is named, and where a script may look by itself."""
    named = [path for variable in _HUB_VARIABLES for path in _named(variable)]
    usual = [_huggingface() / "hub", Path("~/.cache/huggingface/hub").expanduser()]
    return list(dict.fromkeys([*named, *usual]))


def _torch() -> Path:
    return (_named("TORCH_HOME") or [cache_home() / "torch"])[0]


def _tiktoken() -> list[Path]:
    usual = [Path(tempfile.gettempdir(), "data-gym-cache"), Path("/tmp/data-gym-cache")]
    return [*_named("TIKTOKEN_CACHE_DIR"), *_named("DATA_GYM_CACHE_DIR"), *usual]
