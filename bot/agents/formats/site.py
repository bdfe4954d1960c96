"""One place in a file where a value stands that could be another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["variable", "local", "field", "option", "setting", "data", "macro"]


@dataclass(frozen=True)
class Site:
    """A named value: `text[start:end]`, worth the Python literal `literal`.

    `name` is unique in the file: `LR`, `GPTConfig.n_layer`, `betas[0]`, `--lr`. `key` is the identifier by which
    code reads it, as far as it is one. `kind` says how: a module's variable, a function's local one, a class
    field, an option of a command line, an entry of a dictionary or keyword of a call, an entry of a data file
    (which anybody may read), or a constant of C and its kin. `comment` is what is said beside it, `choices` the
    Python literals that it may be, if that is said; `owner` is the class or function that it belongs to.
    """

    name: str
    start: int
    end: int
    literal: str
    key: str
    kind: Kind = "data"
    comment: str = ""
    choices: tuple[str, ...] = ()
    owner: str = ""


PLAIN_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"


def number_literal(text: str) -> str | None:
    """Return a plain decimal number as a Python literal, or None if `text` is none."""
    if not re.fullmatch(PLAIN_NUMBER, text):
        return None
    if re.fullmatch(r"[-+]?0\d+", text):
        return None  # 007 is a code, or octal
    return text.removeprefix("+")


def last_part(name: str) -> str:
    """Return the last component of a dotted name, without an index: `optim.betas[0]` -> `betas`."""
    return re.sub(r"(\[\d+\])+$", "", name).rpartition(".")[2].lstrip("-").replace("-", "_")
