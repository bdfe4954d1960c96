"""The command line: what there is to say, and which function below `bot.commands` does it."""

from __future__ import annotations

import argparse
import functools
import importlib
import logging
import os
import re
import shlex
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import FrameType
from typing import Any

from bot import __version__
from bot.base.process import in_actions
from bot.base.redact import hold
from bot.base.text import clean
from bot.errors import UserError
from bot.rules.aims import AIMS
from bot.rules.commands import STEERING, command_of

# What runs a task. The rest works wherever Python and git do.
_ON_LINUX = ("demo", "doctor", "run", "confirm", "iterate", "train")
_ELSEWHERE = (
    "needs Linux, whose namespaces keep a candidate in its jail: on Windows run it in WSL2, on a Mac on a Linux machine"
    " or in a virtual one; init, status, show and report work here"
)
# What is cut short goes on if it is said again.
_GOES_ON = ("demo", "run", "confirm", "iterate", "propose", "train", "decide", "rubric")
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


def _clock(text: str) -> str:
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no time of day: write HH:MM, such as 07:00")
    return text


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no count: write 1 or more")
    return int(text)


def _which(text: str) -> int | str:
    if text in ("best", "baseline"):
        return text
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no experiment: write its number, best, or baseline")
    return int(text)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date: write YYYY-MM-DD") from None


Option = tuple[Sequence[str], Mapping[str, Any]]


@dataclass(frozen=True)
class Verb:
    """A command: the function below `bot.commands` that does it, what it is for, and its options.

    `json` says what `--json` does, None if there is no such thing. `campaign`: it is about one, in a repository.
    """

    name: str
    at: str
    text: str
    options: Sequence[Option]
    json: str | None
    campaign: bool


def _verb(
    name: str, at: str, text: str, *options: Option, json: str | None = None, campaign: bool = True
) -> Verb:
    return Verb(name, at, text, options, json, campaign)


def _option(*names: str, **how: Any) -> Option:
    return names, how


def _flag(name: str, text: str) -> Option:
    return (name,), {"action": "store_true", "help": text}


_JSON, _LAST_LINE = "as JSON", "end with one line of JSON"
_NUMBER = _option("number", type=int, metavar="N")
_WHICH = _option("number", type=_which, metavar="N", help="the experiment: its number, or best")
_OPEN = _option("number", nargs="?", type=int, metavar="N", help="the experiment; default: the first open")
_STEERED_BY = {
    "idea": _option("words", nargs="+", metavar="TEXT", help='such as "LEARNING_RATE = 0.004"'),
    "reject": _option("words", nargs="*", metavar="REASON", help="why, for its pull request"),
    "promote": _flag("--merge", "move the base branch forward to the tested incumbent"),
}
GROUPS: Mapping[str, Sequence[Verb]] = {
    "start": (
        _verb(
            "init", "init:init", "Write the configuration into a repository, and with --starter a task.",
            _option("directory", nargs="?", type=Path, default=Path(), metavar="DIR"),
            _flag("--starter", "write train.py, prepare.py and program.md too"),
            _option("--github", choices=("one", "three"), nargs="?", const="one", metavar="one|three",
                    help="write the workflow for GitHub: one job for everything, or three of split trust"),
            _option("--action", metavar="OWNER/NAME@COMMIT", help="where Nocturne is; default: where it came from"),
            _option("--runs-on", default="self-hosted,gpu", metavar="LABELS", help="labels of the runner with the GPU"),
            _option("--runners", type=_count, default=1, metavar="N", help="workflows for N runners that work at once"),
            _option("--remote", metavar="NAME", help="the git remote that holds the campaign, such as origin"),
            _flag("--no-remote", "keep the campaign in this clone"),
            _flag("--claude", "let Claude propose; what it is shown and costs is said first"),
            campaign=False,
        ),
        _verb("cuts-key", "cuts_key:run", "Print a new secret for the cuts of a repository on GitHub.", campaign=False),
        _verb(
            "demo", "demo:run", "Run a real campaign on this machine, from nothing to a report.",
            _option("--dir", type=Path, default=Path("nocturne-demo"), dest="directory", metavar="DIR"),
            _option("--experiments", type=_count, default=10, metavar="N"),
            _option("--seed", type=int, default=0, metavar="N", help="seed of search and runs"),
            json=_LAST_LINE, campaign=False,
        ),
        _verb(
            "doctor", "doctor:run", "Say whether a loop would earn its cost here, and what to fix.",
            _flag("--quick", "train nothing"),
            _option("--run", action="store_true", dest="train", help="train the incumbent, however long it takes"),
            json=_JSON,
        ),
        _verb(
            "import", "importing:run", "Take over another tool's campaign as history: results.tsv, autoresearch.jsonl.",
            _option("file", type=Path, metavar="FILE", help="its log"),
            _option("--metric", metavar="NAME", help="what the log calls this campaign's metric"),
            _option("--verify", type=_count, default=0, metavar="N", help="measure its N best claims first"),
        ),
        _verb(
            "uninstall", "uninstall:run", "Remove what Nocturne keeps in this clone; with --remote there too.",
            _flag("--remote", "delete branches, ledger and records there"), _flag("--yes", "do it, don't only say it"),
        ),
        _verb(
            "completion", "cli:completion", "Print what makes a shell complete these commands.",
            _option("shell", choices=("bash", "zsh")), campaign=False,
        ),
    ),
    "run": (
        _verb(
            "run", "run:run", "Run the loop until a stop condition holds.",
            _option("-n", type=_count, dest="experiments", metavar="N", help="at most N experiments"),
            _option("--until", type=_clock, metavar="HH:MM", help="no new experiment after this time"),
            _option("--workers", type=_count, default=1, metavar="N", help="N loops at once, each on its own GPU"),
        ),
        _verb(
            "confirm", "run:confirm", "Run head and baseline side by side on new seeds: is the gain real?",
            _option("--pairs", type=_count, default=3, metavar="N", help="pairs of runs; default: 3"),
        ),
        _verb("iterate", "run:iterate", "Do one experiment, all its stages in one process."),
        _verb(
            "propose", "run:propose", "Open the next experiment: proposal, branch, pull request, review.",
            _flag("--finish-first", "an experiment that is open already comes before a new one"),
        ),
        _verb(
            "train", "run:train", "Train and score an open experiment until its verdict is known.", _OPEN,
            _option("--handover", type=Path, metavar="FILE", help="write the runs to FILE and nothing to the remote"),
        ),
        _verb(
            "decide", "run:decide", "Merge or close an experiment whose verdict is known.", _OPEN,
            _option("--handover", type=Path, metavar="FILE", help="take runs from FILE"),
        ),
        _verb(
            "rubric", "rubric:run", "Write, grade and improve a text until every criterion of its task passes.",
            _option("task", type=Path, metavar="TASK.md", help="the task, with its `## Criteria`"),
            _option("--rounds", type=_count, metavar="N", help="at most N versions"), json=_LAST_LINE, campaign=False,
        ),
    ),
    "look": (
        _verb("status", "look:status", command_of("status").verb, json=_JSON),
        _verb(
            "watch", "watch:run", "Watch the campaign as it goes: what runs now, the way so far, what waits, verdicts.",
            _flag("--once", "show it once"),
        ),
        _verb(
            "show", "look:show", command_of("explain").verb, _WHICH,
            _flag("--conversation", "show what Claude was told and said instead"), json=_JSON,
        ),
        _verb(
            "report", "look:report", "Write the report: Markdown to the terminal, or a page.",
            _option("--html", type=Path, metavar="FILE", help="write one self-contained HTML page"),
            _option("--serve", nargs="?", const="8765", metavar="[HOST:]PORT",
                    help="serve the page, updated as it goes, for reading only; default: 127.0.0.1:8765"),
            _option("--picture", type=Path, metavar="FILE", help="write a picture to share: PNG with title and gain"),
            _option("--tsv", type=Path, metavar="FILE", help="write results.tsv as autoresearch has it"), json=_JSON,
        ),
        _verb(
            "diff", "look:diff", "Compare two experiments: what they change, what they scored, and the code.",
            _option("one", type=_which, metavar="A", help="an experiment, best, or baseline"),
            _option("other", type=_which, metavar="B"),
        ),
        _verb(
            "replay", "what_if:replay", "Ask the rule again about the runs at hand: which verdict differs?",
            _option("ledger", nargs="?", type=Path, metavar="LEDGER", help="its folder or events; default: this one's"),
            _option("--aim", choices=AIMS, help="default: as configured, for files balanced"), json=_JSON,
        ),
        _verb(
            "simulate", "what_if:simulate", "What other settings would have found, in campaigns like this one.",
            _option("--runs", type=_count, metavar="N", help="whole runs of each; default: as this one, 20 to 200"),
            _option("--seeds", type=_count, default=12, metavar="N", help="campaigns for each setting; default: 12"),
            _flag("--imported", "fit to the log that `import` took over"), json=_JSON,
        ),
        _verb(
            "morning", "look:morning", "Tell what the night has brought: in Slack, or as Markdown.",
            _option("--date", type=_date, dest="day", metavar="YYYY-MM-DD", help="which morning; today's without it"),
            _flag("--dry-run", "only show it; send and record nothing"), json="one line of JSON for each campaign",
        ),
        _verb(
            "outer", "outer:run", command_of("outer").verb,
            _option("words", nargs="*", metavar="NAME on|off", help="let a mechanism in or take it out"),
            _flag("--prior", "print what was found, for `outer_prior` of the next campaign"), json=_JSON,
        ),
    ),
    "steer": tuple(
        _verb(
            name, "steer:run", command_of(name).verb,
            *((_NUMBER,) if command_of(name).numbered else ()), *filter(None, (_STEERED_BY.get(name),)),
        )
        for name in STEERING
    ),
    "in workflows": (
        _verb(
            "next", "workflow:next_run",
            "Start the workflow's next run, unless a stop condition holds (in GitHub Actions).",
            _option("--attempt", type=int, default=0, metavar="N", help="runs in a row that trained nothing"),
            json=_JSON,
        ),
        _verb("answer", "workflow:answer", "Do what a comment asks that begins with /nocturne (in GitHub Actions)."),
    ),
}  # fmt: skip


class _Grouped(argparse.HelpFormatter):
    """Lists the commands by what they are for."""

    def _format_action(self, action: argparse.Action) -> str:
        if not isinstance(action, argparse._SubParsersAction):
            return super()._format_action(action)
        verbs = {each.dest: each for each in action._get_subactions()}
        parts = []
        for group, members in GROUPS.items():
            parts.append(f"\n  {group}:\n")
            self._indent()
            parts += [super(_Grouped, self)._format_action(verbs[verb.name]) for verb in members]
            self._dedent()
        return self._join_parts(parts)


def _add_verbosity(to: argparse.ArgumentParser, default: object) -> None:
    how = to.add_mutually_exclusive_group()
    for flag, name, level, text in (
        ("-q", "--quiet", logging.WARNING, "say only what was asked for, and errors"),
        ("-v", "--verbose", logging.DEBUG, "say which programs are run, and where an error came from"),
    ):
        how.add_argument(
            flag, name, action="store_const", const=level, dest="level", default=default, help=text
        )


@functools.cache
def parser() -> argparse.ArgumentParser:
    """Return the parser of `nocturne`."""
    top = argparse.ArgumentParser(
        prog="nocturne",
        description="Runs one experiment after another on your train.py, and keeps what is better.",
        formatter_class=_Grouped,
    )
    _add_verbosity(top, logging.INFO)
    top.add_argument("--version", action="version", version=f"nocturne {__version__}")
    verbs = top.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    for verb in (verb for members in GROUPS.values() for verb in members):
        added = verbs.add_parser(verb.name, help=verb.text, description=verb.text)
        _add_verbosity(added, argparse.SUPPRESS)
        added.set_defaults(at=verb.at, **({"name": verb.name} if verb.name in STEERING else {}))
        if verb.campaign:
            added.add_argument("--repo", type=Path, default=Path(), metavar="DIR", help="the repository")
            added.add_argument("--campaign", metavar="NAME", help="which campaign, if there are several")
        for names, how in verb.options:
            added.add_argument(*names, **how)
        if verb.json is not None:
            added.add_argument("--json", action="store_true", dest="as_json", help=verb.json)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 (a check failed), 2 (yours to fix), 130 (interrupted)."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["loop"]:
        print("nocturne: `loop` is now called `rubric`: the next release knows only that", file=sys.stderr)
        given[0] = "rubric"
    arguments = vars(parser().parse_args(given))
    verb = arguments.pop("verb")
    module, _, function = arguments.pop("at").partition(":")
    logging.getLogger("nocturne").setLevel(arguments.pop("level"))
    signal.signal(signal.SIGTERM, _as_interrupt)
    if sys.platform != "linux" and verb in _ON_LINUX:
        print(f"nocturne: {verb} {_ELSEWHERE}", file=sys.stderr)
        return EXIT_USER_ERROR
    hold(os.environ)
    try:
        return int(getattr(importlib.import_module(f"bot.commands.{module}"), function)(**arguments))
    except UserError as error:
        if logging.getLogger("nocturne").isEnabledFor(logging.DEBUG):
            print(clean(traceback.format_exc()), file=sys.stderr)
        print(f"nocturne: {clean(str(error))}", file=sys.stderr)
        _annotate(error)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        again = clean(shlex.join(["nocturne", *given]))
        goes_on = f"; nothing is lost, `{again}` goes on" if verb in _GOES_ON else ""
        print(f"nocturne: interrupted{goes_on}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) went away: nothing more to say, and no traceback at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def completion(*, shell: str) -> int:
    """Print a script that makes a shell complete the commands and their options."""
    print(importlib.import_module("shtab").complete(parser(), shell))
    return 0


def _annotate(error: UserError) -> None:
    """Show the error on the workflow run's page too."""
    if in_actions(os.environ):
        from bot.github import files  # not needed if all goes well, which is to start quickly

        print(files.command("error", clean(str(error)), title="Nocturne"), flush=True)


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
