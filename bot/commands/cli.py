"""The command line: parses, and hands on to one module per family of verbs under `bot.commands`."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from types import FrameType

from bot import __version__
from bot.base.process import in_actions
from bot.errors import UserError
from bot.rules.commands import STEERING, command_of

# What runs a task. The rest works wherever Python and git do.
_ON_LINUX = ("demo", "doctor", "run", "iterate", "train")
_ELSEWHERE = (
    "needs Linux, whose namespaces keep a candidate in its jail: on Windows run it in WSL2, on a Mac on a Linux machine"
    " or in a virtual one; init, status, show and report work here"
)
GROUPS = {
    "start": ("init", "demo", "doctor", "uninstall", "completion"),
    "run": ("run", "iterate", "propose", "train", "decide", "rubric"),
    "look": ("status", "show", "report", "morning"),
    "steer": ("idea", "pause", "resume", "stop", "approve", "reject", "retry", "revert", "promote"),
    "in workflows": ("next", "answer"),
}
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


def _clock(text: str) -> str:
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no time of day: write HH:MM, such as 07:00")
    return text


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of experiments: write 1 or more")
    return int(text)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date: write YYYY-MM-DD") from None


class _Grouped(argparse.HelpFormatter):
    """Lists the commands by what they are for."""

    def _format_action(self, action: argparse.Action) -> str:
        if not isinstance(action, argparse._SubParsersAction):
            return super()._format_action(action)
        verbs = {each.dest: each for each in action._get_subactions()}
        parts = []
        for group, names in GROUPS.items():
            parts.append(f"\n  {group}:\n")
            self._indent()
            parts += [super(_Grouped, self)._format_action(verbs[name]) for name in names]
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

    def says_json(one: argparse.ArgumentParser, how: str = "as JSON") -> None:
        one.add_argument("--json", action="store_true", dest="as_json", help=how)

    def verb(name: str, text: str, *, campaign: bool = True) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text)
        _add_verbosity(added, argparse.SUPPRESS)
        if campaign:
            added.add_argument("--repo", type=Path, default=Path(), metavar="DIR", help="the repository")
            added.add_argument("--campaign", metavar="NAME", help="which campaign, if there are several")
        return added

    init = verb(
        "init", "Write the configuration into a repository, and with --starter a task.", campaign=False
    )
    init.add_argument("directory", nargs="?", type=Path, default=Path(), metavar="DIR")
    init.add_argument("--starter", action="store_true", help="write train.py, prepare.py and program.md too")
    init.add_argument(
        "--github", choices=("one", "three"), nargs="?", const="one", metavar="one|three",
        help="write the workflow for GitHub: one job for everything, or three of split trust",
    )  # fmt: skip
    init.add_argument(
        "--action", metavar="OWNER/NAME@COMMIT", help="where Nocturne is; default: where it came from"
    )
    init.add_argument(
        "--runs-on", default="self-hosted,gpu", metavar="LABELS", help="the labels of the runner with the GPU"
    )

    demo = verb("demo", "Run a real campaign on this machine, from nothing to a report.", campaign=False)
    demo.add_argument("--dir", type=Path, default=Path("nocturne-demo"), dest="directory", metavar="DIR")
    demo.add_argument("--experiments", type=_count, default=10, metavar="N")
    demo.add_argument("--seed", type=int, default=0, metavar="N", help="seed of search and runs")
    says_json(demo, "end with one line of JSON")

    run = verb("run", "Run the loop until a stop condition holds.")
    run.add_argument("-n", type=_count, dest="experiments", metavar="N", help="at most N experiments")
    run.add_argument("--until", type=_clock, metavar="HH:MM", help="no new experiment after this time")

    verb("iterate", "Do one experiment, all its stages in one process.")
    propose = verb("propose", "Open the next experiment: proposal, branch, pull request, review.")
    propose.add_argument(
        "--finish-first",
        action="store_true",
        help="an experiment that is open already comes before a new one",
    )
    for name, text in (
        ("train", "Train and score an open experiment until its verdict is known."),
        ("decide", "Merge or close an experiment whose verdict is known."),
    ):
        one = verb(name, text)
        one.add_argument(
            "number", nargs="?", type=int, metavar="N", help="the experiment; default: the first open"
        )
        said = (
            "write the runs to FILE and nothing to the remote" if name == "train" else "take runs from FILE"
        )
        one.add_argument("--handover", type=Path, metavar="FILE", help=said)
    onward = verb("next", "Start the workflow's next run, unless a stop condition holds (in GitHub Actions).")
    onward.add_argument(
        "--attempt", type=int, default=0, metavar="N", help="how many runs in a row ended without a training"
    )

    says_json(onward)
    doctor = verb("doctor", "Say whether a loop would earn its cost here, and what to fix.")
    doctor.add_argument("--quick", action="store_true", help="train nothing")
    says_json(doctor)

    status = verb("status", command_of("status").verb)
    says_json(status)
    show = verb("show", command_of("explain").verb)
    show.add_argument("number", type=int, metavar="N")
    show.add_argument(
        "--conversation", action="store_true", help="show what Claude was told and said instead"
    )
    says_json(show)
    report = verb("report", "Write the report: Markdown to the terminal, or a page.")
    report.add_argument("--html", type=Path, metavar="FILE", help="write one self-contained HTML page")
    report.add_argument("--tsv", type=Path, metavar="FILE", help="write results.tsv as autoresearch has it")

    says_json(report)
    morning = verb("morning", "Tell what the night has brought: in Slack, or as Markdown.")
    morning.add_argument(
        "--date", type=_date, dest="day", metavar="YYYY-MM-DD", help="which morning; today's without it"
    )
    says_json(morning, "one line of JSON for each campaign")
    morning.add_argument("--dry-run", action="store_true", help="only show it; send and record nothing")

    rubric = verb(
        "rubric", "Write, grade and improve a text until every criterion of its task passes.", campaign=False
    )
    rubric.add_argument("task", type=Path, metavar="TASK.md", help="the task, with its `## Criteria`")
    rubric.add_argument("--rounds", type=_count, metavar="N", help="at most N versions")
    says_json(rubric, "end with one line of JSON")
    for command in (command_of(name) for name in STEERING):
        told = verb(command.name, command.verb)
        told.set_defaults(module="steer", name=command.name)
        if command.numbered:
            told.add_argument("number", type=int, metavar="N")
        if command.name == "reject":
            told.add_argument("words", nargs="*", metavar="REASON", help="why, for its pull request")
        elif command.name == "idea":
            told.add_argument("words", nargs="+", metavar="TEXT", help='such as "LEARNING_RATE = 0.004"')
        elif command.name == "promote":
            told.add_argument(
                "--merge", action="store_true", help="move the base branch forward to the tested incumbent"
            )
    completion = verb("completion", "Print what makes a shell complete these commands.", campaign=False)
    completion.add_argument("shell", choices=("bash", "zsh"))
    verb("answer", "Do what a comment asks that begins with /nocturne (in GitHub Actions).")
    uninstall = verb("uninstall", "Remove what Nocturne keeps in this clone; with --remote there too.")
    uninstall.add_argument("--remote", action="store_true", help="delete branches, ledger and records there")
    uninstall.add_argument("--yes", action="store_true", help="do it; without this, only say what would go")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 (a check failed), 2 (yours to fix), 130 (interrupted)."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["loop"]:
        print("nocturne: `loop` is now called `rubric`: the next release knows only that", file=sys.stderr)
        given[0] = "rubric"
    arguments = vars(parser().parse_args(given))
    verb = arguments.pop("verb")
    module = arguments.pop("module", verb)
    logging.getLogger("nocturne").setLevel(arguments.pop("level"))
    signal.signal(signal.SIGTERM, _as_interrupt)
    if sys.platform != "linux" and verb in _ON_LINUX:
        print(f"nocturne: {verb} {_ELSEWHERE}", file=sys.stderr)
        return EXIT_USER_ERROR
    try:
        return int(importlib.import_module(f"bot.commands.{module}").run(**arguments))
    except UserError as error:
        if logging.getLogger("nocturne").isEnabledFor(logging.DEBUG):
            from bot.base.redact import Redactor  # rarely needed

            print(Redactor(os.environ)(traceback.format_exc()), file=sys.stderr)
        print(f"nocturne: {error}", file=sys.stderr)
        _annotate(error)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print("nocturne: interrupted; nothing is lost, `nocturne run` goes on", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) went away: nothing more to say, and no traceback at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _annotate(error: UserError) -> None:
    """Show the error on the workflow run's page too."""
    if in_actions(os.environ):
        from bot.github import files  # not needed if all goes well, which is to start quickly

        print(files.command("error", str(error), title="Nocturne"), flush=True)


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
