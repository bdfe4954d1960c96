"""Without an outer loop nothing is different from before there was one: ledger, proposals and prompts.

`ledgers/outer-off.json` was recorded with the commit before it came (7f3c3e7), by `python -m tests.bot.test_outer_off`.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.agents.proposers.offline import OfflineProposer
from bot.loop.agents import with_agents
from bot.loop.context import open_context
from bot.loop.runner import Until, run_loop
from bot.tell.display import PlainDisplay
from tests.bot import trainer
from tests.bot.repositories import CONFIG, events, git, make_repository
from tests.bot.thinking import MINDS, both, shown
from tests.messages.server import serve

RECORDED = Path(__file__).parent / "ledgers/outer-off.json"
# What no two campaigns have in common: times, machines, how long something took, and the tokens of those figures.
_VARIES = {
    "at",
    "by",
    "until",
    "holder",
    "seconds",
    "gpu_seconds",
    "cost_usd",
    "metrics",
    "jail",
    "runner",
    "curve",
}
_VARIES |= {"fingerprint"}
_VARIES |= {"reason", "expected_effect"}  # prose, which is reworded now and then
_HEX = re.compile(r"(?<![\w.])[0-9a-f]{8,64}\b")


def campaign(folder: Path, proposer: str, experiments: int) -> dict[str, list[str]]:
    """Return what a campaign of the formula task left: its ledger's lines, and a digest of each prompt."""
    config = f"{CONFIG}stop: {{experiments: {experiments}}}\nproposer: {proposer}\n"
    make_repository(folder, config=config)
    with serve(both(MINDS["good"]())) as api:
        context = open_context(folder, None, PlainDisplay(io.StringIO()), {}, OfflineProposer())
        run_loop(with_agents(context, api.environ), Until())
        prompts = [masked(shown(call.request), {}) for call in api.made]
    names: dict[str, str] = {}
    lines = [masked(json.dumps(_steady(line), sort_keys=True), names) for line in events(folder)]
    changed = git(folder, "diff", "main", "nocturne/main")
    assert len(lines) > 10 and changed
    return {"ledger": lines, "prompts": [hashlib.sha256(text.encode()).hexdigest() for text in prompts]}


def _steady(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = (name for name in value if name not in _VARIES and not name.endswith("_tokens"))
        return {name: _steady(value[name]) for name in kept}
    return [_steady(each) for each in value] if isinstance(value, list) else value


def masked(text: str, names: dict[str, str]) -> str:
    """Return `text` with commits, fences and digests called by the order in which they appear."""
    text = re.sub(r"total_seconds [\d.]+", "total_seconds", text)
    return _HEX.sub(lambda found: names.setdefault(found[0][:7], f"<{len(names)}>"), text)


@pytest.mark.parametrize(("proposer", "experiments"), [("offline", 6), ("claude", 3)])
def test_a_campaign_without_an_outer_loop_is_as_it_was(
    tmp_path: Path, proposer: str, experiments: int
) -> None:
    assert campaign(tmp_path / "repo", proposer, experiments) == json.loads(RECORDED.read_text())[proposer]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, trainer.installed():
        found = {
            name: campaign(Path(place) / name, name, count) for name, count in (("offline", 6), ("claude", 3))
        }
    json.dump(found, sys.stdout, indent=0)
