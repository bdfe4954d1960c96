"""Kill a campaign at random moments, go on, and compare it with its undisturbed twin.

make bench-kill
python -m tests.benchmarks.kill_campaigns --campaigns 3 --kills 10 --training-kills 5
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bot.repositories import events
from tests.bot.test_interruption import check_same_campaign, formula_pair, training_pair


def told(name: str, killed: int, rough: Path) -> None:
    recorded = events(rough)
    kinds = [event["kind"] for event in recorded]
    print(
        f"{name:<12} killed {killed:>2} times: same end; {len(recorded)} events, {kinds.count('run_finished')} runs,"
        f" {kinds.count('pull_opened')} pull requests, {kinds.count('experiment_landed')} merges, none doubled",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill campaigns at random moments.")
    parser.add_argument("--campaigns", type=int, default=3)
    parser.add_argument("--kills", type=int, default=10, help="in each campaign")
    parser.add_argument("--experiments", type=int, default=12)
    parser.add_argument("--training-kills", type=int, default=5, help="in one campaign with real training")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nocturne-bench-") as scratch:
        for seed in range(arguments.campaigns):
            folder = Path(scratch, str(seed))
            folder.mkdir()
            calm, rough = formula_pair(folder, arguments.experiments)
            killed = check_same_campaign(calm, rough, kills=arguments.kills, longest=3.0, seed=100 + seed)
            told("formula", killed, rough)
        if arguments.training_kills:
            folder = Path(scratch, "training")
            folder.mkdir()
            calm, rough = training_pair(folder, 3)
            killed = check_same_campaign(calm, rough, kills=arguments.training_kills, longest=9.0, seed=7)
            told("training", killed, rough)
    return 0


if __name__ == "__main__":
    sys.exit(main())
