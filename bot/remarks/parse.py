"""What can be said in a comment: one table, and how a comment is read by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.pulls.safe import code
from bot.text import one_line

CALL = "/nocturne"
TEXT_LIMIT = 300  # characters of what a human says with a command about an experiment
Name = Literal[
    "status", "pause", "resume", "stop", "retry", "approve", "reject", "revert", "promote", "explain", "idea",
    "help",
]  # fmt: skip


@dataclass(frozen=True)
class Command:
    """A command; where `numbered`, it is about one experiment, and where `worded`, what follows is a text.

    `on_pull` and `elsewhere` say what it does on an experiment's pull request, and on any other one or an
    issue.
    """

    name: Name
    on_pull: str
    elsewhere: str
    numbered: bool = False
    worded: bool = False


_SAME = "the same"
COMMANDS = (
    Command("status", "says where the campaign stands: scores, gain, costs, latest experiments", _SAME),
    Command("pause", "lets loops end after the stage in hand; experiments stay open", _SAME),
    Command(
        "resume", "takes `pause` and `stop` back, counts streaks anew and starts the workflow again", _SAME
    ),
    Command("stop", "lets loops end after the experiment in hand", _SAME),
    Command(
        "retry",
        "tries this experiment again, on the present incumbent, by a new experiment; not while it is open, and"
        " not once it is merged",
        "the same with its number: `/nocturne retry 7`",
        numbered=True,
    ),
    Command(
        "approve",
        "notes that a human has read this experiment, merged or held for want of a reader; overrules neither review"
        " nor measurement",
        "on the promotion: merges it; elsewhere the same with its number: `/nocturne approve 7`",
        numbered=True,
    ),
    Command(
        "reject",
        "ends this open experiment as `rejected`, also while it trains: nothing of it is merged; what follows is"
        " the reason",
        "the same with its number: `/nocturne reject 7 it leaks`",
        numbered=True,
        worded=True,
    ),
    Command(
        "revert",
        "takes this merged experiment out again, by a new experiment",
        "the same with its number: `/nocturne revert 7`",
        numbered=True,
    ),
    Command(
        "promote",
        "opens the promotion, the pull request with the confirmed gains, or brings it up to date",
        _SAME,
    ),
    Command(
        "explain",
        "says why this experiment was tried, what was measured and why its verdict is what it is",
        "the same with its number: `/nocturne explain 7`",
        numbered=True,
    ),
    Command(
        "idea",
        "the rest of the comment is an idea, which this campaign's next experiments try: `/nocturne idea DEPTH = 6`",
        "the same, in all campaigns; its outcome is told here",
        worded=True,
    ),
    Command("help", "shows this table", _SAME),
)


@dataclass(frozen=True)
class Wish:
    """A command that was understood; `experiment` is the number that was named, `text` what else was said."""

    name: Name
    experiment: int | None = None
    text: str = ""


@dataclass(frozen=True)
class Puzzle:
    """Words that are meant for us and can't be understood; `why` is Markdown."""

    why: str


def parse(body: str) -> Wish | Puzzle | None:
    """Return what a comment asks for; None where its first word is not ours.

    Its first line counts; what follows is for human readers, and the text of a command that takes one.
    """
    first, _, below = body.partition("\n")
    words = first.split()
    if not body.startswith(CALL) or words[0] != CALL:
        return None
    said = words[1].lower() if len(words) > 1 else "help"
    command = next((each for each in COMMANDS if each.name == said), None)
    if command is None:
        names = ", ".join(f"`{each.name}`" for each in COMMANDS)
        return Puzzle(f"I don't know {code(said, 40)}. I know {names}.")
    if command.worded and not command.numbered:
        return Wish(command.name, text=body.split(maxsplit=2)[2] if len(body.split(maxsplit=2)) > 2 else "")
    more = words[2:]
    if command.worded:
        number = int(more.pop(0)) if more and _is_number(more[0]) else None
        return Wish(command.name, number, one_line(f"{' '.join(more)} {below}", TEXT_LIMIT))
    if not more:
        return Wish(command.name)
    if not command.numbered:
        return Puzzle(f"`{CALL} {said}` takes nothing more on its line. An explanation may follow below it.")
    if len(more) > 1 or not _is_number(more[0]):
        return Puzzle(f"`{CALL} {said}` takes the number of one experiment, as in `{CALL} {said} 7`.")
    return Wish(command.name, int(more[0]))


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 10


def table() -> str:
    """Return the commands as a Markdown table: that of docs/commands.md, and the answer to `help`."""
    lines = ["| command | on an experiment's pull request | elsewhere |", "| --- | --- | --- |"]
    lines += [f"| `{CALL} {each.name}` | {each.on_pull} | {each.elsewhere} |" for each in COMMANDS]
    return "\n".join(lines) + "\n"
