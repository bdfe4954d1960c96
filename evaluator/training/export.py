"""The validation rows of a repository: exported once by its own prepare.py, then read from a cache.

The scorer holds these rows and never imports the repository's code. A cache entry is keyed by the text of
prepare.py, the number of tokens and the Python version; it is written aside and renamed, so that two at once
and one that is killed do no harm.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluator import proctree, scoring
from evaluator.crash import last_traceback
from evaluator.errors import UserError
from evaluator.log import clean

EXPORT_VERSION = 1
EXPORT_SECONDS = 1800.0

# Where the settings name no eval_tokens, the repository's EVAL_TOKENS are taken up to this many logits (8 GiB
# through the socket): autoresearch's own 21 million tokens would take longer to score than to train.
LOGITS_CAP = 1 << 31

_CHILD = Path(__file__).with_name("export_child.py")


@dataclass(frozen=True)
class Exported:
    """Validation rows: `inputs` and `targets` (rows, columns), `token_bytes` (vocabulary,).

    `time_budget` is the repository's own, `fingerprint` changes with anything a score depends on.
    """

    inputs: NDArray[np.int32]
    targets: NDArray[np.int32]
    token_bytes: NDArray[np.int32]
    time_budget: float
    prepare_fingerprint: str
    fingerprint: str


def cache_home() -> Path:
    """Return the user's cache folder, as the XDG specification finds it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())


def load_or_make(repo: Path, eval_tokens: int | None, *, again: bool = False) -> Exported:
    """Return the rows of the repository in `repo`, exporting them where the cache has none, or `again`.

    Raises `UserError` where torch or prepare.py is missing or prepare.py fails.
    """
    if importlib.util.find_spec("torch") is None:
        raise UserError(
            "torch is not installed, and training needs it: pip install nocturne[torch] into this Python"
        )
    if not (repo / "prepare.py").is_file():
        raise UserError(
            f"{repo}: no prepare.py: it gives data, tokenizer and metric (`nocturne-evaluator starter DIR`"
            " writes an example)"
        )
    folder = cache_home() / "nocturne" / "exports" / _key(repo, eval_tokens)
    if not again:
        found = _read(folder)
        if found is not None:
            return found
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".export-", dir=folder.parent))
    try:
        _run_child(repo, scratch, eval_tokens)
        made = _read(scratch)
        if made is None:
            raise UserError(f"{repo}/prepare.py: the validation rows could not be exported from it")
        _replace(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return made


def _key(repo: Path, eval_tokens: int | None) -> str:
    digest = hashlib.sha256((repo / "prepare.py").read_bytes())
    digest.update(repr((EXPORT_VERSION, LOGITS_CAP, eval_tokens, sys.version_info[:2])).encode())
    return digest.hexdigest()[:32]


def _read(folder: Path) -> Exported | None:
    """Return what `folder` holds, or None where it is missing or damaged."""
    try:
        raw = (folder / "meta.json").read_bytes()
        meta = json.loads(raw)
        arrays = [
            np.load(folder / f"{name}.npy", allow_pickle=False)
            for name in ("inputs", "targets", "token_bytes")
        ]
        digest = hashlib.sha256(f"{scoring.METRIC_VERSION} {meta['prepare_fingerprint']}".encode())
        for array in arrays:
            digest.update(f"{array.shape}".encode())
            digest.update(array.astype("<i4", casting="equiv").tobytes())
        return Exported(
            inputs=arrays[0],
            targets=arrays[1],
            token_bytes=arrays[2],
            time_budget=float(meta["time_budget"]),
            prepare_fingerprint=meta["prepare_fingerprint"],
            fingerprint=digest.hexdigest(),
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None


def _run_child(repo: Path, folder: Path, eval_tokens: int | None) -> None:
    command = [sys.executable, "-s", "-B", str(_CHILD), str(folder), str(eval_tokens or "-"), str(LOGITS_CAP)]
    keep = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_CACHE_HOME", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")
    try:
        done = subprocess.run(
            command,
            cwd=repo,
            env={name: os.environ[name] for name in keep if name in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=EXPORT_SECONDS,
            preexec_fn=proctree.in_new_process,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"{repo}/prepare.py: no validation rows after {EXPORT_SECONDS:g} seconds") from None
    if done.returncode:
        lines = clean(done.stdout.decode(errors="replace")).strip().splitlines()
        last = (last_traceback(lines, str(repo)) or "\n".join(lines)).strip().splitlines()[-1:]
        why = last[0][:300] if last else f"exit code {done.returncode}"
        raise UserError(
            f"{repo}/prepare.py: failed while its validation rows were exported: {why}"
            " (does `python prepare.py` work there?)"
        )


def _replace(scratch: Path, folder: Path) -> None:
    """Put `scratch` where `folder` is; where another process is faster, its rows are as good."""
    aside = Path(tempfile.mkdtemp(prefix=".old-", dir=folder.parent))
    try:
        try:
            folder.rename(aside)
        except FileNotFoundError:
            aside.rmdir()
        try:
            scratch.rename(folder)
        except OSError:
            if _read(folder) is None:
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
