"""`nocturne demo`: a real campaign on this machine, from an empty folder to a report."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from bot.base.process import ProcessFailed
from bot.base.process import run as run_process
from bot.commands.init import write_starter
from bot.commands.look import write_text
from bot.commands.session import Session, campaign_session
from bot.config import CONFIG_PATH
from bot.errors import UserError
from bot.git import AUTHOR, Git
from bot.loop.confirming import confirm
from bot.loop.evaluation import call_evaluator
from bot.loop.render import figures_of
from bot.loop.runner import Until, run_loop
from bot.rules.campaign import Campaign
from bot.tell.figures.plain import status_json
from bot.tell.figures.results import results_tsv
from bot.tell.page import report_html
from bot.tell.views.campaign import latest_experiments, overview
from bot.tell.words import confirmation_words, title
from bot.tell.writers import terminal

MARKER = "nocturne-demo"
_CONFIG = """\
# The demo's configuration: short runs on one CPU core, counted in CPU seconds, so that what else the
# machine does changes little.
seed: {seed}
evaluator:
  budget: {{kind: cpu, amount: {budget}}}
  threads: 1
  jail: {jail}
stop:
  experiments: {experiments}
"""
CPU_SECONDS = 4


def run(*, directory: Path, experiments: int, seed: int, as_json: bool) -> int:
    directory = directory.absolute()
    _empty_repository(directory, experiments, seed, jail=_jail())
    print(f"A new repository with the bundled task: {directory}", flush=True)
    call_evaluator("prepare", str(directory), timeout=900)  # snapshots the text, once for this machine
    with campaign_session(directory, None) as session:
        context = session.context
        session.say_end(run_loop(context, Until()))
        campaign = context.ledger.refresh()
        if campaign.incumbent != campaign.baseline:
            session.say("Measuring head and baseline side by side, three new seeds each.")
            campaign = confirm(context, campaign, pairs=3)
        context.display.close()
        _say_result(session, campaign, directory, as_json=as_json)
    return 0


def _jail() -> str:
    """Return the jail that this machine has. The demo runs our own proposals only, so it may do without."""
    try:
        return call_evaluator("jail", timeout=300).strip()
    except UserError as error:
        print(f"{error}\nThe demo runs no stranger's code: it goes on without a jail.")
        return "none"


def _empty_repository(directory: Path, experiments: int, seed: int, *, jail: str) -> None:
    """Make a repository with starter and configuration; an earlier demo in the same place goes."""
    if directory.exists() and any(directory.iterdir()):
        if not (directory / ".git" / MARKER).exists():
            raise UserError(f"{directory} is not empty: choose another folder with --dir DIR")
        shutil.rmtree(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        run_process(["git", "init", "--quiet", "--initial-branch=main", str(directory)])
        git = Git.open(directory)
        (directory / ".git" / MARKER).touch()
        write_starter(git.top)
        config = directory / CONFIG_PATH
        config.parent.mkdir(parents=True)
        config.write_text(_CONFIG.format(seed=seed, budget=CPU_SECONDS, experiments=experiments, jail=jail))
        name, _, address = AUTHOR.partition(" <")
        who = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": address.rstrip(">")}
        who |= {"GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": address.rstrip(">")}
        git.run(["add", "--all"])
        git.run(["commit", "--quiet", "--message", "Start from the bundled task"], env=who)
    except OSError as error:
        raise UserError(f"{directory}: can't write ({error.strerror}): choose another with --dir") from None
    except ProcessFailed as error:
        raise UserError(f"{directory}: git failed: {error}") from None


def _say_result(session: Session, campaign: Campaign, directory: Path, *, as_json: bool) -> None:
    known = figures_of(session.context, campaign, details=True)
    page = directory / "report.html"
    write_text(page, report_html(known))
    write_text(directory / "results.tsv", results_tsv(campaign))
    if as_json:
        print(json.dumps(status_json(known)))
        return
    from rich.console import Console

    console = Console(highlight=False)
    terminal.show(latest_experiments(known, width=console.width), console)
    console.print(terminal.panel(title(known), overview(known)))
    session.say(
        confirmation_words(known, known.confirmation) if known.confirmation is not None else
        "No experiment was merged: nothing beat the baseline beyond the noise. That happens; try --seed 1."
    )  # fmt: skip
    session.say(f"Report: {os.path.relpath(page)}")
    session.say(f"History: git -C {os.path.relpath(directory)} log {session.context.branch}")
