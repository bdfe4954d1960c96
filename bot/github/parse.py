"""How a comment is read as a command."""

from __future__ import annotations

from dataclasses import dataclass

from bot.base.text import one_line
from bot.rules.commands import CALL, COMMANDS, TEXT_LIMIT, Name
from bot.tell.document import code
from bot.tell.writers import markdown


@dataclass(frozen=True)
class Asked:
    """A command that was understood; `experiment` is the number that was named, `text` what else was said."""

    name: Name
    experiment: int | None = None
    text: str = ""


@dataclass(frozen=True)
class NotUnderstood:
    """Words that are meant for us and can't be understood; `why` is Markdown."""

    why: str


def parse(body: str) -> Asked | NotUnderstood | None:
    """Return what a comment asks for; None if its first word is not ours.

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
        return NotUnderstood(f"I don't know {markdown.line((code(said, 40),))}. I know {names}.")
    if command.worded and not command.numbered:
        return Asked(command.name, text=body.split(maxsplit=2)[2] if len(body.split(maxsplit=2)) > 2 else "")
    more = words[2:]
    if command.worded:
        number = int(more.pop(0)) if more and _is_number(more[0]) else None
        return Asked(command.name, number, one_line(f"{' '.join(more)} {below}", TEXT_LIMIT))
    if not more:
        return Asked(command.name)
    if not command.numbered:
        return NotUnderstood(
            f"`{CALL} {said}` takes nothing more on its line. An explanation may follow below it."
        )
    if len(more) > 1 or not _is_number(more[0]):
        return NotUnderstood(f"`{CALL} {said}` takes the number of one experiment, as in `{CALL} {said} 7`.")
    return Asked(command.name, int(more[0]))


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 10


def table() -> str:
    """Return the commands as a Markdown table: that of docs/commands.md, and the answer to `help`."""
    lines = ["| command | on an experiment's pull request | elsewhere |", "| --- | --- | --- |"]
    lines += [f"| `{CALL} {each.name}` | {each.on_pull} | {each.elsewhere} |" for each in COMMANDS]
    return "\n".join(lines) + "\n"
