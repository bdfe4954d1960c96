"""Where files stand beside the events: a commit writes the folders on its way anew, so none grows for ever."""

from __future__ import annotations

import re

_NUMBERED = re.compile(r"(experiments|revisions)/(\d{3,})(\d{3})(?=[-/])")


def spread(path: str) -> str:
    """Return where a file of the campaign's folder stands.

    Logs are divided by how their run's name begins, and what is kept of experiments by thousands. The first thousand
    stand where earlier versions looked for all of them.
    """
    folder, _, name = path.partition("/")
    if folder == "logs":
        return f"logs/{name[:2]}/{name}"
    found = _NUMBERED.match(path)
    if found is None or not int(found[2]):
        return path
    return f"{found[1]}/{found[2]}/{path.removeprefix(found[1] + '/')}"
