"""Runs one command of Nocturne with what the action's inputs say. All of them come by the environment, as text.

Whatever is not of its form ends the step with one line of error and exit code 2, before anything runs.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

HANDOVER = "nocturne-handover.json"
MOST_ATTEMPTS = 1_000_000
_CAMPAIGN = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE = re.compile(r"[0-9]{1,9}")


class BadInput(Exception):
    """An input that is not of its form: which, and what it must be."""


def main(environ: Mapping[str, str]) -> None:
    """Check the inputs, leave the handover where `decide` reads it, and become the command."""
    try:
        words = command(environ)
        if words[0] == "decide":
            leave_handover(environ)
    except BadInput as error:
        print(f"::error title=Nocturne::{error}", flush=True)
        sys.exit(2)
    program = str(Path(environ["NOCTURNE_BIN"]) / "nocturne")  # run.sh has found it
    os.execv(program, [program, *words])


def command(environ: Mapping[str, str]) -> list[str]:
    """Return the words of the command line."""
    name = environ.get("NOCTURNE_COMMAND", "")
    if name in ("iterate", "answer"):
        words = [name]
    elif name == "propose":
        words = [name, "--finish-first"]
    elif name in ("train", "decide"):
        number = whole(environ, "NOCTURNE_EXPERIMENT", "experiment", least=1)
        words = [name, str(number), "--handover", str(handover_path(environ))]
    elif name == "next":
        words = [name, "--attempt", str(next_attempt(environ))]
    elif name == "morning":
        words = [name, *dated(environ)]
    else:
        raise BadInput(f"command: {shown(name)} is none of iterate, propose, train, decide")
    campaign = environ.get("NOCTURNE_CAMPAIGN", "")
    if campaign and not _CAMPAIGN.fullmatch(campaign):
        raise BadInput(
            f"campaign: {shown(campaign)} is no name of a campaign: small letters, digits and hyphens"
        )
    return [*words, *(["--campaign", campaign] if campaign else [])]


def next_attempt(environ: Mapping[str, str]) -> int:
    """Return how many runs in a row ended without a training, this one among them."""
    attempt = whole(environ, "NOCTURNE_ATTEMPT", "attempt", least=0, absent=0)
    trained = environ.get("NOCTURNE_TRAINED", "")
    if trained not in ("true", "false", ""):
        raise BadInput(f"trained: {shown(trained)} is neither true nor false")
    return attempt + 1 if trained == "false" else 0


def dated(environ: Mapping[str, str]) -> list[str]:
    """Return the words that name the morning; none for today's."""
    date = environ.get("NOCTURNE_DATE", "")
    if date and not _DATE.fullmatch(date):
        raise BadInput(f"date: {shown(date)} is no date such as 2026-11-30")
    return ["--date", date] if date else []


def whole(
    environ: Mapping[str, str], variable: str, key: str, *, least: int, absent: int | None = None
) -> int:
    """Return the whole number of an input; `absent` is what an empty one means."""
    text = environ.get(variable, "")
    if not text and absent is not None:
        return absent
    if not _WHOLE.fullmatch(text) or not least <= int(text) <= MOST_ATTEMPTS:
        raise BadInput(f"{key}: {shown(text)} is no whole number from {least} to {MOST_ATTEMPTS}")
    return int(text)


def handover_path(environ: Mapping[str, str]) -> Path:
    return Path(needed(environ, "RUNNER_TEMP")) / HANDOVER


def leave_handover(environ: Mapping[str, str]) -> None:
    """Write what `train` handed over to its file; no file where it is empty."""
    text, path = environ.get("NOCTURNE_HANDOVER", ""), handover_path(environ)
    path.unlink(missing_ok=True)
    if text:
        path.write_text(text, encoding="utf-8", errors="surrogateescape")


def needed(environ: Mapping[str, str], variable: str) -> str:
    if not environ.get(variable):
        raise BadInput(f"{variable} is not set: use the action as its action.yml does")
    return environ[variable]


def shown(text: str) -> str:
    """Return a value for the message: in ASCII, on one line, and short, so that it is no command to the runner."""
    said = ascii(text)
    return (said if len(said) <= 80 else f"{said[:79]}...").replace("%", "%25")


if __name__ == "__main__":
    main(os.environ)
