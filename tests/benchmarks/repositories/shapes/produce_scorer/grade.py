"""Compares answers.json with what only this side knows: secret/answers.json."""

import json
import os
from pathlib import Path

answers = json.loads((Path(os.environ.get("NOCTURNE_OUT", ".")) / "answers.json").read_text())
truth = json.loads(Path("secret/answers.json").read_text())
assert len(answers) == len(truth)
error = sum((float(a) - b) ** 2 for a, b in zip(answers, truth)) / len(truth)
print(f"METRIC mse={error}")
