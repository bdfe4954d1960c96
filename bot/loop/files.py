"""The editable files of a commit as text."""

from __future__ import annotations

from bot.errors import UserError
from bot.loop.desk import Desk


def editable_files(desk: Desk, commit: str) -> dict[str, str]:
    """Return the editable files of a commit as text; those that it lacks are left out."""
    found: dict[str, str] = {}
    for path in desk.config.editable:
        content = desk.git.read_blob(commit, path)
        if content is not None:
            try:
                found[path] = content.decode()
            except UnicodeDecodeError:
                raise UserError(f"{path}: is not UTF-8 text: save it as UTF-8 and commit it") from None
    return found
