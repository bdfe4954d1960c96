"""The keys of `evaluator`: how a candidate is trained and scored."""

from __future__ import annotations

import functools
import re
import sys
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from bot.config.section import Section, names_in
from bot.rules.guards import parse_guard
from bot.rules.shares import MOST_RUNGS, check_rungs

if TYPE_CHECKING:
    _Kind = str
else:  # what there is a file for
    _more = Field(json_schema_extra={"$comment": "one of those in [evaluators.md](evaluators.md)"})
    _Kind = Annotated[Literal[names_in("evaluator/kinds")], _more]


def _guard(text: str) -> str:
    parse_guard(text)
    return text


def _one_group(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"is no regular expression ({error})") from None
    if groups != 1:
        raise ValueError(f"must have one group, around the number, such as 'loss ([0-9.]+)'; it has {groups}")
    return text


# What every process needs to run at all, and no run can be kept from.
_SYSTEM = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys")
_SYSTEM_TOPS = ("/", "/home", "/opt", "/root", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/var")


def _of_data(word: str) -> str:
    place = PurePosixPath(word)
    if str(place) in _SYSTEM_TOPS or str(PurePosixPath(*place.parts[:2])) in _SYSTEM:
        raise ValueError(
            f"{word!r} belongs to the system, which every run sees: name the files that only the locked side may read"
        )
    return word


def _rungs(value: str | list[float] | None) -> str | list[float] | None:
    if isinstance(value, list):
        check_rungs(value)
    return value


_Rungs = Annotated[
    Literal["auto", "off"] | Annotated[list[float], Field(max_length=MOST_RUNGS)] | None,
    AfterValidator(_rungs),
]


@functools.cache
def warn_once(said: str) -> None:
    print(f"nocturne: {said}", file=sys.stderr)


class Budget(Section):
    """How long a run trains."""

    kind: Literal["wall", "cpu", "steps"] = "wall"
    """`wall`: seconds by the clock. `cpu`: CPU seconds of the training process and its children, for busy
    machines. `steps`: advisory, train.py counts; for reproducible tests."""
    amount: Annotated[float, Field(gt=0)] | None = None
    """Seconds or steps; null takes TIME_BUDGET of the repository's prepare.py."""


class Metric(Section):
    """What is measured."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.-]{0,63}$")] = "val_bpb"
    """The score's name; for `kind: command` the name that the command prints."""
    direction: Literal["minimize", "maximize"] = "minimize"
    """Whether lower or higher is better."""
    pattern: (
        Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_one_group)] | None
    ) = None
    """For `kind: command`: a regular expression that finds the score in what the command prints, with one group
    around the number, such as `'val loss ([0-9.]+)'`; null looks for METRIC lines and JSON."""
    take: Literal["last", "min", "max"] = "last"
    """Which number counts if the command prints several."""


class Evaluator(Section):
    """How a candidate is trained and scored."""

    kind: _Kind = "train"
    """`train`: train.py with the contract of autoresearch. `command`: any locked script that prints
    `METRIC name=value` lines."""
    budget: Budget = Budget()
    """How long a run trains."""
    metric: Metric = Metric()
    """What is measured."""
    command: Annotated[list[str], Field(max_length=64)] = []
    """The locked command for `kind: command`, as a list of words: it measures, and its word is the score."""
    produce: Annotated[list[str], Field(max_length=64)] = []
    """For `kind: command`: what runs before it on the candidate's side, such as `[python, train.py]`. It sees
    nothing of `data`, what it prints counts for nothing, and the files it leaves in `$NOCTURNE_OUT` are what
    `command` finds there. Empty: `command` alone runs, and is as trustworthy as what it runs itself."""
    call: Annotated[list[str], Field(max_length=32)] = []
    """For `kind: command`: files whose functions `command` calls by `nocturne_candidate`, such as `[solution.py]`. They
    run in jails of their own, and `command` finds no editable file. Instead of `produce`."""
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    """How often `command` measures in one run; the median of each metric counts."""
    guards: Annotated[list[Annotated[str, AfterValidator(_guard)]], Field(max_length=32)] = []
    """What a candidate must keep besides a better score, such as `peak_vram_mb <= 1.1 * incumbent`,
    `accuracy >= 0.9` or `seconds <= incumbent + 5%`: any metric of a run, medians over runs."""
    data: Annotated[list[Annotated[str, AfterValidator(_of_data)]], Field(max_length=64)] = []
    """Files and folders that only the locked side may read: prepare.py, or `command`. Candidates never see
    them, wherever they lie. Paths are relative to the repository, or absolute; git may ignore them."""
    read: Annotated[list[str], Field(max_length=64)] = []
    """Files and folders that candidates may read besides the repository, the system and package caches, such as
    `/opt/toolkit` or, for kind train, what git ignores in the repository. Relative to the repository, or absolute."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 600.0
    """When a run with a budget of steps is killed; for `kind: command`, when `produce` or one measurement is."""
    startup_seconds: Annotated[float, Field(gt=0)] | None = None
    """Allowance for imports and compiling before the first batch; null takes what the reference needs, the last
    commit that a human wrote, measured on this kind of machine."""
    warmup_seconds: Annotated[float, Field(ge=0)] | None = None
    """So much of a training the budget does not count, for compiling and first steps; null takes what the
    reference needs besides its budget."""
    evaluation_seconds: Annotated[float, Field(gt=0)] = 120.0
    """When an evaluation is given up."""
    threads: Annotated[int, Field(ge=1)] | None = None
    """CPU threads a run may use: it is bound to so many cores, and runs side by side to different ones as far as there
    are enough. null leaves it to the machine."""
    python: Annotated[str, StringConstraints(min_length=1)] | None = None
    """The Python that the task runs with: a path (relative to the repository, absolute, or with `~`), the folder of
    an environment, such as `.venv`, or a name on PATH. null finds it: the repository's `.venv` or `venv`, the conda
    environment of `environment.yml`, an active environment, the Python that runs Nocturne, `python3` on PATH; for
    `kind: train` the first of them that has torch and numpy. For `kind: command` it is what `python` means there."""
    jail: Literal["auto", "bubblewrap", "landlock", "none"] = "auto"
    """How candidates are locked in. `auto` takes bubblewrap, and unpacks the distribution's package if it is not
    installed. If it can't work, as in most containers, it takes Landlock, which leaves more open, and it refuses to run
    without either. `bubblewrap` and `landlock` take that one alone. `none` locks nothing, marks every score as
    unjailed, and is refused while credentials are about."""
    memory_mb: Annotated[int, Field(ge=64)] | None = None
    """Most memory of a run in MiB, files in memory and what waits in sockets among it; null takes a share of the
    machine's."""
    scratch_mb: Annotated[int, Field(ge=1)] | None = None
    """Most that a run may write, in MiB; null takes a share of the machine's memory."""
    processes: Annotated[int, Field(ge=1)] = 512
    """Most processes and threads of a run, beyond the threads that libraries start by themselves (in each process two
    for each core, and 16)."""
    eval_tokens: Annotated[int, Field(ge=1)] | Literal["all"] | None = None
    """Validation tokens to score; `all` scores EVAL_TOKENS of the repository's prepare.py, null as many of them as
    take about a minute. How many that are is told with the first score."""
    cuts: Annotated[int, Field(ge=0)] | None = None
    """For `kind: train`: how many places are cut out of the validation text behind the scored rows, whose target no run
    is ever shown; null takes as many as cost a quarter of the exam, at most 10,000. From 10,000 on a gain that does not
    hold there is refused, with fewer only told. 0 asks none. On GitHub they need the secret
    NOCTURNE_CUTS_KEY."""
    rungs: _Rungs = None
    """Whether a candidate runs first with a share of the budget, and in full only if it is among the best there:
    `auto` a quarter, if that costs at most half of a whole run with start-up, compiling and exam; `off` never; or the
    shares, such as `[0.25]`. null is `auto`, but `off` in a campaign that began before there were rungs. A command
    takes part if its script reads NOCTURNE_BUDGET_SHARE. Scores are compared with those of the same share only."""
    train: str | None = None
    """For `kind: train`: the script that is trained; null takes the editable train.py, or the only editable Python
    file. It runs in the folder of the prepare.py beside it or above it."""
    launch: Annotated[list[str], Field(max_length=64)] = []
    """For `kind: train`: the words of a program that starts the script in several processes, such as
    `[torchrun, --nproc-per-node, "2"]`. Each is served training data of its own, and the first one's model counts."""

    @field_validator("rungs", mode="before")
    @classmethod
    def _yaml_off(cls, value: object) -> object:
        return "off" if value is False else value  # YAML takes the word for a truth value

    @field_validator("jail", mode="before")
    @classmethod
    def _old_jail(cls, name: object) -> object:
        if name == "namespaces":
            warn_once("evaluator.jail: namespaces is bubblewrap now: write `jail: bubblewrap`")
            return "bubblewrap"
        return name

    @model_validator(mode="after")
    def _goes_together(self) -> Evaluator:
        if self.kind == "command" and not self.command:
            raise ValueError("kind: command needs the key `command`")
        if self.kind == "train" and self.command:
            raise ValueError("`command` goes with kind: command: write that too, or take the command out")
        if self.kind == "train" and (self.metric.pattern or self.metric.take != "last"):
            raise ValueError(
                "`metric.pattern` and `metric.take` go with kind: command; train measures val_bpb"
            )
        if self.kind == "train" and (self.metric.name, self.metric.direction) != ("val_bpb", "minimize"):
            raise ValueError(
                "metric: can be chosen if kind is command; train measures val_bpb, and lower is better: take it out,"
                " or write `kind: command` with the command that prints it"
            )
        if self.kind == "train" and (self.produce or self.repeats > 1):
            raise ValueError("`produce` and `repeats` go with kind: command; kind: train knows its own way")
        if self.call and (self.kind == "train" or self.produce):
            raise ValueError("`call` goes with kind: command, and not with `produce`: choose one of them")
        for called in self.call:
            if PurePosixPath(called).is_absolute() or ".." in PurePosixPath(called).parts:
                raise ValueError(f"call: {called!r} is not a path inside the repository")
        if self.kind == "command" and self.launch:
            raise ValueError("`launch` goes with kind: train; put the words into `command` or `produce`")
        path = PurePosixPath(self.train or "train.py")
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"train: {self.train!r} is not a path inside the repository")
        return self
