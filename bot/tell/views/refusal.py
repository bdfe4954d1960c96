"""What a user is told whose change a defence refused: which one, what it looks at, how often it errs, how to appeal."""

from __future__ import annotations

from dataclasses import dataclass

from bot.rules.audits import APPEAL, DEFENCE
from bot.rules.experiment import Experiment
from bot.tell.document import Document, Line, code, cut, paragraph, say


@dataclass(frozen=True)
class Defence:
    """What a defence looks at, and how often it refuses an honest change, in a sentence each; `first` is what has to be
    done before it would judge the same change otherwise. If nothing can be, `idea` says what asking for the idea does.
    """

    looks: Line
    errs: Line
    first: Line = ()
    idea: str = ""


_OTHER = Defence(say("It looks at what a run may do."), say("An honest change does nothing of that kind."))
DEFENCES = {
    DEFENCE: Defence(
        say(
            "It asks a fresh process again for what the model said of some positions, without the text behind them."
        ),
        say(
            "An honest model whose answers repeat to 0.0005 nats is refused in fewer than 1 of 10,000 audits; one that"
            " answers at random, as with dropout left on, in most of them."
        ),
    ),
    "cuts": Defence(
        say(
            "It looks whether the gain over the incumbent, and over the last commit of a human, holds at targets that"
            " no run is ever shown."
        ),
        say("An honest change is refused by it in about 1 of 10,000 runs."),
    ),
    "clock": Defence(
        say(
            "It looks at how long a run trains, starts up and hands in, beside the last commit that a human wrote."
        ),
        say(
            "What other programs take on the machine is allowed for, so that it may err on a very busy one only."
        ),
    ),
    "protocol": Defence(
        say("It looks at the order in which a script asks for batches and hands its model in."),
        say("A script that calls `evaluate_bpb` once, at its end, is never refused by it."),
    ),
    "leak": Defence(
        say("It looks for validation text in the change and in what the run can read."),
        say("It errs if a change carries text of its own that stands in the validation text too."),
        idea="asks for the same without the text that is named: as it is, it is refused every time",
    ),
    "limits": Defence(
        say(
            "It looks at the processes and threads that a run starts, at what it writes, and how long its exam takes."
        ),
        say("An honest change that needs more than is allowed is refused every time."),
        say("allow more by `processes`, `scratch_mb` or `evaluation_seconds` under `evaluator`, then "),
    ),
    "scoring": Defence(
        say("It looks whether what a model or a script answers is numbers, and as many as were asked for."),
        say("An honest change that answers with finite numbers is never refused by it."),
    ),
    "jail": Defence(
        say("It looks at what a run has left for the script that measures: plain files and folders."),
        say("An honest change that leaves nothing else (no links, pipes or devices) is never refused by it."),
    ),
}


def refused_by(experiment: Experiment, *, on_github: bool) -> Document:
    """Return which defence refused an experiment and the way to appeal; nothing if none did."""
    decision = experiment.decision
    if decision is None or decision.verdict != "rejected" or not decision.defence:
        return ()
    known = DEFENCES.get(decision.defence, _OTHER)
    retry = "retry" if on_github else f"retry {experiment.number}"
    call = code(f"{'/' if on_github else ''}nocturne {'idea TEXT' if known.idea else retry}")
    again = known.idea or "trains it again"
    if decision.defence == DEFENCE:
        again += f", asked at {APPEAL} times as many positions, so that chance decides less"
    return (
        paragraph("**Refused by the defence {}.** {} {}", cut(decision.defence, 40), known.looks, known.errs),
        paragraph("If you think it errs: {}{} {}.", known.first, call, again),
    )
