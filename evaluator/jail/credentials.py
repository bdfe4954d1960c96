"""Credentials in the environment of this process and of those above it, which an unjailed candidate reads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from evaluator.errors import UserError

# The one list of secret names; `bot.base.redact` has the same. "TOKENIZERS_PARALLELISM" is no token, nor is an author.
_NAMES = re.compile(
    r"TOKEN(?!IZ)|SECRET|PASSW|PASSPHRASE|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIAL|WEBHOOK|AUTH(?!OR(?!IZ)|_SOCK)"
    r"|(?:^|_)(?<!GPG_)(?:KEY|PAT)$",
    re.IGNORECASE,
)


def is_credential(name: str) -> bool:
    """Whether a variable of this name holds a secret, as names go."""
    return _NAMES.search(name) is not None


def refuse_credentials() -> None:
    """Raise `UserError` naming the first variable found and its process, never what it holds.

    Looked at are the variables now, and those that this process and each one above it were started with,
    if /proc lets us read them: a candidate, being the same user, could read no more.
    """
    for process, environment in _environments():
        for name, value in environment.items():
            if value and is_credential(name):
                raise UserError(
                    f"jail: none is refused while credentials are in sight: {name} is in the environment of "
                    f"{process}; start without it (env -u {name} ...) or set jail to auto"
                )


def _environments() -> Iterator[tuple[str, Mapping[str, str]]]:
    yield f"this process ({os.getpid()})", os.environ
    process = os.getpid()
    while process > 0:
        yield f"process {process} ({_read(process, 'comm').strip()})", _started_with(process)
        process = _parent(process)


def _started_with(process: int) -> Mapping[str, str]:
    variables = (entry.partition("=") for entry in _read(process, "environ").split("\0"))
    return {name: value for name, _, value in variables}


def _parent(process: int) -> int:
    found = re.search(r"^PPid:\s*(\d+)", _read(process, "status"), re.MULTILINE)
    return int(found[1]) if found else 0


def _read(process: int, name: str) -> str:
    try:
        return Path("/proc", str(process), name).read_text(errors="replace")
    except OSError:
        return ""
