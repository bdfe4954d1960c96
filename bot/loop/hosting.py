"""The bot's side of the mechanism host: hands a file's text and questions to the evaluator, and takes answers.

Nothing of the file is ever imported or run here. Each question is put to a fresh process in a jail of its own
(`evaluator.hosting`).
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.config import CONFIG_PATH
from bot.errors import UserError
from bot.loop.evaluation import call_evaluator, evaluator_command, evaluator_environment, refusal
from bot.rules.outer.checks import Ask, NoAnswer, reason_of, screening, steer_of, steering
from bot.rules.outer.view import Draft, Steer, View

_START_SECONDS = 60.0  # what starting a process in its jail may take, on a machine that is busy
_ANSWER_SECONDS = 5.0  # its own limit is 2


class Host:
    """Asks mechanisms in the jails of one kind (`evaluator.jail`)."""

    def __init__(self, jail: str) -> None:
        self._jail = jail

    def require(self) -> None:
        """Raise UserError if no jail is to be had here."""
        try:
            name = call_evaluator("jail", self._jail, timeout=300).strip()
            why = "evaluator.jail is none" if name == "none" else ""
        except UserError as error:
            why = str(error)
        if why:
            raise UserError(
                f"{CONFIG_PATH}: outer: generated runs what a model wrote, in a jail only ({why}): write"
                " `outer: builtin`"
            )

    def ask(self, source: str, questions: Sequence[Ask], *, together: bool = False) -> list[Any]:
        """Return what the mechanism `source` answers: each question in a fresh process, or all in one if `together`.

        Raises `NoAnswer` for the first that gets none, UserError if the host itself can't work.
        """
        with tempfile.TemporaryDirectory(prefix="nocturne-mechanism-") as folder:
            file = Path(folder, "mechanism.py")
            file.write_text(source, encoding="utf-8", errors="replace")
            words = ["host", str(file), "--jail", self._jail, "--die-with-parent"]
            lines = [json.dumps({"ask": each.function, "given": each.given}) for each in questions]
            done = subprocess.run(
                evaluator_command(*words, *(["--together"] if together else [])),
                env=evaluator_environment(), input="\n".join(lines).encode(), capture_output=True,
                timeout=_START_SECONDS + len(lines) * _ANSWER_SECONDS, check=False,
            )  # fmt: skip
        said = [json.loads(line) for line in done.stdout.splitlines()]
        if said and said[-1]["event"] == "failed":
            answered = len(said) - 1
            raise NoAnswer(said[-1]["class"], said[-1]["reason"], answered)
        if done.returncode or len(said) != len(questions):
            raise UserError(
                refusal(done.stderr.decode(errors="replace"), "the mechanism host gave no answer")
            )
        return [each["value"] for each in said]


@dataclass(frozen=True)
class Generated:
    """A mechanism that a model wrote, as the outer loop asks any other. Its methods raise `NoAnswer` if it fails.

    `source` gives its text, or raises UserError.
    """

    name: str
    source: Callable[[], str]
    host: Host

    def steer(self, view: View, seed: int) -> Steer:
        """See `Mechanism.steer`."""
        return steer_of(self.host.ask(self.source(), [steering(view, seed)])[0], view)

    def screen(self, view: View, draft: Draft, seed: int) -> str | None:
        """See `Mechanism.screen`."""
        return reason_of(self.host.ask(self.source(), [screening(view, draft, seed)])[0])
