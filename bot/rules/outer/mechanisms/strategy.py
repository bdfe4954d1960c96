"""Every five experiments looks at the trace and takes the built-in mechanism that answers what it finds.

Level 1.5 of Bilevel Autoresearch (arXiv 2603.23420), where a model's advice without a threshold or an end did worse
than the plain loop (0.7 of its gain). So what is looked for is defined here, and all advice ends
(`bot.rules.outer.diagnosis`).
"""

from __future__ import annotations

from dataclasses import replace

from bot.rules.outer import registry
from bot.rules.outer.diagnosis import findings, looked_at
from bot.rules.outer.view import Draft, Steer, View


def steer(view: View, seed: int) -> Steer:
    answer = _answer(view)
    return answer.steer(_since_look(view), seed) if answer is not None else Steer()


def screen(view: View, draft: Draft, seed: int) -> str | None:
    answer = _answer(view)
    return answer.screen(_since_look(view), draft, seed) if answer is not None else None


def _answer(view: View) -> registry.BuiltIn | None:
    found = findings(view)
    return registry.built_in(found[0].leads_to) if found else None


def _since_look(view: View) -> View:
    """Return the view of a mechanism that took over at the last look."""
    return replace(view, since=max(1, looked_at(view.number)))
