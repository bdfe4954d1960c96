"""Print what comes of each gesture of people in a campaign on the GitHub on loopback: `make bench-gestures`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.bot.gesture_script import Round, play

ROUNDS: list[Round] = [
    (["0.0011", "0.0012", "0.0013", "0.0014", "0.0015", "0.0017"], "32", {"ACTIVATION": '"relu2"'}),
    (["0.0019", "0.0021", "0.0023", "0.0026", "0.0029", "0.0033"], "16", {"WARMUP_RATIO": "0.05"}),
]


def main() -> None:
    """Run two rounds of gestures and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        rows, campaign, humans = play(Path(folder), ROUNDS)
        assert humans.home.github is not None
        calls = len([call for call in humans.home.github.calls if call.token_user == "github-actions[bot]"])
    print(f"{len(campaign.order)} experiments, {len(rows)} gestures, {calls} REST calls of the bot")
    print("who    gesture                        moment        on  as it should  what came of it")
    for row in rows:
        heard = "yes" if row.heard else "NO"
        print(f"{row.who:6} {row.gesture:30} {row.moment:13} {row.experiment:2}  {heard:12}  {row.came}")


if __name__ == "__main__":
    main()
