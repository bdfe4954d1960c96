"""Runs made where nothing can be written: what a training job hands to the job that decides.

The machine that trains may read the repository, and holds no credential that could change it. It works on a
private copy of ledger and branches, which is gone when it ends; what it found out, its runs and nothing else,
goes into a file. The job that decides believes of it what it can check, and reaches the verdict by itself.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.base.text import clean, one_line
from bot.base.whole import written
from bot.base.workflow import of_same_repository
from bot.errors import UserError
from bot.forge import NotFound, PullState
from bot.forge.local import LocalForge
from bot.git import RefUpdate
from bot.git.command import git_output
from bot.git.remote import Remote, create_bare
from bot.ledger import Ledger
from bot.ledger.store import REF, LedgerStore
from bot.loop.context import Context
from bot.loop.settings import known_rungs, why_self_reported
from bot.rules import confirming
from bot.rules.bounds import check_run, shown
from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished, from_json
from bot.rules.schedule import run_id, seed_of, subject_of

VERSION = 1
LARGEST = 1 << 20  # bytes that are read
MOST = 100_000  # bytes that are written: what a job hands on passes through one environment variable


class _Copy(LocalForge):
    """The forge of a private copy: what people do with pull requests is not seen there."""

    def pull_state(self, number: int, *, head: str, base: str) -> PullState:
        """See `Forge.pull_state`."""
        raise NotFound(f"a copy of the ledger has no pull request {number}")


@contextmanager
def private_copy(context: Context, experiment: int) -> Iterator[Context]:
    """Give a context whose remote is a copy of ours, with what the training of `experiment` needs."""
    heads = [f"refs/heads/{name}" for name in (context.branch, context.experiment_branch(experiment))]
    there = context.git.fetch(context.remote.name_or_url, [REF, *heads])
    folder = context.git.common_dir / "nocturne"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="copy-", dir=folder) as scratch:
        path = Path(scratch, "copy.git")
        create_bare(context.git, path)
        git_output(["config", "receive.autogc", "false"], cwd=path)  # else tidying goes on while we remove it
        context.git.push(str(path), [RefUpdate(ref, sha, None) for ref, sha in there.items()])
        store = LedgerStore(context.git, str(path), context.name)
        yield dataclasses.replace(
            context,
            remote=Remote(str(path), "git"),
            ledger=Ledger(store, context.holder, context.display.note),
            forge=_Copy(context.git, str(path)),
            notifier=None,  # what is told is written down on the real ledger
        )


def write(context: Context, known: set[str], experiment: int, path: Path) -> int:
    """Write the runs that are not among the `known` ones to `path`; return how many there are."""
    campaign = context.ledger.known()
    runs = [run for name, run in campaign.runs.items() if name not in known]
    logs = {run.run: context.ledger.read_file(_log(run.run)) for run in runs if run.failure is not None}
    record = {
        "version": VERSION,
        "campaign": context.name,
        "experiment": experiment,
        "runs": [{"kind": run.kind, **dataclasses.asdict(run)} for run in runs],
        "logs": {name: log.decode(errors="replace") for name, log in logs.items() if log},
    }
    try:
        with written(path) as file:
            file.write(f"{fitted(record)}\n".encode())
    except OSError as error:
        raise UserError(
            f"{path}: can't write ({error.strerror}): choose another file for --handover"
        ) from None
    return len(runs)


def fitted(record: dict[str, Any]) -> str:
    """Return a handover as text of at most `MOST` bytes: too much, and logs go first, then curves."""
    text = json.dumps(record, allow_nan=False)
    if len(text) > MOST:
        text = json.dumps(record | {"logs": {}}, allow_nan=False)
    if len(text) > MOST:
        bare = [run | {"curve": ()} for run in record["runs"]]
        text = json.dumps(record | {"logs": {}, "runs": bare}, allow_nan=False)
    return text


def accept(context: Context, path: Path) -> int | None:
    """Put the runs of a handover on the ledger, and return its experiment; None if nothing was handed over.

    The same runs again change nothing. Raises `UserError` for what is not a handover of this campaign, or
    holds another run than one of its experiment.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path}: larger than {LARGEST} bytes: this is no handover of `nocturne train`")
        record = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a handover of `nocturne train` ({_why(error)}): run it again") from None
    return _take_in(context, record, str(path))


def take_in(context: Context, text: str, name: str, *, of: int) -> int:
    """Put the runs of a handover of the experiment `of` on the ledger; `name` is for people. As `accept`."""
    try:
        record = json.loads(text)
        if not _is_whole(record["experiment"]) or record["experiment"] != of:
            raise ValueError(f"it is of experiment {shown(record['experiment'])}")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{name}: not a handover of `nocturne train` ({_why(error)}): run it again") from None
    return _take_in(context, record, name)


def _take_in(context: Context, record: dict[str, Any], name: str) -> int:
    campaign = context.ledger.refresh()
    try:
        number, runs, logs = _checked(context, campaign, record)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{name}: not a handover for this campaign ({_why(error)}): run `nocturne train` again"
        ) from None
    if runs:
        _append(context, runs, logs)
    return number


def _append(context: Context, runs: Sequence[RunFinished], logs: Mapping[str, str]) -> None:
    """Write the runs that the ledger lacks, all in one go, with the logs of those that failed."""

    fresh: list[RunFinished] = []

    def make(campaign: Campaign) -> Sequence[RunFinished]:
        fresh[:] = [run for run in runs if run.run not in campaign.runs]
        return runs

    def files(_campaign: Campaign) -> dict[str, bytes]:
        told = ((run.run, logs.get(run.run, "")) for run in fresh)
        return {_log(name): text.encode()[-8000:] for name, text in told if text}

    context.ledger.append(make, files)


def _checked(
    context: Context, campaign: Campaign, record: dict[str, Any]
) -> tuple[int, list[RunFinished], dict[str, str]]:
    if (record["version"], record["campaign"]) != (VERSION, context.name) or not _is_whole(record["version"]):
        raise ValueError(f"version {shown(record['version'])} of campaign {shown(record['campaign'])}")
    number = record["experiment"]
    experiment = campaign.experiments.get(number) if _is_whole(number) else None
    if experiment is None or experiment.candidate is None:
        raise ValueError(f"there is no experiment {shown(number)} with a candidate")
    commits = {
        **dict.fromkeys(campaign.incumbents),  # another loop may have merged while this one trained
        campaign.reference: None,
        experiment.candidate.parent: None,
        experiment.candidate.commit: number,
    }
    runs = []
    rungs = (1.0, *known_rungs(context.config, campaign))
    # What measures is locked, and the base branch is what this job has for certain.
    apart = why_self_reported(context, context.git.resolve(context.base) or campaign.incumbent)
    for each in record["runs"]:
        run = from_json(each).event
        if not isinstance(run, RunFinished):
            raise ValueError(f"{shown(each['kind'])} is no run")
        _check_run(context, commits, run, subject_of(campaign, run.commit, run.experiment))
        if run.share not in rungs:
            raise ValueError(
                f"run {shown(run.run)} had {shown(run.share)} of its budget, which is no rung here"
            )
        if run.beside and not confirming.is_side_by_side(campaign, run, context.config.seed):
            raise ValueError(
                f"run {shown(run.run)} is beside another commit, or of another seed, than it should"
            )
        if run.reference is not None and run.commit != campaign.reference:
            raise ValueError(f"run {shown(run.run)} is no run of the reference")
        where = run.where if of_same_repository(run.where, context.where) else ""
        runs.append(dataclasses.replace(run, self_reported=apart is not None, where=where))
    logs: dict[str, str] = {str(name): clean(str(text)) for name, text in record["logs"].items()}
    return number, runs, logs


def _check_run(context: Context, commits: Mapping[str, int | None], run: RunFinished, subject: str) -> None:
    """Raise ValueError for a run that `nocturne train` would not have made: `commits` are those of the
    experiment, the candidate's with its number; `subject` names the run's for its seed."""
    check_run(run)
    if run.commit not in commits or run.experiment != commits[run.commit]:
        raise ValueError(f"run {shown(run.run)} is of another experiment")
    seed = run.seed if run.beside else seed_of(context.config.seed, subject, run.replicate)
    if run.run != run_id(run.commit, run.replicate) or run.seed != seed:
        raise ValueError(f"run {shown(run.run)} has another name or seed than it should")
    if (run.score is None) == (run.failure is None):
        raise ValueError(f"run {shown(run.run)} must have a score or a failure")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _why(error: BaseException) -> str:
    """Return what is wrong in one short line, whatever it quotes."""
    if isinstance(error, KeyError):
        return f"it has no {shown(error.args[0])}"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return one_line(str(error), 200)


def _log(run: str) -> str:
    return f"logs/{run}.txt"
