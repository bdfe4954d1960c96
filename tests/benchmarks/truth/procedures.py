"""All procedures by their names, in the order of the table."""

from __future__ import annotations

from tests.benchmarks.truth import reference
from tests.benchmarks.truth.old_rule import old_rule
from tests.benchmarks.truth.ours import ours
from tests.benchmarks.truth.play import Procedure

PROCEDURES: dict[str, Procedure] = {**reference.PROCEDURES, "the old rule": old_rule, "ours": ours}
