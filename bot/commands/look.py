"""The verbs that show: where the campaign stands, one experiment, the report, the morning's summary."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack, suppress
from dataclasses import asdict
from datetime import date
from pathlib import Path

from bot.agents.claude.transcripts import conversations_of
from bot.base.text import clean_data
from bot.commands.session import Session, campaign_names, campaign_session
from bot.errors import UserError
from bot.github.files import add_summary
from bot.ledger import now
from bot.loop.commits import ensure_commit, require_commit
from bot.loop.context import Context
from bot.loop.files import uncommitted
from bot.loop.pulls import on_github
from bot.loop.render import figures_of
from bot.loop.settings import rule_of, why_self_reported
from bot.loop.telling import morning as tell_morning
from bot.notify.file import FileNotifier
from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from bot.tell.charts.raster import share_png
from bot.tell.display import PlainDisplay
from bot.tell.document import Code, Document
from bot.tell.figures.plain import experiment_json, status_json
from bot.tell.figures.results import results_tsv
from bot.tell.page import report_html
from bot.tell.views.campaign import latest_experiments, overview
from bot.tell.views.campaign import report as report_of
from bot.tell.views.comparison import comparison
from bot.tell.views.whole import whole
from bot.tell.words import title
from bot.tell.writers import markdown, terminal


def status(*, repo: Path, campaign: str | None, as_json: bool) -> int:
    """Where the campaign stands."""
    with campaign_session(repo, campaign, quiet=as_json) as session:
        known = figures_of(session.context, session.context.ledger.refresh())
        say_uncommitted(session)
        if as_json:
            print(json.dumps(status_json(known), indent=2))
            return 0
        from rich.console import Console

        console = Console(highlight=False)
        console.print(terminal.panel(title(known), overview(known)))
        terminal.show(latest_experiments(known, width=console.width), console)
    return 0


def say_uncommitted(session: Session) -> None:
    """Say on standard error that the user's files differ from what is shown and run, if they do."""
    said = uncommitted(session.context)
    if said is not None:
        PlainDisplay(sys.stderr).note(said)


def show(
    *, repo: Path, campaign: str | None, number: int | str, conversation: bool = False, as_json: bool = False
) -> int:
    """One experiment, whole: proposal, diff, pull request, runs, verdict."""
    with campaign_session(repo, campaign, quiet=as_json) as session:
        state = session.context.ledger.refresh()
        experiment = _experiment(state, number)
        if as_json:
            rows = {row.number: row for row in figures_of(session.context, state).rows}
            runs = [asdict(run) for run in state.runs_for(experiment.number)]
            data = {**experiment_json(rows[experiment.number]), "all_runs": clean_data(runs)}
            print(json.dumps(data, indent=2))
            return 0
        if conversation:
            terminal.show(tuple(Code(text) for text in _conversations(session.context, experiment)))
        else:
            terminal.show(_whole(session.context, state, experiment))
    return 0


def _experiment(campaign: Campaign, which: int | str) -> Experiment:
    """Return the experiment of that number, or the one that made the best incumbent."""
    if which == "best":
        best = campaign.best()
        found = campaign.experiment_of(best[0]) if best is not None else None
        if found is None:
            raise UserError("the best so far is no experiment's: nothing merged is better than the baseline")
        return found
    if not isinstance(which, int):
        raise UserError(f"{which} is no experiment: write its number, or best")
    if which not in campaign.experiments:
        last = max(campaign.experiments, default=0)
        raise UserError(f"there is no experiment {which}: they run from 1 to {last}")
    return campaign.experiments[which]


def diff(*, repo: Path, campaign: str | None, one: int | str, other: int | str) -> int:
    """Two experiments beside each other, and what changes in the code from the first to the second."""
    with campaign_session(repo, campaign, quiet=True) as session:
        state = session.context.ledger.refresh()
        known = figures_of(session.context, state)
        rows = {row.number: row for row in known.rows}
        sides = []
        for which in (one, other):
            made = None if which == "baseline" else _experiment(state, which)
            if made is not None and made.candidate is None:
                raise UserError(f"experiment {made.number} has no commit yet: there is nothing to compare")
            if made is not None:
                ensure_commit(session.context, made)
            commit = made.candidate.commit if made is not None and made.candidate else state.baseline
            require_commit(session.context, commit)
            sides.append((rows[made.number] if made is not None else None, commit))
        (first, before), (second, after) = sides
        changed = session.context.git.diff(before, after)
        terminal.show(comparison(known, first, second, changed))
    return 0


def _whole(context: Context, campaign: Campaign, experiment: Experiment) -> Document:
    diff, why = "", None
    if experiment.candidate is not None:
        ensure_commit(context, experiment)
        diff = context.git.diff(experiment.candidate.parent, experiment.candidate.commit)
        why = why_self_reported(context, experiment.candidate.commit)
    return whole(
        campaign, experiment, diff, into=context.branch, rule=rule_of(context.config, campaign),
        on_github=on_github(context), self_reported=why,
    )  # fmt: skip


def _conversations(context: Context, experiment: Experiment) -> list[str]:
    """Return what was said about an experiment, as far as this clone has it."""
    found = conversations_of(context.git.common_dir, context.name, experiment.number)
    if not found:
        by = f", proposed by {experiment.proposal.proposer}," if experiment.proposal else ""
        raise UserError(
            f"no conversation on experiment {experiment.number}{by} is kept in this clone: those of workflow runs"
            f" are artifacts, conversations-{experiment.number}-1"
        )
    return found


def report(
    *, repo: Path, campaign: str | None, html: Path | None, picture: Path | None, tsv: Path | None, serve: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Markdown to the terminal, or one self-contained page, a picture, or the page as it goes."""
    if serve is not None:
        return _serve(repo, campaign, serve)
    with campaign_session(repo, campaign, quiet=as_json) as session:
        state = session.context.ledger.refresh()
        say_uncommitted(session)
        known = figures_of(session.context, state, details=html is not None)
        if html is not None:
            write_text(html, report_html(known))
            session.say(f"wrote {html}")
        if picture is not None:
            write_file(picture, share_png(known))
            session.say(f"wrote {picture}")
        if tsv is not None:
            write_text(tsv, results_tsv(state))
            session.say(f"wrote {tsv}")
        if as_json:
            rows = [experiment_json(row) for row in known.rows]
            print(json.dumps({**status_json(known), "rows": rows}, indent=2))
        elif html is None and picture is None and tsv is None:
            print(markdown.write(report_of(known)))
    return 0


def _serve(repo: Path, campaign: str | None, where: str) -> int:
    """Serve the page until Ctrl-C, made anew if the ledger has grown."""
    from bot.base.serving import address_of, server

    try:
        host, port = address_of(where)
    except ValueError as error:
        raise UserError(f"--serve: {error}") from None
    with campaign_session(repo, campaign, quiet=True) as session:
        made: dict[str, str] = {}

        def render() -> tuple[str, str]:
            state = session.context.ledger.look()
            version = f"{state.event_count}-{state.last_at}"
            if version not in made:
                made.clear()
                made[version] = report_html(figures_of(session.context, state, details=True), version=version)
            return version, made[version]

        with server(host, port, render) as serving:
            port = serving.server_port
            session.say(
                f"http://{f'[{host}]' if ':' in host else host}:{port}/ shows it as it goes; Ctrl-C ends it"
            )
            if host not in ("127.0.0.1", "localhost", "::1"):
                session.say("whoever reaches this address reads the campaign; nobody can change it there")
            with suppress(KeyboardInterrupt):
                serving.serve_forever()
    return 0


def write_text(path: Path, text: str) -> None:
    """Write a file that the user named."""
    write_file(path, text.encode())


def write_file(path: Path, content: bytes) -> None:
    """Write a file that the user named. Raises UserError if that can't be."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"{path}: can't write ({error.strerror}): name another file") from None


_SAID = {
    "sent": "sent to {channel}",
    "already": "is in {channel} already",
    "elsewhere": "is being sent by another process",
    "unknown": "went out to {channel}, and whether it arrived can't be known: it is not sent again",
}


def morning(*, repo: Path, campaign: str | None, day: date | None, dry_run: bool, as_json: bool) -> int:
    """The summary of a date, sent, or shown and kept in a file if there is nobody to send it to."""
    with ExitStack() as stack:
        for name in [campaign] if campaign else campaign_names(repo):
            _one(
                stack.enter_context(campaign_session(repo, name, quiet=True)),
                day,
                dry_run=dry_run,
                as_json=as_json,
            )
    return 0


def _one(session: Session, day: date | None, *, dry_run: bool, as_json: bool) -> None:
    context = session.context
    notifier = None if dry_run else context.notifier
    told = tell_morning(context, notifier, day)
    if told.message is None:
        session.say(f"{context.name}: nothing new to tell")
        return
    document = told.message.document()
    text = markdown.write(document)
    add_summary(os.environ, text)
    if as_json:
        said = {"campaign": context.name, "key": told.message.key, "outcome": told.outcome, "text": text}
        print(json.dumps(said))
    if notifier is not None and told.outcome is not None:
        sent = _SAID[told.outcome].format(channel=notifier.channel)
        session.say(f"{context.name}: the summary {told.message.key.partition(':')[2]} {sent}")
        return
    if not as_json:
        terminal.show(document)
    if dry_run:
        return
    kept = FileNotifier(context.git.common_dir / "nocturne" / context.name / "messages")
    file = kept.find(told.message.key, since=now()) or kept.post(told.message)
    if file is not None and told.png is not None:
        kept.show_chart(file, told.message, told.png)
    session.say(f"Slack is not set up; the summary is in .git/nocturne/{context.name}/messages/{file}")
