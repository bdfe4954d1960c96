"""The keys of `.github/nocturne.yml`; the commented example, the JSON Schema and the reference come from here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, StringConstraints, field_validator, model_validator

from bot.config.evaluator import Evaluator, warn_once
from bot.config.section import Section, names_in, section_of
from bot.rules.aims import Aim
from bot.rules.bounds import is_number
from bot.rules.stopping import Limits

_MODEL = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$"
_NAME = r"^[a-z0-9][a-z0-9-]{0,39}$"


if TYPE_CHECKING:
    _Proposer = str
    _Reviewer = str
else:  # what there is a file for
    _more = Field(json_schema_extra={"$comment": "one of those in [agents.md](agents.md)"})
    _Proposer = Annotated[Literal[names_in("bot/agents/proposers")], _more]
    _Reviewer = Annotated[Literal[names_in("bot/agents/reviewers")], _more]

_Constant = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def _aim_at(confidence: float) -> Aim:
    """Return the aim that stands for a confidence of earlier releases."""
    return "careful" if confidence >= 0.98 else "fast" if confidence < 0.9 else "balanced"


class VerdictRule(Section):
    """How sure a verdict must be."""

    aim: Aim = "balanced"
    """How sure a merge must be: of candidates that change nothing at most 0.3 % merge (`careful`), 2.5 %
    (`balanced`) or 5 % (`fast`). The surer, the fewer small gains are found."""
    min_effect: Annotated[float, Field(ge=0)] | None = None
    """Smallest gain that counts, in score units: if it is set, nothing merges by less. null asks for none at a merge;
    audits then allow for 0.0005 bits per byte with `kind: train`, and a campaign keeps what it began with."""
    baseline_runs: Annotated[int, Field(ge=2, le=20)] = 3
    """Runs of the first incumbent, from which the noise is learned."""
    remeasure_every: Annotated[int, Field(ge=1)] = 100
    """The incumbent runs once more after this many experiments, if its level was not in doubt before."""
    prior_sigma: Annotated[float, Field(ge=1e-30, le=1e30)] | None = None
    """Deviation of one run to assume before replicates tell, with the weight of one; null takes 0.1 % of the
    baseline."""
    confidence: Annotated[float, Field(ge=0.5, lt=1)] | None = None
    """Of earlier releases: from 0.98 on it is read as `aim: careful`, below 0.9 as `fast`."""
    min_runs: Annotated[int, Field(ge=1, le=20)] | None = None
    """Of earlier releases: runs that a candidate needs before it can merge."""
    max_runs: Annotated[int, Field(ge=1, le=20)] | None = None
    """Of earlier releases: runs after which a candidate is given up."""

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_releases(cls, given: Any) -> Any:
        """Take a `confidence` for the aim that is next to it, and say once what to write."""
        if not isinstance(given, Mapping):
            return given
        old = [name for name in ("confidence", "min_runs", "max_runs") if given.get(name) is not None]
        if not old:
            return given
        sure = given.get("confidence")
        aim = given.get("aim") or ("balanced" if not is_number(sure) else _aim_at(float(sure)))
        keys = " and ".join(f"verdict.{name}" for name in old)
        warn_once(f"{keys}: read for this release only: write `verdict: {{aim: {aim}}}` (docs/verdict.md)")
        return {**given, "aim": aim}

    @model_validator(mode="after")
    def _in_order(self) -> VerdictRule:
        if self.min_runs is not None and self.max_runs is not None and self.min_runs > self.max_runs:
            raise ValueError(
                f"min_runs ({self.min_runs}) is above max_runs ({self.max_runs}), so that no candidate could ever"
                f" merge: write `verdict: {{aim: {self.aim}}}` instead of both"
            )
        return self


if TYPE_CHECKING:
    Stop = Limits
else:  # every stop condition has its key where it stands
    Stop = section_of("Stop", Limits)


class ModelPrice(Section):
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


class Models(Section):
    """Which models think, what they may cost, and what they never see. For `claude` only."""

    proposer: Annotated[str, StringConstraints(pattern=_MODEL)] = "claude-sonnet-5-5"
    """The maker: a fast one."""
    alternatives: Annotated[list[Annotated[str, StringConstraints(pattern=_MODEL)]], Field(max_length=8)] = []
    """Other models that the outer loop may ask in the maker's place, within the same caps (`outer`)."""
    reviewer: Annotated[str, StringConstraints(pattern=_MODEL)] = "claude-opus-5-5"
    """The checker: a strong one."""
    researcher: Annotated[str, StringConstraints(pattern=_MODEL)] = "claude-opus-5-5"
    """Who writes mechanisms with `outer: generated`: a strong one."""
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    """How much they think; null leaves it to each model. Models without such a setting don't hear of it."""
    experiment_usd: Annotated[float, Field(gt=0)] | None = 1.0
    """Most money for one experiment. A call that could cost more than what is left is not made: the offline
    search goes on in its place. `stop.cost_usd` is the same for the campaign."""
    night_usd: Annotated[float, Field(gt=0)] | None = 20.0
    """Most money in any 24 hours."""
    researcher_usd: Annotated[float, Field(gt=0)] | None = 3.0
    """Most money in any 24 hours for the researcher, within `night_usd`."""
    experiment_tokens: Annotated[int, Field(ge=1)] | None = 2_000_000
    """Most tokens for one experiment, sent and received; holds also for a model whose price is not known."""
    prices: dict[str, ModelPrice] = {}
    """Prices that differ from the built-in table's or that it lacks, by the model's name, such as
    `{claude-next: {input: 2, output: 10}}`. Without a price, tokens are counted, and no cap of money holds."""
    leave_out: Annotated[list[str], Field(max_length=64)] = []
    """Files that no model is shown, as patterns such as `data/**` or `*.pem`, relative to the repository."""


class PromotionRule(Section):
    """How confirmed gains reach the base branch: one pull request, kept up to date."""

    open: Literal["always", "asked"] = "always"
    """`always`: opened at the first merge. `asked`: only by `nocturne promote`, or that command in a comment.
    An open one is brought up to date after each merge and when the loop stops."""
    merge: Literal["human", "bot"] = "human"
    """Who merges it. `bot`: the bot moves the base branch forward to the tested incumbent when the loop stops,
    unless it was paused or failed, or somebody closed the promotion."""


class GitHubSettings(Section):
    """What is special on GitHub."""

    allow_public_runner: bool = False
    """Let a public repository have a self-hosted runner, which pull requests from forks may reach."""


_Hooks = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=1000)]], Field(max_length=16)
]


class Hooks(Section):
    """Commands of yours that hear what happened: run by `sh` in the top folder of the clone where the bot runs, with
    the event as JSON on standard input. They decide nothing, and a failure ends no loop."""

    after_experiment: _Hooks = []
    """Run when an experiment came to its end."""
    after_night: _Hooks = []
    """Run when a loop ends, whatever the reason."""
    seconds: Annotated[float, Field(gt=0, le=600)] = 60.0
    """How long one may take; then it is ended, with all that it has started."""


class NotifySettings(Section):
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


class Config(Section):
    """Everything a campaign can be told."""

    base: str | None = None
    """Branch that the campaign starts from; null takes the default branch."""
    editable: Annotated[list[str], Field(min_length=1, max_length=32)] = ["train.py"]
    """The files an experiment may change. Everything else is locked."""
    program: str = "program.md"
    """What the human wants explored and which constraints hold."""
    remote: str | None = None
    """Git remote that holds the campaign, such as `origin`; `embedded` is a bare repository inside .git, which nobody
    else sees. null is `origin` in GitHub Actions, and elsewhere if this clone has worked with a campaign there; else
    `embedded`."""
    runner: str | None = None
    """Name of the kind of machine; null asks the machine. Scores of different kinds are never mixed."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of the search and of the runs."""
    proposer: _Proposer = "offline"
    """Who proposes. `offline`: a search over the settings in the editable files (Python, JSON, YAML, TOML, C, shell).
    `claude`: a model of Anthropic's, with the offline search if it does not answer; needs ANTHROPIC_API_KEY."""
    turn: Annotated[list[_Constant], Field(max_length=200)] = []
    """Constants that the offline search may turn whatever their names say, as `LR`, `--lr`, `train.py:LR` or a
    pattern such as `model.*`. `nocturne doctor` lists what it turns."""
    leave: Annotated[list[_Constant], Field(max_length=200)] = []
    """Constants that it leaves alone, named likewise. A name beats a pattern: `leave: ['*']` with names under `turn`
    turns only these."""
    outer: Literal["off", "builtin", "generated"] = "off"
    """The outer loop, which watches how the search goes and steers it (docs/outer.md). `builtin`: mechanisms that come
    with Nocturne, on trial. `generated`: others, too, which Claude writes (`models.researcher`) and which run in a jail
    only; needs ANTHROPIC_API_KEY."""
    outer_prior: str | None = None
    """File of the repository with what other campaigns found of the mechanisms: what `nocturne outer --prior` says."""
    repairs: Annotated[int, Field(ge=0, le=3)] = 1
    """How often a change that crashes in training may go back to a proposer that fixes its own changes, as `claude`
    does, within its experiment."""
    reviewer: _Reviewer = "rules"
    """Who reviews a change before it trains. `rules`: what can be told without a model. `claude`: a model of
    Anthropic's too, if the rules have nothing against it; needs ANTHROPIC_API_KEY."""
    audit_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the changes that the reviewer `claude` rejects which is trained once all the same: it tells how often
    a rejection was right, and changes no verdict."""
    lease_minutes: Annotated[float, Field(ge=0.05)] = 15.0
    """How long a silent loop keeps its experiment before another one takes over."""
    ahead: Annotated[float, Field(ge=0)] = 0.0
    """USD for what is prepared while another trains, and dropped (docs/agents.md). 0: nothing is done ahead."""
    evaluator: Evaluator = Evaluator()
    """How a candidate is trained and scored."""
    verdict: VerdictRule = VerdictRule()
    """How sure a verdict must be."""
    stop: Stop = Stop()
    """When the loop ends by itself."""
    models: Models = Models()
    """Which models think, what they may cost, and what they never see."""
    max_unreviewed_merges: Annotated[int, Field(ge=0)] = 10
    """So many merges may be unread by a human. Read is what somebody reviewed, approved by `/nocturne approve`, or
    merged to the base branch. 0: any number."""
    when_unreviewed: Literal["tell", "hold", "pause"] | None = None
    """What happens if more are unread. `tell`: the campaign's branch goes on, everybody is told, and the bot does not
    merge the promotion by itself. `hold`: further improvements wait until some are read. `pause`: the loop ends. null
    is `hold` if max_unreviewed_merges is given, else `tell`."""
    promotion: PromotionRule = PromotionRule()
    """How confirmed gains reach the base branch: one pull request, kept up to date."""
    github: GitHubSettings = GitHubSettings()
    """What is special on GitHub."""
    slack: NotifySettings = NotifySettings()
    """Where and when Slack is told."""
    hooks: Hooks = Hooks()
    """Commands of yours that hear what happened."""

    @property
    def most_unread(self) -> int | None:
        """How many merges may be unread before improvements are held or the loop pauses; None: any number."""
        if self.when_unreviewed is None and "max_unreviewed_merges" not in self.model_fields_set:
            return None
        return None if self.when_unreviewed == "tell" else self.max_unreviewed_merges or None

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
        """If only the script is named, it is what may be edited."""
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
            if str(pure) != path:
                raise ValueError(f"{path!r} is not how git writes it: write {str(pure)!r}")
        twice = next((path for path in paths if paths.count(path) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice!r} is named twice: leave one of them")
        return paths

    @model_validator(mode="after")
    def _not_hidden(self) -> Config:
        """What candidates change they see."""
        data = {str(PurePosixPath(word)) for word in self.evaluator.data}
        both = next((path for path in self.editable if path in data), None)
        if both is not None:
            raise ValueError(
                f"evaluator.data: {both!r} is under `editable` too, and candidates can't change what they must not see:"
                " take it out of one of them"
            )
        return self


class ConfigFile(Config):
    """The file: keys of the one campaign, or defaults for several named ones."""

    campaigns: dict[Annotated[str, StringConstraints(pattern=_NAME)], dict[str, Any] | None] = {}
    """Several campaigns: name, then the keys that differ from those above."""
