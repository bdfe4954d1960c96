"""Without an outer loop nothing is different from before there was one: proposals, prompt and ledger.

`ledgers/outer-off.json` was recorded on the commit before it came (7f3c3e7), from a ledger of a still earlier one, by
`python -m tests.bot.test_outer_off`. The rest of a campaign (runs, verdicts) may change for other reasons, and so does
the search: proposals 4 to 6 were recorded again when it began to turn several settings at once from the fourth on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from bot.agents.claude.proposer import Workbench
from bot.agents.offline.search import propose
from bot.agents.protocol import Library, Question
from bot.rules.campaign import fold
from bot.rules.events import read, to_json
from tests.bot.repositories import TRAIN

LEDGERS = Path(__file__).parent / "ledgers"
FILES = {"train.py": TRAIN}


def without() -> dict[str, Any]:
    """Return what each prefix of a recorded history leads to, without an outer loop."""
    lines = [json.loads(line) for line in (LEDGERS / "formula.jsonl").read_text().splitlines()]
    recorded = [read(line) for line in lines]
    history = fold(recorded).history()
    proposals = []
    for count in range(len(history) + 1):
        found = propose(FILES, history[:count], seed=0, number=count + 1)
        assert found is not None
        proposals.append(
            [found.hypothesis, found.category, [vars(change) for change in found.changes], found.files]
        )
    bench = Workbench(Question(FILES, "", history, 0, 1), cast(Library, None), "model")
    proposed = [each for each in recorded if each.event.kind == "experiment_proposed"]
    return {
        "proposals": proposals,
        "task": bench.task(),
        "tools": [tool.name for tool in bench.tools()],
        "ledger": [json.dumps(to_json(each.event, at=each.at, by=each.by)) for each in proposed],
    }


def test_without_an_outer_loop_all_is_as_it_was() -> None:
    now, before = without(), json.loads((LEDGERS / "outer-off.json").read_text())
    assert len(before["proposals"]) > 3 and len(before["ledger"]) > 3
    # Whatever else proposals came to hold since, they hold what they held, and nothing of an outer loop.
    for line, then in zip(now.pop("ledger"), before.pop("ledger"), strict=True):
        held = json.loads(then)
        assert {name: json.loads(line)[name] for name in held} == held and "outer" not in json.loads(line)
    assert now == before


if __name__ == "__main__":
    print(json.dumps(without(), indent=0))
