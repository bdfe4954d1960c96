"""All procedures by their names, in the order of the table."""

from __future__ import annotations

from bot.rules.simulated.play import Procedure
from tests.benchmarks.truth import reference
from tests.benchmarks.truth.old_rule import old_rule
from tests.benchmarks.truth.ours import PARTS, ours

__all__ = ["PARTS", "PROCEDURES"]

PROCEDURES: dict[str, Procedure] = {**reference.PROCEDURES, "the old rule": old_rule, "ours": ours}
