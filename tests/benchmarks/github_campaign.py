"""Campaigns on GitHub, begun by "Run workflow" and run by act against the GitHub on loopback, in both forms: what came
of them, and how many requests they took.

    python -m tests.benchmarks.github_campaign [--experiments 6] [--forms one three]
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from tests.actions.campaign import TRAINED, begin, bundled_task
from tests.github.server import serve


def campaign(folder: Path, form: str, experiments: int) -> None:
    with serve(folder / "github") as github:
        config = TRAINED.format(experiments=experiments)
        runner = begin(github, folder, form, config, "octo/models", bundled_task(folder / "starter"))
        before = len(github.calls)
        links = runner.run_all(experiments + 2)
        labels = Counter(
            label
            for issue in runner.repository.contents.issues.values()
            for label in issue.labels
            if ":" in label
        )
        calls = [call for call in github.calls[before:] if call.token_user != "alice"]
        print(f"form {form}: {links} workflow runs, {dict(labels)}")
        print(f"  REST calls: {len(calls)}, {len(calls) / experiments:.1f} per experiment")
        asked = github.git_calls
        print(
            f"  git requests: {len(asked)}, {len(asked) / experiments:.0f} per experiment, checkouts included"
        )
        for kind, count in sorted(Counter(call.kind for call in asked).items()):
            print(f"    {kind}: {count}, {count / experiments:.1f} per experiment")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=6)
    parser.add_argument("--forms", nargs="+", default=["one", "three"])
    args = parser.parse_args()
    for form in args.forms:
        with tempfile.TemporaryDirectory() as folder:
            campaign(Path(folder), form, args.experiments)


if __name__ == "__main__":
    main()
