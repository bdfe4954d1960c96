"""What a rule says of the runs at hand, and what other settings would have found: `replay` and `simulate`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bot.base.text import clean_data, one_line
from bot.commands.session import Session, campaign_session
from bot.errors import UserError
from bot.loop.settings import guards_of, known_rungs, least_effect, rule_of
from bot.rules.aims import Aim
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.events import Recorded, read
from bot.rules.experiment import Experiment
from bot.rules.judging import Settings
from bot.rules.replay import Replayed
from bot.rules.replay import replay as replayed
from bot.rules.simulated import known as knowledge
from bot.rules.simulated.driver import Ways
from bot.rules.simulated.known import Known
from bot.rules.simulated.outlook import outlooks
from bot.tell.views import what_if as views
from bot.tell.writers import terminal

_FEWEST, _USUAL, _MOST = 20, 100, 200  # whole runs that a simulated campaign takes if nobody says
_LARGEST = 200 << 20  # bytes of a file with events


def replay(*, repo: Path, campaign: str | None, ledger: Path | None, aim: Aim | None, as_json: bool) -> int:
    """The rule's verdicts on the runs of a ledger: this campaign's, or one in files."""
    if ledger is not None:
        found, rule = _replay_files(ledger, aim)
    else:
        with campaign_session(repo, campaign, quiet=True) as session:
            found, rule = _replay_campaign(session, aim)
    if as_json:
        print(json.dumps(clean_data({"aim": rule.aim, **asdict(found)}), indent=2))
    else:
        terminal.show(views.replayed(found, rule))
    return 0


def _replay_campaign(session: Session, aim: Aim | None) -> tuple[Replayed, Rule]:
    context = session.context
    config, recorded = context.config, context.ledger.recorded()
    rule = rule_of(config, context.ledger.known())
    rule = rule if aim is None else replace(rule, aim=aim)
    guards = tuple(guards_of(config))

    def settings(campaign: Campaign, experiment: Experiment) -> Settings:
        runner, rungs = _as_it_ran(campaign, experiment)
        least = least_effect(config, campaign)
        return Settings(rule, config.verdict.prior_sigma, guards, runner, least, rungs)

    return replayed(recorded, settings), rule


def _replay_files(path: Path, aim: Aim | None) -> tuple[Replayed, Rule]:
    rule = Rule(aim or "balanced")

    def settings(campaign: Campaign, experiment: Experiment) -> Settings:
        runner, rungs = _as_it_ran(campaign, experiment)
        least = campaign.started.min_effect if campaign.started is not None else 0.0
        return Settings(rule, runner=runner, least_effect=least, rungs=rungs)

    try:
        return replayed(_events(path), settings), rule
    except (KeyError, IndexError, ValueError) as error:
        said = one_line(f"{type(error).__name__}: {error}", 120)
        raise UserError(
            f"{path}: its events don't follow from one another ({said}): give a whole ledger"
        ) from None


def _as_it_ran(campaign: Campaign, experiment: Experiment) -> tuple[str, tuple[float, ...]]:
    """Return on which kind of runner, and with which shares of the budget first, an experiment ran."""
    assert experiment.candidate is not None
    runs = campaign.tries_of(experiment.candidate.commit)
    short = {run.share for run in runs if not run.is_full}
    return runs[-1].runner if runs else "", tuple(sorted(short))


def _events(path: Path) -> Iterator[Recorded]:
    """Yield the events in a file of JSON lines, or in the `events` of a ledger's folder."""
    files = [path]
    if path.is_dir():
        files = sorted((path / "events" if (path / "events").is_dir() else path).glob("*.jsonl"))
        if not files:
            raise UserError(f"{path}: holds no *.jsonl: name a ledger's folder, or a file of its events")
    for file in files:
        for number, line in enumerate(_text(file).splitlines(), 1):
            try:
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise ValueError("no JSON object")
                yield read(record)
            except (ValueError, RecursionError) as error:
                said = one_line(str(error), 120)
                raise UserError(
                    f"{file}: line {number} is no event ({said}): name a ledger's folder, or a file of its events"
                ) from None


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > _LARGEST:
            raise UserError(f"{file}: larger than {_LARGEST >> 20} MiB: name a ledger's events")
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{file}: can't read ({error.strerror}): name a ledger's folder or a file") from None


def simulate(
    *, repo: Path, campaign: str | None, runs: int | None, seeds: int, imported: bool, as_json: bool
) -> int:  # fmt: skip
    """What other settings would have found in campaigns like this one."""
    with campaign_session(repo, campaign, quiet=True) as session:
        context = session.context
        state = context.ledger.look()
        known, source = _known(session, state, imported=imported)
        ways = _ways(session, state)
        budget = runs or _usual_runs(state, known)
        if not as_json:
            session.say(f"simulating {seeds} campaigns of {budget} runs for each setting: seconds to minutes")
        found = outlooks(known, ways, runs=budget, seeds=range(seeds))
        if as_json:
            made: dict[str, Any] = {
                "source": source, "experiments": known.experiments, "with_a_score": len(known.seen),
                "sigma": known.sigma, "runs": budget, "campaigns": seeds, "settings": [asdict(each) for each in found],
            }  # fmt: skip
            print(json.dumps(clean_data(made), indent=2))
            return 0
        told = views.About(source, state.metric, budget, seeds, bool(context.config.evaluator.guards))
        terminal.show(views.simulated(found, known, told))
    return 0


def _known(session: Session, state: Campaign, *, imported: bool) -> tuple[Known, str]:
    """Return what is to be simulated, and from where that is known."""
    own = None if imported else knowledge.of_ledger(state, session.context.config.verdict.prior_sigma)
    if own is not None:
        return own, f"campaign {session.context.name}"
    taken = knowledge.of_log(state)
    if taken is None:
        least = f"at least {knowledge.LEAST}"
        raise UserError(
            f"campaign {session.context.name!r}: {least} experiments with a score are needed: `nocturne run` more, or"
            f" take over a log with {least} by `nocturne import FILE`"
            if not imported
            else f"campaign {session.context.name!r}: no log with {least} scores was taken over: `nocturne import FILE`"
        )
    return taken, "the imported log"


def _ways(session: Session, state: Campaign) -> Ways:
    """Return how the campaign is set, with short runs if its candidates had them."""
    config, verdict = session.context.config, session.context.config.verdict
    tried = {run.share for run in state.runs.values() if not run.is_full}
    rungs = tuple(share for share in known_rungs(config, state) if share in tried)
    return Ways(
        rule_of(config, state), verdict.baseline_runs, verdict.remeasure_every, rungs, verdict.prior_sigma
    )


def _usual_runs(state: Campaign, known: Known) -> int:
    """Return how many whole runs' time a simulated campaign takes: what this one took, within bounds."""
    if not known.whole:
        return _USUAL
    return round(min(max(state.run_seconds / known.whole, _FEWEST), _MOST))
