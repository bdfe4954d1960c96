"""What lies in a user's repository beside what git holds: data and downloads, and what must never be shown."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

_GIT_SECONDS = 60.0
_MOST_LOOKED_AT = 100_000  # files and folders below one folder, the nearest first

# Of no use to a run: git's own, environments (those of other names hold a file that tells), caches, editors' and ours.
_NEEDLESS = re.compile(
    r"\.git|\.hg|\.svn|__pycache__|\.?venv|node_modules|\.(mypy|pytest|ruff)_cache|\.cache|\.tox|\.nox|\.eggs"
    r"|\.pixi|\.conda|\.direnv|\.ipynb_checkpoints|\.idea|\.vscode|.*\.egg-info|nocturne-(demo|run-.*)"
)
_TELLS_ENVIRONMENT = ("pyvenv.cfg", "conda-meta")
_SECRET = re.compile(
    r"\.env.*|.*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk|gpg|tfstate)|id_[^.]*(\.pub)?|[._]?netrc"
    r"|\.?(git-)?credentials?([._-].*)?|.*[._-]credentials?(\..*)?|\.?secrets?([._-].*)?"
    r"|.*[._-]secrets?\.(json|ya?ml|toml|txt|ini)|\.npmrc|\.pypirc|\.dockercfg|\.htpasswd|kubeconfig"
    r"|\.?((hf|api|access|auth|github|wandb)[._-]?)?(token|api[._-]?keys?)(\.(txt|json|ya?ml))?"
    r"|service[._-]account.*|passwords?(\..*)?|auth\.json|\.(ssh|aws|gnupg|azure|kube|docker|gcloud|huggingface)|\..*_history",
    re.IGNORECASE,
)
_OUTPUTS = re.compile(r"(out|output|checkpoint|ckpt|run|log|result|artifact)s?([-_.].*)?|wandb|mlruns")
_WEIGHTS = (".pt", ".pth", ".ckpt", ".safetensors", ".npz", ".pkl")


def is_needless(name: str) -> bool:
    """Whether a file or folder of this name is a cache, an environment, or somebody's own."""
    return _NEEDLESS.fullmatch(name) is not None


def is_secret(name: str) -> bool:
    """Whether a file or folder of this name looks as if it held credentials."""
    return _SECRET.fullmatch(name) is not None


def is_output(path: Path) -> bool:
    """Whether a relative path looks like what an earlier run has left behind."""
    return path.suffix == ".log" or any(_OUTPUTS.fullmatch(part) for part in path.parts[:-1])


def is_weights(path: Path) -> bool:
    """Whether a file of this name is likely to be read by one script and written anew by another."""
    return path.suffix in _WEIGHTS


def is_unfit(path: Path) -> bool:
    """Whether what lies at `path` is not to be shown to anybody: needless, secret, or an environment."""
    name = path.name
    if is_needless(name) or is_secret(name):
        return True
    return path.is_dir() and any(os.path.lexists(path / each) for each in _TELLS_ENVIRONMENT)


def unfit_below(folder: Path) -> Iterator[Path]:
    """Yield what must not be shown of `folder`, however deep it lies; what is near is looked at first."""
    left = _MOST_LOOKED_AT
    level = [folder]
    while level and left > 0:
        below: list[Path] = []
        for each in level:
            try:
                with os.scandir(each) as entries:
                    listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
            except OSError:
                continue
            left -= len(listed)
            for name, is_folder in listed:
                path = each / name
                if is_unfit(path) if is_folder else is_needless(name) or is_secret(name):
                    yield path
                elif is_folder:
                    below.append(path)
        level = below


def not_tracked(repository: Path, *, ignored: bool) -> list[Path] | None:
    """Return the files and folders below `repository` that git ignores, or else all that it does not track;
    relative paths, a folder standing for what it holds. None if git knows nothing of the folder."""
    chosen = ("--ignored", "--exclude-standard") if ignored else ()
    command = [
        *("git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false"),
        *("ls-files", "-z", "--others", "--directory", *chosen),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            command, cwd=repository, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=_GIT_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    names = (os.fsdecode(name).rstrip("/") for name in done.stdout.split(b"\0") if name)
    return [Path(name) for name in names if name not in ("", ".", "./")]
