"""What a run may use and how it is judged: frozen data, read strictly from a mapping."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from evaluator.errors import UserError
from evaluator.kinds import NAMES, kind_of

VERSION = 1
LOGITS = ("auto", "copied", "read")
JAILS = ("auto", "bubblewrap", "landlock", "none")
LARGEST_FACTOR = 100  # of an audit


@dataclass(frozen=True)
class Budget:
    """How long a candidate may train: `amount` in the unit of `kind` (wall or cpu seconds, or steps).

    `amount` None stands for the TIME_BUDGET of the repository's prepare.py.
    """

    kind: str = "wall"
    amount: float | None = None


@dataclass(frozen=True)
class Metric:
    """What is measured. `pattern` is a regular expression with one group that finds the number in what a command
    prints; `take` says which of several counts: last, min or max."""

    name: str = "val_bpb"
    direction: str = "minimize"
    pattern: str | None = None
    take: str = "last"


@dataclass(frozen=True)
class Settings:
    """Everything about a run that is not in the repository. Times in seconds, memory in MiB.

    `startup_seconds` is free before the first batch, and the end of it; None takes what the reference needed.
    `warmup_seconds` of a training are not counted; None takes what the reference needed beyond its budget.
    `eval_tokens` None stands for the repository's EVAL_TOKENS up to a cap (see `evaluator.training.export`), "all"
    for all of them.
    `train` is the script that is trained, where it is not plain from `editable`; `launch` are the words of a program
    that starts it, such as torchrun.
    `logits` are "copied" out of the jail, or "read" on the GPU by a process of ours; "auto" reads them if a trial on
    this machine has given the same score (`nocturne-evaluator reader`).
    `timeout_seconds` bounds a command, and a training whose budget counts steps.
    `data` are files and folders that only the repository's own prepare.py or `command` may read, besides the cache
    folder; `read` are those that a candidate may read too. Both are relative to `repository`, or absolute.
    `scratch_mb` and `memory_mb` None stand for a share of the machine's memory.
    `call` are files whose functions `command` calls by `nocturne_candidate`: they run in jails of their own, and
    `command` sees no file that is editable. `reference` are texts of editable files by their paths, for what is timed
    against them; where there are none, the tree's own stand for it.
    `produce` is run before `command`, on the candidate's side; `command` then measures what it left behind,
    `repeats` times, and the median counts.
    `python` names the Python that the task runs with: a path, relative to the user's repository, the folder of
    an environment, or a name on PATH; None finds one (`evaluator.interpreter.choice`).
    `repository` is the user's checkout if the tree under test is another folder; the bot says so.
    `cuts` is how many places are cut whose target no run is shown (`evaluator.cuts`), if whoever calls keeps a secret
    for them; None stands for as many as cost a quarter of the exam, 0 for none.
    `min_effect` is the smallest difference in score that counts: the causality audit is four times sharper.
    `audit_factor` is how many times the usual number of positions it asks again, at most 100: the bot says so before a
    promotion, and if somebody appeals.
    """

    version: int = VERSION
    kind: str = "train"
    budget: Budget = field(default_factory=Budget)
    startup_seconds: float | None = None
    warmup_seconds: float | None = None
    evaluation_seconds: float = 120.0
    timeout_seconds: float = 600.0
    threads: int | None = None
    eval_tokens: int | str | None = None
    logits: str = "auto"
    cuts: int | None = None
    memory_mb: int | None = None
    scratch_mb: int | None = None
    processes: int = 512
    jail: str = "auto"
    data: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    min_effect: float = 0.001
    audit_factor: int = 1
    produce: tuple[str, ...] = ()
    call: tuple[str, ...] = ()
    reference: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    repeats: int = 1
    metric: Metric = field(default_factory=Metric)
    editable: tuple[str, ...] = ("train.py",)
    python: str | None = None
    repository: str | None = None
    train: str | None = None
    launch: tuple[str, ...] = ()


def load(repo: Path, source: str | None) -> Settings:
    """Read settings from `source` (a JSON or YAML file, "-" for standard input).

    Where it is None, they come from the key `evaluator` of the repository's .github/nocturne.yml, or else
    they are the defaults.

    Raises `UserError` naming the file and the key.
    """
    if source == "-":
        return parse(_decode(sys.stdin.read(), "standard input"), "standard input")
    path = Path(source) if source else repo / ".github" / "nocturne.yml"
    if source is None and not path.is_file():
        return Settings()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: can't be read: {error}") from None
    raw = _decode(text, str(path))
    if source is None:
        if not isinstance(raw, Mapping):
            raise UserError(f"{path}: must be a mapping of keys to values")
        return parse(_of_campaign(raw, path), f"{path}: evaluator")
    return parse(raw, str(path))


def _of_campaign(raw: Mapping[Any, Any], path: Path) -> object:
    """Return what a campaign's configuration says to the evaluator: guards and rungs are the bot's alone."""
    given = raw.get("evaluator") or {}
    if not isinstance(given, Mapping):
        return given
    mine = {key: value for key, value in given.items() if key not in ("guards", "rungs")}
    if "editable" in raw:
        mine["editable"] = raw["editable"]
    rule = raw.get("verdict")
    if isinstance(rule, Mapping) and rule.get("min_effect"):
        mine["min_effect"] = rule["min_effect"]
    return mine


def parse(raw: object, where: str) -> Settings:
    """Turn a mapping into settings; `where` begins the message of the `UserError` that a bad key causes."""
    given = _mapping(raw, where, Settings)
    values: dict[str, Any] = {}
    for key, value in given.items():
        values[key] = _PARSERS[key](value, f"{where}: {key}")
    if "train" in values and values["train"] is not None and "editable" not in values:
        values["editable"] = (values["train"],)
    settings = Settings(**values)
    if settings.version != VERSION:
        raise UserError(
            f"{where}: version: {settings.version} is not known here; this evaluator knows {VERSION}"
        )
    kind_of(settings.kind).check(settings, where)
    return settings


def _decode(text: str, where: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        import yaml  # costs 20 ms, and JSON is what the bot sends

        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UserError(f"{where}: neither JSON nor YAML: {error}") from None


def _mapping(raw: object, where: str, shape: type) -> Mapping[str, object]:
    if not isinstance(raw, Mapping):
        raise UserError(f"{where}: must be a mapping of keys to values, not {_named(raw)}")
    known = [each.name for each in fields(shape)]
    for key in raw:
        if key not in known:
            raise UserError(f"{where}: {key}: unknown key; known are {', '.join(known)}")
    return raw


def _named(value: object) -> str:
    return "nothing" if value is None else repr(value)[:60]


def _number(value: object, where: str, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < 1e9:
        raise UserError(f"{where}: must be a number of at least {least:g}, not {_named(value)}")
    return float(value)


def _positive(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise UserError(f"{where}: must be a number greater than 0, not {_named(value)}")
    return float(value)


def _count(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**40:
        raise UserError(f"{where}: must be a whole number of at least 1, not {_named(value)}")
    return value


def _factor(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST_FACTOR:
        raise UserError(f"{where}: must be a whole number from 1 to {LARGEST_FACTOR}, not {_named(value)}")
    return value


def _choice(value: object, where: str, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise UserError(f"{where}: must be one of {', '.join(choices)}, not {_named(value)}")
    return value


def _jail(value: object, where: str) -> str:
    if value == "namespaces":
        print(f"{where}: namespaces is bubblewrap now: write `jail: bubblewrap`", file=sys.stderr)
        value = "bubblewrap"
    return _choice(value, where, JAILS)


def _name(value: object, where: str) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise UserError(f"{where}: must be a text that is not empty, not {_named(value)}")
    return value


def _names(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise UserError(f"{where}: must be a list of texts, not {_named(value)}")
    return tuple(_name(each, where) for each in value)


def _budget(value: object, where: str) -> Budget:
    given = _mapping(value, where, Budget)
    amount = given.get("amount")
    return Budget(
        kind=_choice(given.get("kind", "wall"), f"{where}: kind", ("wall", "cpu", "steps")),
        amount=None if amount is None else _positive(amount, f"{where}: amount"),
    )


def _metric(value: object, where: str) -> Metric:
    given = _mapping(value, where, Metric)
    return Metric(
        name=_name(given.get("name", "val_bpb"), f"{where}: name"),
        direction=_choice(
            given.get("direction", "minimize"), f"{where}: direction", ("minimize", "maximize")
        ),
        pattern=None if given.get("pattern") is None else _pattern(given["pattern"], f"{where}: pattern"),
        take=_choice(given.get("take", "last"), f"{where}: take", ("last", "min", "max")),
    )


def _tokens(value: object, where: str) -> int | None:
    if isinstance(value, str):
        raise UserError(f"{where}: must be a whole number or all, not {_named(value)}")
    return _optional_count(value, where)


def _inside(value: object, where: str) -> str:
    path = PurePosixPath(_name(value, where))
    if path.is_absolute() or ".." in path.parts:
        raise UserError(f"{where}: must be a path inside the repository, not {_named(value)}")
    return str(path)


def _texts(value: object, where: str) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in value.values()):
        raise UserError(f"{where}: must be a mapping of paths to texts, not {_named(value)}")
    return {_inside(path, where): text for path, text in value.items()}


def _pattern(value: object, where: str) -> str:
    text = _name(value, where)
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise UserError(f"{where}: is no regular expression: {error}") from None
    if groups != 1:
        raise UserError(
            f"{where}: must have one group, around the number, such as 'loss ([0-9.]+)', not {groups}"
        )
    return text


def _optional_count(value: object, where: str) -> int | None:
    return None if value is None else _count(value, where)


_PARSERS: dict[str, Any] = {
    "version": _count,
    "kind": lambda value, where: _choice(value, where, NAMES),
    "budget": _budget,
    "startup_seconds": lambda value, where: None if value is None else _positive(value, where),
    "warmup_seconds": lambda value, where: None if value is None else _number(value, where, 0.0),
    "evaluation_seconds": _positive,
    "timeout_seconds": _positive,
    "threads": _optional_count,
    "eval_tokens": lambda value, where: value if value == "all" else _tokens(value, where),
    "logits": lambda value, where: _choice(value, where, LOGITS),
    "cuts": lambda value, where: 0 if value == 0 and value is not False else _optional_count(value, where),
    "memory_mb": _optional_count,
    "scratch_mb": _optional_count,
    "processes": _count,
    "jail": _jail,
    "data": _names,
    "read": _names,
    "min_effect": _positive,
    "audit_factor": _factor,
    "produce": _names,
    "call": lambda value, where: tuple(_inside(each, where) for each in _names(value, where)),
    "reference": lambda value, where: _texts(value, where),
    "command": _names,
    "repeats": _count,
    "metric": _metric,
    "editable": _names,
    "python": lambda value, where: None if value is None else _name(value, where),
    "repository": lambda value, where: None if value is None else _name(value, where),
    "train": lambda value, where: None if value is None else _inside(value, where),
    "launch": _names,
}
