"""`nocturne demo`: a real campaign on this machine, from an empty folder to a report."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass, replace
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
    made = _Made(seed, experiments)
    directory = _folder(directory.absolute(), made)
    if _made_in(directory) is None:
        _new_repository(directory, made, jail=_jail())
        print(f"A new repository with the bundled task: {directory}", flush=True)
    else:
        print(f"Going on with the demo in {directory}", flush=True)
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
    _mark(directory, replace(made, finished=True))
    return 0


@dataclass(frozen=True)
class _Made:
    """What a demo's folder was made for, as it is kept in its `.git`."""

    seed: int
    experiments: int
    finished: bool = False


def _made_in(folder: Path) -> _Made | None:
    """Return what the demo in a folder was made for, None if none is there."""
    try:
        return _Made(**json.loads((folder / ".git" / MARKER).read_text() or '{"seed": 0, "experiments": 0}'))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{folder / '.git' / MARKER}: {error}: choose another folder with --dir") from None


def _mark(folder: Path, made: _Made) -> None:
    (folder / ".git" / MARKER).write_text(json.dumps(asdict(made)))


def _folder(wanted: Path, made: _Made) -> Path:
    """Return where the demo goes: on, in the folder of one that was cut short, else into one that is not there yet.
    What lies in a folder stays: the user may have put something there."""
    for place in itertools.count(1):
        folder = wanted if place == 1 else wanted.with_name(f"{wanted.name}-{place}")
        if not folder.exists() or not any(folder.iterdir()):
            return folder
        found = _made_in(folder)
        if found is None and place == 1:
            raise UserError(f"{folder} is not empty: choose another folder with --dir DIR")
        if found == made:
            return folder
    raise AssertionError("there is always another number")


def _jail() -> str:
    """Return the jail that this machine has. The demo runs our own proposals only, so it may do without."""
    try:
        return call_evaluator("jail", timeout=300).strip()
    except UserError as error:
        print(f"{error}\nThe demo runs no stranger's code: it goes on without a jail.")
        return "none"


def _new_repository(directory: Path, made: _Made, *, jail: str) -> None:
    """Make a repository with starter and configuration; it has its name only once it is whole."""
    unfinished = None
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        run_process(["git", "init", "--quiet", "--initial-branch=main", str(unfinished)])
        git = Git.open(unfinished)
        write_starter(git.top)
        config = unfinished / CONFIG_PATH
        config.parent.mkdir(parents=True)
        text = _CONFIG.format(seed=made.seed, budget=CPU_SECONDS, experiments=made.experiments, jail=jail)
        config.write_text(text)
        name, _, address = AUTHOR.partition(" <")
        who = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": address.rstrip(">")}
        who |= {"GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": address.rstrip(">")}
        git.run(["add", "--all"])
        git.run(["commit", "--quiet", "--message", "Start from the bundled task"], env=who)
        _mark(unfinished, made)
        unfinished.chmod(0o755)
        unfinished.rename(directory)
    except OSError as error:
        raise UserError(f"{directory}: can't write ({error.strerror}): choose another with --dir") from None
    except ProcessFailed as error:
        raise UserError(f"{directory}: git failed: {error}") from None
    finally:
        if unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)


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
