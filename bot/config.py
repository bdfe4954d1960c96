"""The campaign's configuration: `.github/nocturne.yml`.

The defaults are such that a repository with `train.py`, `prepare.py` and `program.md` needs an empty file.
This module is the one source of the keys: the commented example, the JSON Schema and docs/configuration.md are
rendered from it (`bot.config_docs`).
"""

from __future__ import annotations

import difflib
import functools
import pkgutil
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from bot.errors import UserError
from bot.rules.bounds import is_number
from bot.rules.guards import parse_guard

CONFIG_PATH = ".github/nocturne.yml"
_LARGEST = 1e15  # of any number here: beyond it no setting means anything, and arithmetic may overflow
RESERVED_NAMES = ("ledger", "exp")
_MODEL = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$"
_NAME = r"^[a-z0-9][a-z0-9-]{0,39}$"


def _guard(text: str) -> str:
    parse_guard(text)
    return text


def _files(folder: str) -> tuple[str, ...]:
    """Return the names of the modules in a folder of this package: what may be asked for there."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules([str(Path(__file__).parent / folder)])))


if TYPE_CHECKING:
    _Proposer = str
    _Reviewer = str
else:  # what there is a file for
    _more = Field(json_schema_extra={"$comment": "one of those in [agents.md](agents.md)"})
    _Proposer = Annotated[Literal[_files("agents/proposers")], _more]
    _Reviewer = Annotated[Literal[_files("agents/reviewers")], _more]

_Constant = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def _one_group(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"is no regular expression ({error})") from None
    if groups != 1:
        raise ValueError(f"must have one group, around the number, such as 'loss ([0-9.]+)'; it has {groups}")
    return text


@functools.cache
def _warn_once(said: str) -> None:
    print(f"nocturne: {said}", file=sys.stderr)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    @field_validator("*")
    @classmethod
    def _of_a_size(cls, value: Any) -> Any:
        if is_number(value) and not abs(value) <= _LARGEST:
            raise ValueError(f"must be a number from {-_LARGEST:g} to {_LARGEST:g}")
        return value


class Budget(_Section):
    """How long a run trains."""

    kind: Literal["wall", "cpu", "steps"] = "wall"
    """`wall`: seconds by the clock. `cpu`: CPU seconds of the training process and its children, for busy
    machines. `steps`: advisory, train.py counts; for reproducible tests."""
    amount: Annotated[float, Field(gt=0)] | None = None
    """Seconds or steps; null takes TIME_BUDGET of the repository's prepare.py."""


class Metric(_Section):
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


class Evaluator(_Section):
    """How a candidate is trained and scored."""

    kind: Literal["train", "command"] = "train"
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
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    """How often `command` measures in one run; the median of each metric counts."""
    guards: Annotated[list[Annotated[str, AfterValidator(_guard)]], Field(max_length=32)] = []
    """What a candidate must keep besides a better score, such as `peak_vram_mb <= 1.1 * incumbent`,
    `accuracy >= 0.9` or `seconds <= incumbent + 5%`: any metric of a run, medians over runs."""
    data: Annotated[list[str], Field(max_length=64)] = []
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
    jail: Literal["auto", "bubblewrap", "none"] = "auto"
    """How candidates are locked in. `auto` takes bubblewrap, unpacks the distribution's package if it is not installed,
    and refuses to run without one. `none` locks nothing, marks every score as unjailed, and is refused while
    credentials are about."""
    memory_mb: Annotated[int, Field(ge=64)] | None = None
    """Most memory of a run in MiB; null takes a share of the machine's."""
    scratch_mb: Annotated[int, Field(ge=1)] | None = None
    """Most that a run may write, in MiB; null takes a share of the machine's memory."""
    processes: Annotated[int, Field(ge=1)] = 512
    """Most processes and threads of a run."""
    eval_tokens: Annotated[int, Field(ge=1)] | Literal["all"] | None = None
    """Validation tokens to score; `all` scores EVAL_TOKENS of the repository's prepare.py, null as many of them as
    take about a minute. How many that are is told with the first score."""
    train: str | None = None
    """For `kind: train`: the script that is trained; null takes the editable train.py, or the only editable Python
    file. It runs in the folder of the prepare.py beside it or above it."""
    launch: Annotated[list[str], Field(max_length=64)] = []
    """For `kind: train`: the words of a program that starts the script in several processes, such as
    `[torchrun, --nproc-per-node, "2"]`. Each is served training data of its own, and the first one's model counts."""

    @field_validator("jail", mode="before")
    @classmethod
    def _old_jail(cls, name: object) -> object:
        if name == "namespaces":
            _warn_once("evaluator.jail: namespaces is bubblewrap now: write `jail: bubblewrap`")
            return "bubblewrap"
        return name


class VerdictRule(_Section):
    """How sure a verdict must be."""

    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    """One-sided confidence that an improvement is one."""
    min_effect: Annotated[float, Field(ge=0)] = 0.0
    """Smallest gain that counts, in score units."""
    min_runs: Annotated[int, Field(ge=2, le=20)] = 2
    """Runs that the incumbent needs, and a candidate before it can merge."""
    max_runs: Annotated[int, Field(ge=2, le=20)] = 4
    """Runs after which a candidate is inconclusive."""
    remeasure_every: Annotated[int, Field(ge=1)] = 10
    """The incumbent runs once more after this many experiments: machines drift."""
    prior_sigma: Annotated[float, Field(ge=1e-30, le=1e30)] | None = None
    """Run-to-run deviation to assume before replicates tell; null takes 0.1 % of the baseline."""


class Stop(_Section):
    """When the loop ends by itself. null: never for this reason."""

    goal: float | None = None
    """The incumbent's score reaches this."""
    experiments: Annotated[int, Field(ge=1)] | None = None
    """So many experiments of the campaign are finished."""
    deadline: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d)?$")] | None = None
    """Local date and time, `2026-11-30T07:00`."""
    gpu_hours: Annotated[float, Field(gt=0)] | None = None
    """Hours of the training device; a CPU stands in where there is no GPU."""
    cost_usd: Annotated[float, Field(gt=0)] | None = None
    """Money for models."""
    crashes_in_row: Annotated[int, Field(ge=1)] | None = 5
    """So many experiments crashed one after another."""
    plateau: Annotated[int, Field(ge=1)] | None = 50
    """So many experiments ended without an improvement."""


class ModelPrice(_Section):
    """What a model costs, in USD per million tokens."""

    input: Annotated[float, Field(ge=0)]
    """What is sent."""
    output: Annotated[float, Field(ge=0)]
    """What comes back."""
    cache_write: Annotated[float, Field(ge=0)] | None = None
    """Kept for five minutes; null takes 1.25 times the input."""
    cache_write_1h: Annotated[float, Field(ge=0)] | None = None
    """Kept for an hour; null takes twice the input."""
    cache_read: Annotated[float, Field(ge=0)] | None = None
    """Read from the cache; null takes a tenth of the input."""


class Models(_Section):
    """Which models think, what they may cost, and what they never see. For `claude` only."""

    proposer: Annotated[str, StringConstraints(pattern=_MODEL)] = "claude-sonnet-5-5"
    """The maker: a fast one."""
    reviewer: Annotated[str, StringConstraints(pattern=_MODEL)] = "claude-opus-5-5"
    """The checker: a strong one."""
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    """How much they think; null leaves it to each model. Models without such a setting don't hear of it."""
    experiment_usd: Annotated[float, Field(gt=0)] | None = 1.0
    """Most money for one experiment. A call that could cost more than what is left is not made: the offline
    search goes on in its place. `stop.cost_usd` is the same for the campaign."""
    night_usd: Annotated[float, Field(gt=0)] | None = 20.0
    """Most money in any 24 hours."""
    experiment_tokens: Annotated[int, Field(ge=1)] | None = 2_000_000
    """Most tokens for one experiment, sent and received; holds also for a model whose price is not known."""
    prices: dict[str, ModelPrice] = {}
    """Prices that differ from the built-in table's or that it lacks, by the model's name, such as
    `{claude-next: {input: 2, output: 10}}`. Without a price, tokens are counted, and no cap of money holds."""
    leave_out: Annotated[list[str], Field(max_length=64)] = []
    """Files that no model is shown, as patterns such as `data/**` or `*.pem`, relative to the repository."""


class PromotionRule(_Section):
    """How confirmed gains reach the base branch: one pull request, kept up to date."""

    open: Literal["always", "asked"] = "always"
    """`always`: opened at the first merge. `asked`: only by `nocturne promote`, or that command in a comment.
    An open one is brought up to date after each merge and when the loop stops."""
    merge: Literal["human", "bot"] = "human"
    """Who merges it. `bot`: the bot moves the base branch forward to the tested incumbent when the loop stops,
    unless it was paused or failed, or somebody closed the promotion."""


class GitHubSettings(_Section):
    """What is special on GitHub."""

    allow_public_runner: bool = False
    """Let a public repository have a self-hosted runner, which pull requests from forks may reach."""


class NotifySettings(_Section):
    """Where and when Slack is told. The bot's token is in SLACK_BOT_TOKEN, or a webhook's URL in SLACK_WEBHOOK_URL."""

    channel: Annotated[str, StringConstraints(pattern=r"^[CGD][A-Z0-9]{8,20}$")] | None = None
    """ID of the channel, from its details in Slack, such as C0123456789; a webhook has its own."""
    timezone: str = "UTC"
    """IANA name of the time zone of dates and quiet hours, such as Europe/Berlin."""
    quiet: (
        Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")] | None
    ) = None
    """Hours without messages, such as `23:00-07:00`; what came up in them is told after."""
    new_best: Annotated[float, Field(ge=0)] | None = None
    """Smallest gain, in score units, that is told at once; null takes twice the noise."""
    crashes: Annotated[int, Field(ge=1)] | None = 3
    """So many experiments crashed one after another are told; null: never."""
    every_minutes: Annotated[float, Field(ge=0)] = 15.0
    """Least time between two messages of a night; what comes meanwhile goes into the next one. A stop is told at
    once."""

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                "timezone is no IANA name that this machine knows, such as Europe/Berlin"
            ) from None
        return name


class Config(_Section):
    """Everything a campaign can be told."""

    base: str | None = None
    """Branch that the campaign starts from; null takes the default branch."""
    editable: Annotated[list[str], Field(min_length=1, max_length=32)] = ["train.py"]
    """The files an experiment may change. Everything else is locked."""
    program: str = "program.md"
    """What the human wants explored and which constraints hold."""
    remote: str | None = None
    """Git remote that holds the campaign; null takes `origin`, or a bare repository inside .git."""
    runner: str | None = None
    """Name of the kind of machine; null asks the machine. Scores of different kinds are never mixed."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of the search and of the runs."""
    proposer: _Proposer = "offline"
    """Who proposes. `offline`: a search over the settings in the editable files (Python, JSON, YAML, TOML, C, shell).
    `claude`: a model of
    Anthropic's, with the offline search where it does not answer; needs ANTHROPIC_API_KEY."""
    turn: Annotated[list[_Constant], Field(max_length=200)] = []
    """Constants that the offline search may turn whatever their names say, as `LR`, `--lr`, `train.py:LR` or a
    pattern such as `model.*`. `nocturne doctor` lists what it turns."""
    leave: Annotated[list[_Constant], Field(max_length=200)] = []
    """Constants that it leaves alone, named likewise. A name beats a pattern: `leave: ['*']` with names under `turn`
    turns only these."""
    repairs: Annotated[int, Field(ge=0, le=3)] = 1
    """How often a change of Claude's that crashes in training may go back to be mended, within its experiment."""
    reviewer: _Reviewer = "rules"
    """Who reviews a change before it trains. `rules`: what can be told without a model. `claude`: a model of
    Anthropic's too, where the rules have nothing against it; needs ANTHROPIC_API_KEY."""
    audit_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the changes that the reviewer `claude` rejects which is trained once all the same: it tells how often
    a rejection was right, and changes no verdict."""
    lease_minutes: Annotated[float, Field(ge=0.05)] = 15.0
    """How long a silent loop keeps its experiment before another one takes over."""
    evaluator: Evaluator = Evaluator()
    """How a candidate is trained and scored."""
    verdict: VerdictRule = VerdictRule()
    """How sure a verdict must be."""
    stop: Stop = Stop()
    """When the loop ends by itself."""
    models: Models = Models()
    """Which models think, what they may cost, and what they never see."""
    max_unreviewed_merges: Annotated[int, Field(ge=0)] = 10
    """So many merges may be unread by a human; then further improvements are held until one has read some. 0: no
    limit. Read is what somebody reviewed, approved by `/nocturne approve`, or merged to the base branch."""
    when_unreviewed: Literal["hold", "pause"] = "hold"
    """What then happens. `hold`: the loop goes on, and what is confirmed waits and lands later. `pause`: the loop
    ends."""
    promotion: PromotionRule = PromotionRule()
    """How confirmed gains reach the base branch: one pull request, kept up to date."""
    github: GitHubSettings = GitHubSettings()
    """What is special on GitHub."""
    slack: NotifySettings = NotifySettings()
    """Where and when Slack is told."""

    @field_validator("stop")
    @classmethod
    def _deadline(cls, stop: Stop) -> Stop:
        if stop.deadline is not None:
            try:
                datetime.fromisoformat(stop.deadline)
            except ValueError as error:
                raise ValueError(f"deadline {stop.deadline!r} is no date and time ({error})") from None
        return stop

    @property
    def script(self) -> str | None:
        """The path of the script that is trained; None if `kind` is command."""
        if self.evaluator.kind != "train":
            return None
        if self.evaluator.train is not None:
            return self.evaluator.train
        python = [path for path in self.editable if path.endswith(".py")]
        usual = [path for path in python if PurePosixPath(path).name == "train.py"]
        return next((found[0] for found in (usual, python) if len(found) == 1), "train.py")

    @model_validator(mode="before")
    @classmethod
    def _script_is_editable(cls, data: Any) -> Any:
        """Where only the script is named, it is what may be edited."""
        given = data.get("evaluator") if isinstance(data, Mapping) else None
        named = given.get("train") if isinstance(given, Mapping) else None
        if isinstance(named, str) and "editable" not in data:
            return {**data, "editable": [named]}
        return data

    @model_validator(mode="after")
    def _one_script(self) -> Config:
        if self.evaluator.kind == "train" and self.script == "train.py" and self.evaluator.train is None:
            python = [path for path in self.editable if path.endswith(".py")]
            if "train.py" not in self.editable and len(python) != 1:
                names = ", ".join(python) or "none"
                raise ValueError(f"evaluator.train: name the script that is trained (editable: {names})")
        return self

    @field_validator("editable")
    @classmethod
    def _paths(cls, paths: list[str]) -> list[str]:
        for path in paths:
            pure = PurePosixPath(path)
            if pure.is_absolute() or ".." in pure.parts or pure.parts[:1] in ((".git",), (".github",)):
                raise ValueError(f"{path!r} is not a path inside the repository that may be edited")
        return paths

    @field_validator("evaluator")
    @classmethod
    def _command(cls, evaluator: Evaluator) -> Evaluator:
        if evaluator.kind == "command" and not evaluator.command:
            raise ValueError("kind: command needs the key `command`")
        if evaluator.kind == "train" and (evaluator.metric.pattern or evaluator.metric.take != "last"):
            raise ValueError(
                "`metric.pattern` and `metric.take` go with kind: command; train measures val_bpb"
            )
        if evaluator.kind == "train" and (evaluator.produce or evaluator.repeats > 1):
            raise ValueError("`produce` and `repeats` go with kind: command; kind: train knows its own way")
        if evaluator.kind == "command" and evaluator.launch:
            raise ValueError("`launch` goes with kind: train; put the words into `command` or `produce`")
        path = PurePosixPath(evaluator.train or "train.py")
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"train: {evaluator.train!r} is not a path inside the repository")
        return evaluator


class ConfigFile(Config):
    """The file: keys of the one campaign, or defaults for several named ones."""

    campaigns: dict[Annotated[str, StringConstraints(pattern=_NAME)], dict[str, Any] | None] = {}
    """Several campaigns: name, then the keys that differ from those above."""


def parse(text: str, *, campaign: str | None = None, source: str = CONFIG_PATH) -> tuple[str, Config]:
    """Return the name and configuration of the campaign that `text` (YAML) describes.

    `campaign` is needed where the file names several. Raises UserError with file, key and mend.
    """
    data = _load(text, source)
    whole = _validate(ConfigFile, data, source, "")
    campaigns = whole.campaigns
    for name in campaigns:
        if name in RESERVED_NAMES:
            raise UserError(f"{source}: campaigns.{name}: this name is taken by Nocturne, choose another")
    if not campaigns:
        if campaign not in (None, "main"):
            raise UserError(f"{source}: there is no campaign {campaign!r}: name it under `campaigns:`")
        return "main", _validate(Config, {k: v for k, v in data.items() if k != "campaigns"}, source, "")
    names = ", ".join(sorted(campaigns))
    if campaign is None and len(campaigns) > 1:
        raise UserError(f"{source}: several campaigns ({names}): choose one with --campaign NAME")
    chosen = campaign or next(iter(campaigns))
    if chosen not in campaigns:
        raise UserError(f"{source}: there is no campaign {chosen!r}, there are: {names}")
    shared = {key: value for key, value in data.items() if key != "campaigns"}
    merged = _merge(shared, campaigns[chosen] or {})
    return chosen, _validate(Config, merged, source, f"campaigns.{chosen}.")


def campaigns(text: str, *, source: str = CONFIG_PATH) -> list[str]:
    """Return the names of the campaigns that `text` (YAML) describes, sorted; "main" where it names none."""
    named = _load(text, source).get("campaigns")
    names = sorted(named) if isinstance(named, dict) and named else ["main"]
    parse(text, campaign=names[0], source=source)
    return names


def _load(text: str, source: str) -> dict[str, Any]:
    """Read the file's YAML, in which an empty file has no keys."""
    try:
        data = yaml.safe_load(text)
    except ValueError as error:  # a date such as 2026-13-45, which YAML takes for one
        raise UserError(f"{source}: not valid YAML: {error}: mend the date") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise UserError(f"{source}: {where}not valid YAML: {getattr(error, 'problem', error)}") from None
    if data is not None and not isinstance(data, dict):
        raise UserError(f"{source}: holds a {type(data).__name__}, expected `key: value` lines")
    return data or {}


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _validate(model: type[Any], data: Mapping[str, Any], source: str, prefix: str) -> Any:
    try:
        return model.model_validate(_plain(data))
    except ValidationError as error:
        raise UserError(f"{source}: {prefix}{_say(model, error)}") from None


def _plain(value: Any) -> Any:
    """YAML reads `2026-11-30` as a date and integers for floats: give pydantic's strict mode what was meant."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return (
        value.isoformat(timespec="minutes")
        if hasattr(value, "hour")
        else (value.isoformat() if hasattr(value, "isoformat") else value)
    )


def _say(model: type[BaseModel], error: ValidationError) -> str:
    """Put the first mistake into one line: key, what is wrong, the mend."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"] if not str(part).startswith("function-")]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        known = _keys_at(model, path[:-1])
        close = difflib.get_close_matches(path[-1], known, n=1)
        mend = f"did you mean `{close[0]}`?" if close else f"known keys: {', '.join(known)}"
        return f"{key}: unknown key, {mend}"
    message = re.sub(r"^(Input|Value error,) ?", "", first["msg"]).strip()
    given = first.get("input")
    shown = "" if isinstance(given, (dict, BaseModel)) else f", not {given!r}"
    return f"{key}: {message}{shown}"


def _keys_at(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    for part in path:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        model = annotation
    return list(model.model_fields)
