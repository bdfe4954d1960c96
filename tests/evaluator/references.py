"""References for tests, without a run: what a reference might have taken."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from evaluator.training.reference import VERSION, Reference

# A start-up and an exam that no load makes too short: what is tried is the training.
EASY = Reference(
    version=VERSION, kind="wall", amount=3.0, on_gpu=False, files="", startup=60.0, startup_wall=60.0, training=3.0,
    first_batches=0.0, pace=0.01, step=0.01, batches=300, tokens=300 * 512, hand_in=30.0, exam=60.0,
    evaluation_wall=40.0, ready_cpu=60.0, ready_wall=60.0, demand=0.5, others=1.0, others_late=1.0,
)  # fmt: skip


def reference_file(folder: Path, kind: str, amount: float, **more: Any) -> str:
    """Write a reference for a budget, which used up just that unless `more` says otherwise; return its path."""
    made = dataclasses.replace(EASY, kind=kind, amount=amount, **{"training": amount, **more})
    path = folder / f"reference-{kind}-{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps(made.to_json()))
    return str(path)
