"""What agents may look up: the past from the ledger, and files of the incumbent that may leave the machine."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from bot.agents import memory
from bot.agents.memory import Memory
from bot.agents.quoting import quoted, shortened
from bot.agents.skills import FOLDER, Skill, read_skills, skill_paths
from bot.base.text import clean_diff, one_line
from bot.errors import UserError
from bot.loop.context import Context
from bot.loop.packages import unmet, wished_of, wishes
from bot.loop.settings import noise_of
from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.experiment import Experiment
from bot.tell.figures.rows import row_of
from bot.tell.numbers import number as written

# Never read to a model, wherever they lie: what usually holds credentials.
SECRET_FILES = (
    ".env", "*.env", ".env.*", "*.pem", "*.key", "*.p12", "*.pfx", "id_rsa*", "id_ed25519*", ".netrc",
    ".npmrc", ".pypirc", "*credentials*", "*secret*",
)  # fmt: skip
LARGEST_FILE = 400_000  # bytes
_DIFF, _LOG = 8_000, 4_000  # characters
_POINTS = 10  # of a curve
_RUNS = 8
LookAt = Callable[[Context, Experiment], None]


class CampaignLibrary:
    """The look-ups of one experiment. `look_at` brings an experiment's commit into this clone.

    With `fresh` only the experiments since that number are shown.
    """

    def __init__(
        self, context: Context, campaign: Campaign, experiment: Experiment, *, look_at: LookAt,
        fresh: int | None = None,
    ) -> None:  # fmt: skip
        self._context = context
        self._campaign = campaign
        self._experiment = experiment
        self._look_at = look_at
        self._shown = campaign if fresh is None else since(campaign, fresh)

    def memory(self) -> Memory:
        return memory.memory_of(self._shown, self._experiment.number)

    def search(self, words: str) -> str:
        return memory.search(self._shown, words)

    def nearest(self) -> str:
        return memory.nearest(self._campaign, self._experiment.number)

    def skills(self) -> Sequence[Skill]:
        return project_skills(self._context)

    def incumbent(self) -> str:
        """Return metric, direction, runs, noise and a curve of what an experiment must beat."""
        campaign, context = self._campaign, self._context
        commit = self._experiment.parent
        scale = campaign.scale_of(commit)
        runs = [
            r for r in campaign.runs_of(commit) if r.score is not None and (r.runner, r.fingerprint) == scale
        ]
        lower = "lower" if campaign.direction == "minimize" else "higher"
        lines = [f"metric: {one_line(campaign.metric, 64)}, {lower} is better"]
        if not runs or scale is None:
            return "\n".join([*lines, "the incumbent has no score yet"])
        runner = scale[0]
        noise = noise_of(campaign, context.config, *scale)
        scores = ", ".join(written(run.score) for run in runs[-_RUNS:] if run.score is not None)
        lines += [
            f"scores of the incumbent: {scores} on {one_line(runner, 60)}",
            f"run-to-run deviation: {noise.sigma:.2g}; a gain well below it can't be told from luck"
            if noise.sigma
            else "run-to-run deviation: none, the metric repeats exactly",
        ]
        if runs[-1].metrics:
            shown = sorted(runs[-1].metrics.items())[:16]
            lines.append("metrics: " + ", ".join(f"{one_line(k, 40)} {v:.6g}" for k, v in shown))
        curve = _curve(runs[-1])
        text = "\n".join([*lines, *([curve] if curve else [])])
        return quoted(text, "runs of the incumbent")

    def experiment(self, number: int) -> str | None:
        known = self._shown.experiments.get(number)
        if known is None or known.proposal is None or number == self._experiment.number:
            return None
        parts = [self._story(known), self._changes(known)]
        runs = self._campaign.runs_for(number)
        parts += [_run_line(run) for run in runs[-_RUNS:]]
        parts += [curve for run in runs[-1:] if (curve := _curve(run))]
        parts += [self._log(run) for run in runs[-1:]]
        return quoted("\n\n".join(part for part in parts if part), f"experiment {number}", 16_000)

    def paths(self) -> Sequence[str]:
        return sorted(self._readable)

    def file(self, path: str) -> str | None:
        if path not in self._readable:
            return None
        content = self._context.git.read_blob(self._experiment.parent, path)
        if content is None or len(content) > LARGEST_FILE:
            return None
        try:
            return content.decode()
        except UnicodeDecodeError:
            return None

    def tried(self) -> Mapping[str, int]:
        return {
            e.review.fingerprint: e.number
            for e in self._campaign.experiments.values()
            if e.review is not None and e.review.fingerprint and e.number != self._experiment.number
        }

    def lacking(self, base: Mapping[str, str], proposed: Mapping[str, str]) -> Sequence[str]:
        wished = wished_of(self._context, self._experiment, base, proposed)
        known = self._context.ledger.known().wishes.by_module
        if any(self._experiment.number not in known.get(module, ()) for module in wished):
            self._context.ledger.append(lambda _: wishes(self._experiment, wished))
        return unmet(wished)

    @cached_property
    def _readable(self) -> Collection[str]:
        entries = self._context.git.list_tree(self._experiment.parent)
        hidden = (*self._context.config.models.leave_out, *self._context.config.evaluator.data)
        plain = [entry.path for entry in entries if entry.kind == "blob" and entry.mode.startswith("100")]
        return {path for path in plain if not left_out(path, hidden)}

    def _story(self, known: Experiment) -> str:
        row = row_of(self._campaign, known, "")
        lines = [
            f"hypothesis: {row.hypothesis}", f"category: {row.category}", f"why: {row.reason}",
            f"expected: {row.expected_effect}", f"risk: {row.risk}", f"state: {row.state}",
            f"effect: {memory.effect_of(self._campaign, known) or 'not measured'}",
            f"verdict because: {row.decision}", f"lesson: {row.lesson}",
        ]  # fmt: skip
        return "\n".join(one_line(line, 900) for line in lines)

    def _changes(self, known: Experiment) -> str:
        if known.candidate is None:
            return ""
        try:
            self._look_at(self._context, known)
        except UserError as error:
            return f"its diff is not at hand: {error}"
        return shortened(
            clean_diff(self._context.git.diff(known.candidate.parent, known.candidate.commit)), _DIFF
        )

    def _log(self, run: RunFinished) -> str:
        log = self._context.ledger.read_file(f"logs/{run.run}.txt")
        return "" if not log else f"end of the log of {run.run}:\n{log.decode(errors='replace')[-_LOG:]}"


def since(campaign: Campaign, fresh: int) -> Campaign:
    """Return the campaign as one who knows nothing of the experiments before `fresh` sees it."""
    known = {number: e for number, e in campaign.experiments.items() if number >= fresh}
    return replace(
        campaign,
        experiments=known,
        order=[number for number in campaign.order if number in known],
        open={number: None for number in campaign.open if number in known},
        landed_as={commit: number for commit, number in campaign.landed_as.items() if number in known},
    )


def project_skills(context: Context) -> Sequence[Skill]:
    """Return the skills of the base branch as it stands: a human's words, out of a candidate's reach.

    Raises UserError if one of them can't be read as one.
    """
    commit = context.git.resolve(context.base)
    if commit is None:
        return ()
    entries = context.git.list_tree(commit, FOLDER)
    paths = skill_paths(
        entry.path for entry in entries if entry.kind == "blob" and entry.mode.startswith("100")
    )
    contents = context.git.read_blobs(commit, paths) if paths else {}
    return read_skills({path: content for path, content in contents.items() if content is not None})


def left_out(path: str, more: Sequence[str] = ()) -> bool:
    """Say whether a file stays on the machine: credentials by their names, and what `more` globs or folders name."""
    name = path.rpartition("/")[2].lower()
    if any(fnmatch.fnmatch(name, glob) for glob in SECRET_FILES):
        return True
    return any(
        fnmatch.fnmatchcase(path, glob) or path == glob or path.startswith(f"{glob.rstrip('/')}/")
        for glob in more
    )


def _run_line(run: RunFinished) -> str:
    if run.score is None:
        failure = run.failure or {}
        said = f"failed ({failure.get('class', 'error')}: {failure.get('reason', '')})"
    else:
        said = f"score {written(run.score)}"
    metrics = ", ".join(f"{one_line(k, 40)} {v:.6g}" for k, v in sorted(run.metrics.items())[:16])
    return one_line(f"run {run.run}, seed {run.seed}: {said}; {run.seconds:.0f} s; {metrics}", 700)


def _curve(run: RunFinished) -> str:
    """Return a few points of a run's learning curve on one line."""
    points = run.curve[:: max(1, len(run.curve) // _POINTS)]
    if not points:
        return ""
    return "training loss (step: loss): " + ", ".join(f"{step:.0f}: {loss:.4g}" for step, _, loss in points)
