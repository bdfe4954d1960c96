"""The bundled task: a small GPT on the standard library's source code, ready to copy into a repository."""

from __future__ import annotations

from pathlib import Path

from evaluator.errors import UserError

NAMES = ("train.py", "prepare.py", "program.md")
FOLDER = Path(__file__).parent / "starter"


def write(target: Path, *, force: bool) -> list[Path]:
    """Write the starter's files into `target`, which is made if it is missing; return their paths.

    Raises `UserError` if one of them is there and different, unless `force`; nothing is written then.
    """
    if not force:
        for name in NAMES:
            path = target / name
            if path.exists() and (not path.is_file() or path.read_bytes() != (FOLDER / name).read_bytes()):
                raise UserError(f"{path}: is there already and different; --force replaces it")
    target.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (target / name).write_bytes((FOLDER / name).read_bytes())
    return [target / name for name in NAMES]
