"""Hooks hear what happened, where the bot runs, and hold nothing up."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bot.repositories import CONFIG, events, make_repository, nocturne
from tests.bot.scripted import WINS, Loop

ROOT = Path(__file__).parents[2]


def heard(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_hooks_hear_of_experiments_and_nights_and_a_bad_one_stops_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    config = f"""{CONFIG}stop: {{experiments: 2}}
hooks:
  after_experiment:
    - 'cat >> {out}/experiments; echo >> {out}/experiments; pwd > {out}/where; env > {out}/env'
    - 'echo it broke >&2; exit 3'
    - 'sleep 1000 & echo $! > {out}/child; sleep 1000'
  after_night: ['cat >> {out}/nights; echo >> {out}/nights']
  seconds: 1
"""
    top = make_repository(tmp_path / "repo", config=config)
    loop = Loop(top, WINS)
    loop.run(None)
    told = heard(out / "experiments")
    assert [(each["event"], each["version"], each["experiment"]["number"]) for each in told] == [
        ("after_experiment", 1, 1), ("after_experiment", 1, 2),
    ]  # fmt: skip
    shown = json.loads(nocturne(top, "show", "1", "--json").stdout)
    assert told[0]["experiment"] == {key: shown[key] for key in told[0]["experiment"]}
    assert told[1]["campaign"]["experiments"]["total"] == 2 and told[0]["campaign"]["metric"] == "loss"
    (night,) = heard(out / "nights")
    assert night["stop"]["reason"] == "experiments" and night["campaign"]["state"] == "stopped"
    assert (out / "where").read_text().strip() == str(top)
    assert not re.search(r"^GIT_DIR=", (out / "env").read_text(), re.MULTILINE)
    said = loop.said
    assert (
        "hooks.after_experiment: echo it broke" in said and "exit code 3 (it broke); the loop goes on" in said
    )
    assert "took longer than 1 s (hooks.seconds), and was ended" in said
    child = (out / "child").read_text().strip()
    stat = Path(f"/proc/{child}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z", "all of it is ended"
    assert [event["kind"] for event in events(top)].count("experiment_finished") == 2


@pytest.mark.parametrize(
    ("hooks", "key"),
    [("{after_experiment: cat}", "hooks.after_experiment"), ("{seconds: 0}", "hooks.seconds"),
     ("{before: [cat]}", "hooks.before"), ("{after_night: ['']}", "hooks.after_night")],
)  # fmt: skip
def test_a_wrong_hook_is_one_line(tmp_path: Path, hooks: str, key: str) -> None:
    top = make_repository(tmp_path / "repo", config=f"{CONFIG}hooks: {hooks}\n")
    assert key in nocturne(top, "status", code=2).stderr


@pytest.mark.parametrize("module", ["wandb", "mlflow"])
def test_the_examples_take_what_hooks_are_given(tmp_path: Path, module: str) -> None:
    """The libraries are stood in for by modules that write down what they are called with."""
    text = (ROOT / "docs" / "hooks.md").read_text()
    (code,) = [
        block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if f"import {module}" in block
    ]
    (tmp_path / f"{module}.py").write_text(RECORDER)
    (tmp_path / "hook.py").write_text(code)
    top = make_repository(tmp_path / "repo")
    Loop(top, WINS).run(1)
    row = json.loads(nocturne(top, "show", "1", "--json").stdout)
    campaign = json.loads(nocturne(top, "status", "--json").stdout)
    event = json.dumps({"version": 1, "event": "after_experiment", "experiment": row, "campaign": campaign})
    done = subprocess.run(
        [sys.executable, "hook.py"], cwd=tmp_path, input=event, capture_output=True, text=True, check=True
    )
    assert (
        str(row["score"]) in done.stdout and str(row["effect"]) in done.stdout and "improved" in done.stdout
    )


RECORDER = """
class Any:
    def __call__(self, *args, **more):
        print(args, more)
        return self
    def __getattr__(self, name):
        return self
    __enter__ = __exit__ = lambda self, *_: None
def __getattr__(name):
    return Any()
"""
