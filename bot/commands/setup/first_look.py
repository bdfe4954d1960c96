"""What `nocturne init` says of the configured task, from the files as they lie there, committed or not."""

from __future__ import annotations

from collections.abc import Iterator

from bot.agents.offline.space import nothing_to_turn, space_of, told
from bot.commands.setup.proposal import reader
from bot.config import Config, campaigns, parse
from bot.git import Git
from bot.loop.start import rules_for
from bot.rules.self_reported import FIX, Read, self_reported
from bot.rules.wall import wanted


def first_look(git: Git, text: str) -> Iterator[str]:
    """Yield lines for the first campaign of the configuration `text`: who measures, and what the search turns."""
    _, config = parse(text, campaign=campaigns(text)[0])
    read = reader(git.top)
    files = {path: content for path in config.editable if (content := read(path)) is not None}
    if not files:
        return  # what is missing is said with what remains to do
    yield from _who_measures(config, read)
    if config.proposer not in ("offline", "claude"):
        return
    space = space_of(files, rules_for(config, git, git.resolve("HEAD"), files))
    who = "the offline search" if config.proposer == "offline" else "if Claude does not propose, the search"
    if space.knobs:
        yield f"{who} turns {told(space)}"
    elif config.proposer == "offline":
        yield nothing_to_turn(space, files)


def _who_measures(config: Config, read: Read) -> Iterator[str]:
    task = config.evaluator
    wall = wanted(task.command, (*task.call, *task.produce), config.editable, read)
    if wall is not None:
        yield wall.words
        return
    why = self_reported(task.kind, task.command, task.produce, config.editable, read, task.call)
    if why is not None:
        yield f"the score is {why} -> {FIX}"
