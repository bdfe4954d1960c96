"""The editable files of a commit as text."""

from __future__ import annotations

from bot.errors import UserError
from bot.loop.context import Context


def editable_files(context: Context, commit: str) -> dict[str, str]:
    """Return the editable files of a commit as text; those that it lacks are left out."""
    found: dict[str, str] = {}
    for path in context.config.editable:
        content = context.git.read_blob(commit, path)
        if content is not None:
            try:
                found[path] = content.decode()
            except UnicodeDecodeError:
                raise UserError(f"{path}: is not UTF-8 text: save it as UTF-8 and commit it") from None
    return found
