"""The list of faults fits the code: each can be written, and is Python afterwards."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.faults import ROOT, Fault, read_faults

FAULTS = read_faults()


def test_there_are_enough_under_names_of_their_own() -> None:
    assert len(FAULTS) >= 60
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_can_be_written_and_names_tests_that_are_there(fault: Fault) -> None:
    text = (ROOT / fault.file).read_text()
    changed = fault.applied(text)
    assert changed != text
    ast.parse(changed)
    for word in fault.tests:
        path, _, name = word.partition("::")
        assert (ROOT / path).exists() and (not name or f"def {name}(" in (ROOT / path).read_text()), word
