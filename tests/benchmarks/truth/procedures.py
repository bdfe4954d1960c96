"""All procedures by their names, in the order of the table."""

from __future__ import annotations

from tests.benchmarks.truth import reference
from tests.benchmarks.truth.play import Procedure

PROCEDURES: dict[str, Procedure] = dict(reference.PROCEDURES)
