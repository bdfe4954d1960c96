"""Writes the data, once, before the first commit: names of built-in functions, and whose language has them.

They come from the word lists that Pygments ships for its lexers. Half of the names are for training
(train.tsv, with answers); of the other half candidates see the names only (names.txt). The answers lie in exam/,
which the configuration lists under `data`.
"""

import hashlib
from pathlib import Path

from pygments.lexers import (
    _asy_builtins,
    _cl_builtins,
    _csound_builtins,
    _php_builtins,
    _scheme_builtins,
    _scilab_builtins,
    _sourcemod_builtins,
    _stan_builtins,
)

LISTS = {
    "asymptote": _asy_builtins.ASYFUNCNAME,
    "csound": _csound_builtins.OPCODES,
    "lisp": _cl_builtins.BUILTIN_FUNCTIONS,
    "php": [name for names in _php_builtins.MODULES.values() for name in names],
    "scheme": _scheme_builtins.scheme_builtins,
    "scilab": _scilab_builtins.functions_kw,
    "sourcemod": _sourcemod_builtins.FUNCTIONS,
    "stan": _stan_builtins.FUNCTIONS,
}

owners: dict[str, set[str]] = {}
for language, names in LISTS.items():
    for name in names:
        owners.setdefault(str(name), set()).add(language)
rows = sorted(
    (hashlib.sha256(name.encode()).hexdigest(), name, min(languages))
    for name, languages in owners.items()
    if len(languages) == 1
)
half = len(rows) // 2
Path("exam").mkdir(exist_ok=True)
Path("train.tsv").write_text("".join(f"{language}\t{name}\n" for _, name, language in rows[:half]))
Path("names.txt").write_text("".join(f"{name}\n" for _, name, _ in rows[half:]))
Path("exam/answers.txt").write_text("".join(f"{language}\n" for _, _, language in rows[half:]))
