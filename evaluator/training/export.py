"""The validation rows of a repository: exported once by its own prepare.py, then read from a cache.

The scorer holds these rows and never imports the repository's code. A cache entry is keyed by the text of
prepare.py, the number of tokens and the version of the task's Python; it is written aside and renamed, so that
two at once and one that is killed do no harm.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from evaluator.cache import cache_home
from evaluator.candidate import Candidate, bounds
from evaluator.crash import last_traceback
from evaluator.cuts import drawing
from evaluator.errors import UserError
from evaluator.heldout import windows
from evaluator.interpreter.task_python import TaskPython
from evaluator.jail.launch import Jail
from evaluator.job import source_of
from evaluator.log import Log
from evaluator.script import prepare_folder, script_path
from evaluator.settings import Settings
from evaluator.training import beside_prepare, file_systems, scoring
from evaluator.workspace import Source, Workspace, private_copy

EXPORT_VERSION = 5
EXPORT_SECONDS = 1800.0

# Where the settings name no eval_tokens, the repository's EVAL_TOKENS are taken up to this many logits (8 GiB
# through the buffer): autoresearch's own 21 million tokens would take longer to score than to train. How many that
# are is told with each score.
LOGITS_CAP = 1 << 31


@dataclass(frozen=True)
class Exported:
    """Validation rows: `inputs` and `targets` (rows, columns), `token_bytes` (vocabulary,), and the text that the
    loader gives behind them, `pool` (n, columns + 1).

    `time_budget` is the repository's own, `fingerprint` changes with anything a score depends on. `folder` also
    holds the index of the text that no candidate may read, windows.npz; `on_this_machine` says that copies of
    that text are likely to lie about. `eval_tokens` are scored, of `eval_tokens_of` that the repository itself would
    score.
    """

    inputs: NDArray[np.int32]
    targets: NDArray[np.int32]
    token_bytes: NDArray[np.int32]
    pool: NDArray[np.int32]
    time_budget: float
    prepare_fingerprint: str
    fingerprint: str
    folder: Path
    on_this_machine: bool
    eval_tokens_of: int

    @property
    def eval_tokens(self) -> int:
        return int(self.inputs.size)


def load_or_make(
    repo: Path, settings: Settings, jail: Jail, python: TaskPython, *, again: bool = False
) -> Exported:
    """Return the rows of the repository in `repo`, exporting them if the cache has none, or `again`.

    Raises `UserError` if prepare.py is missing or fails.
    """
    home = prepare_folder(repo, PurePosixPath(script_path(settings)))
    source = source_of(repo, settings)
    folder = cache_home() / "nocturne" / "exports" / _key(source, home, settings, python.interpreter.version)
    if not again:
        found = _read(folder)
        if found is not None:
            return found
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".export-", dir=folder.parent))
    try:
        _export(source, home, made, settings, jail, python)
        _index_texts(made)
        if _read(made) is None:
            raise UserError(f"{repo}/{home}/prepare.py: the validation rows could not be exported from it")
        _replace(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    found = _read(folder)
    if found is None:
        raise UserError(f"{folder}: can't be read back: free space there and try again")
    return found


def _key(source: Source, home: str, settings: Settings, version: tuple[int, ...]) -> str:
    digest = hashlib.sha256((source.repo / home / "prepare.py").read_bytes())
    digest.update(repr((EXPORT_VERSION, windows.FORMAT, LOGITS_CAP, settings.eval_tokens, version)).encode())
    for line in beside_prepare.signature(source, settings):
        digest.update(f"\0{line}".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def _read(folder: Path) -> Exported | None:
    """Return what `folder` holds, or None if it is missing or damaged."""
    try:
        if not (folder / "windows.npz").is_file():
            return None
        raw = (folder / "meta.json").read_bytes()
        meta = json.loads(raw)
        arrays = [
            np.load(folder / f"{name}.npy", allow_pickle=False)
            for name in ("inputs", "targets", "token_bytes", "pool")
        ]
        digest = hashlib.sha256(f"{scoring.METRIC_VERSION} {meta['prepare_fingerprint']}".encode())
        for array in arrays[:3]:
            digest.update(f"{array.shape}".encode())
            digest.update(array.astype("<i4", casting="equiv").tobytes())
        return Exported(
            inputs=arrays[0],
            targets=arrays[1],
            token_bytes=arrays[2],
            pool=arrays[3],
            time_budget=float(meta["time_budget"]),
            prepare_fingerprint=meta["prepare_fingerprint"],
            fingerprint=digest.hexdigest(),
            folder=folder,
            on_this_machine=bool(meta["on_this_machine"]),
            eval_tokens_of=int(meta["eval_tokens_of"]),
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None


def _export(
    source: Source, home: str, made: Path, settings: Settings, jail: Jail, python: TaskPython
) -> None:
    """Run the prepare.py in the folder `home` in its jail, where it may build its own cache and fill `made`."""
    with private_copy(source, short=jail.in_place) as space:
        _run_export(space, home, made, settings, jail, python)


def _run_export(
    space: Workspace, home: str, made: Path, settings: Settings, jail: Jail, python: TaskPython
) -> None:
    repo = space.repository / home
    log = Log()
    arguments = (made, settings.eval_tokens or "-", LOGITS_CAP, drawing.pool_tokens())
    file_system = file_systems.of_data_jail(space, settings, jail, python, "export", writable=(cache_home(),))
    folder = file_systems.working_folder(file_system)
    process = Candidate(
        python.words("export_rows", *arguments),
        jail=jail,
        file_system=file_system,
        folder=folder / home,
        env=file_systems.data_environment(python, folder) | {"TMPDIR": str(file_system.scratch)},
        log=log,
        bounds=bounds(settings),
    )
    until = time.monotonic() + EXPORT_SECONDS
    try:
        while process.returncode is None:
            process.listen(0.1)
            if time.monotonic() > until:
                raise UserError(f"{repo}/prepare.py: no validation rows after {EXPORT_SECONDS:g} seconds")
        process.drain()
    finally:
        process.close()
    if process.returncode:
        lines = list(log.lines)
        last = (last_traceback(lines, str(folder)) or "\n".join(lines)).strip().splitlines()[-1:]
        why = last[0][:300] if last else f"exit code {process.returncode}"
        raise UserError(
            f"{repo}/prepare.py: failed while its validation rows were exported: {why}"
            " (does `python prepare.py` work there? data outside the cache folder is named in"
            " `evaluator: {data: [...]}`)"
        )


def _index_texts(made: Path) -> None:
    """Turn the texts that prepare.py left into what a leak is recognized by, and drop them."""
    texts = []
    for name in ("held_out.txt", "training.txt"):
        path = made / name
        texts.append([text for text in path.read_bytes().split(b"\0") if text] if path.is_file() else [])
        path.unlink(missing_ok=True)
    windows.build(*texts).save(made / "windows.npz")


def _replace(scratch: Path, folder: Path) -> None:
    """Put `scratch` where `folder` is; if another process is faster, its rows are as good."""
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
