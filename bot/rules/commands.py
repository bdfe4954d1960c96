"""What a user may say: the words of the command line, of comments and of gestures on the forge, in one enumeration.

Whoever handles them matches over the names, so that a type checker says where a new one is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

CALL = "/nocturne"
TEXT_LIMIT = 300  # characters of what a human says with a command about an experiment

ExperimentCommand = Literal["revert", "retry", "approve", "reject"]  # that the ledger keeps
GivenCommand = Literal["pause", "resume", "stop"] | ExperimentCommand
AboutExperiment = Literal["retry", "approve", "reject", "revert", "explain"]
AboutCampaign = Literal["status", "pause", "resume", "stop", "promote", "idea", "outer"]
Name = AboutExperiment | AboutCampaign | Literal["help"]
Steering = ExperimentCommand | Literal["pause", "resume", "stop", "promote", "idea"]
Gesture = Literal["close", "delete_branch", "label", "push", "reopen", "review", "thumbs_up"]
"""What somebody who may write does to an experiment's pull request by hand; "label" puts `nocturne:rejected` on."""
STEERING: tuple[Steering, ...] = (
    *("idea", "pause", "resume", "stop", "approve", "reject", "retry", "revert", "promote"),
)


@dataclass(frozen=True)
class Command:
    """A command; if `numbered`, it is about one experiment, and if `worded`, what follows is a text.

    `on_pull` and `elsewhere` say what it does in a comment on an experiment's pull request, and on any other one or
    an issue; `verb` what it does on the command line.
    """

    name: Name
    verb: str
    on_pull: str
    elsewhere: str = "the same"
    worded: bool = False

    @property
    def numbered(self) -> bool:
        return self.name in get_args(AboutExperiment)


COMMANDS: tuple[Command, ...] = (
    Command(
        "status",
        "Say where the campaign stands.",
        "says where the campaign stands: scores, gain, costs, latest experiments",
    ),
    Command(
        "pause",
        "Let running loops end after the stage in hand; experiments stay open.",
        "lets loops end after the stage in hand; experiments stay open",
    ),
    Command(
        "resume",
        "Take back pause and stop, and let streaks count anew.",
        "takes `pause` and `stop` back, counts streaks anew and starts the workflow again",
    ),
    Command(
        "stop",
        "Let running loops end after the experiment in hand.",
        "lets loops end after the experiment in hand",
    ),
    Command(
        "retry",
        "Try a finished experiment again that was not merged, by a new experiment.",
        "tries this experiment again, on the present incumbent, by a new experiment; not while it is open, and not once"
        " it is merged",
        "the same with its number: `/nocturne retry 7`",
    ),
    Command(
        "approve",
        "Note that you have read a merged experiment.",
        "notes that a human has read this experiment, merged or held for want of a reader; overrules neither review nor"
        " measurement",
        "on the promotion: merges it; elsewhere the same with its number: `/nocturne approve 7`",
    ),
    Command(
        "reject",
        "End an open experiment, whatever its runs say.",
        "ends this open experiment as `rejected`, also while it trains: nothing of it is merged; what follows is the"
        " reason",
        "the same with its number: `/nocturne reject 7 it leaks`",
        worded=True,
    ),
    Command(
        "revert",
        "Take one merged experiment out again, by a new experiment.",
        "takes this merged experiment out again, by a new experiment",
        "the same with its number: `/nocturne revert 7`",
    ),
    Command(
        "promote",
        "Open or update the pull request with the confirmed gains.",
        "opens the promotion, the pull request with the confirmed gains, or brings it up to date",
    ),
    Command(
        "explain",
        "Show an experiment: proposal, diff, pull request, runs, verdict.",
        "says why this experiment was tried, what was measured and why its verdict is what it is",
        "the same with its number: `/nocturne explain 7`",
    ),
    Command(
        "idea",
        "Give an idea, which the next experiments try.",
        "the rest of the comment is an idea, which this campaign's next experiments try: `/nocturne idea DEPTH = 6`",
        "the same, in all campaigns; its outcome is told here",
        worded=True,
    ),
    Command(
        "outer",
        "Show what steers the search and what that is worth, or take a mechanism out.",
        "shows the mechanisms that steer the search and what they are worth; `/nocturne outer tabu off` takes one out,"
        " `on` lets it in again",
        worded=True,
    ),
    Command("help", "Show the commands.", "shows this table"),
)


def command_of(name: Name) -> Command:
    """Return the command of that name."""
    return next(command for command in COMMANDS if command.name == name)


def meant_by(gesture: Gesture) -> Literal["reject", "retry", "approve"]:
    """Return the command that a human's gesture on an experiment's pull request stands for.

    A pushed commit ends the experiment that it was pushed onto, and is an `idea` besides: it is tried as it stands.
    """
    match gesture:
        case "close" | "delete_branch" | "label" | "push":
            return "reject"
        case "reopen":
            return "retry"
        case "review" | "thumbs_up":
            return "approve"
