"""The files and log lines by which a step speaks to the runner of GitHub Actions.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

SUMMARY_LIMIT = 1 << 20  # bytes of one step
_COMMAND = re.compile(r"(?m)^(\s*):(?=:)|##(?=\[)")


def set_outputs(environ: Mapping[str, str], outputs: Mapping[str, object]) -> None:
    """Set outputs of this step; nothing happens outside of Actions. True and False are written in lower case."""
    path = environ.get("GITHUB_OUTPUT")
    if not path:
        return
    lines = []
    for name, value in outputs.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        mark = f"end-{secrets.token_hex(16)}"  # nobody's text can end the value early
        lines += [f"{name}<<{mark}", text, mark]
    _append(path, "\n".join(lines) + "\n")


def add_summary(environ: Mapping[str, str], markdown: str) -> None:
    """Add to the job's summary page, as far as there is room; nothing happens outside of Actions."""
    path = environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    held = Path(path).stat().st_size if Path(path).exists() else 0
    if held + len(markdown.encode(errors="replace")) + 1 < SUMMARY_LIMIT:
        _append(path, markdown.rstrip("\n") + "\n\n")


def harmless(text: str) -> str:
    """Return `text` so that no line of it is a command to the runner."""
    return _COMMAND.sub(lambda found: f"{found[1]}\u2236" if found[0].endswith(":") else "#\u200b#", text)


def command(name: str, text: str, **properties: str) -> str:
    """Return the line that gives the runner a command, such as `::error title=Nocturne::text`."""
    given = ",".join(f"{key}={_escaped(value, more=True)}" for key, value in properties.items())
    return f"::{name}{' ' if given else ''}{given}::{_escaped(text)}"


def _escaped(text: str, *, more: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if more else text


def _append(path: str, text: str) -> None:
    with Path(path).open("a", encoding="utf-8", errors="replace", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
