"""How a change came to be what it is: what its review asked for, and which crashes it was mended after."""

from __future__ import annotations

from bot.report.formats import count
from bot.rules.experiment import Experiment


def mended_words(experiment: Experiment) -> list[tuple[str, str]]:
    """Return a word and what is to say to it, for each way in which the change was mended. Not escaped."""
    said = []
    asked = experiment.revisions - experiment.repairs
    if asked:
        said.append(("revised", f"{count(asked, 'time')}, as its review asked"))
    crashes = [crash.reason for crash in experiment.crashes if crash.round < experiment.round]
    if crashes:
        said.append(("repaired", f"{count(len(crashes), 'time')}, after a crash ({'; '.join(crashes)})"))
    if experiment.sent_back is not None:
        said.append(("repair", f"asked for, it crashed ({experiment.sent_back.reason})"))
    return said
