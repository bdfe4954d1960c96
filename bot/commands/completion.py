"""`nocturne completion`: a script that makes a shell complete the commands and their options."""

from __future__ import annotations

import importlib


def run(*, shell: str) -> int:
    from bot.commands.cli import parser

    print(importlib.import_module("shtab").complete(parser(), shell))
    return 0
