"""A score that candidates' own code could write is called self-reported, in every view, and confirms nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.rules import events as ev
from bot.rules.campaign import fold
from bot.rules.decision import Rule
from bot.rules.self_reported import WORD, reached, self_reported
from bot.tell.figures.campaign import figures
from bot.tell.figures.plain import status_json
from bot.tell.figures.promotion import promotion_figures
from bot.tell.page import report_html
from bot.tell.views.promotion import promotion_title
from bot.tell.words import gain_words
from tests.bot.campaigns import NOW, SIGMA, Night
from tests.bot.repositories import make_repository, nocturne, status
from tests.bot.telling import message_text, promotion_body, pull_body, report_markdown, status_text
from tests.bot.test_hostile import message_of

IMPORTS = {"bench.py": "import train\nprint('METRIC a=1')\n", "train.py": "A = 1\n"}
APART = {
    "bench.py": "import json, os\nprint(json.load(open(os.environ['NOCTURNE_OUT'] + '/a.json')))\n",
    "train.py": "",
}
SHAPES: dict[str, tuple[Mapping[str, str], list[str], list[str], bool]] = {
    "imports it": (IMPORTS, ["python", "bench.py"], [], True),
    "imports it, with produce": (IMPORTS, ["python", "bench.py"], ["python", "train.py"], True),
    "by uv": (IMPORTS, ["uv", "run", "python", "-u", "bench.py"], [], True),
    "by env": (IMPORTS, ["env", "A=1", "python3", "./bench.py"], ["python", "train.py"], True),
    "is the file": ({"train.py": ""}, ["python", "train.py"], [], True),
    "is the file, by a path": ({"train.py": ""}, ["python", "./train.py"], ["python", "train.py"], True),
    "module": (IMPORTS, ["python", "-m", "bench"], ["python", "train.py"], True),
    "another module between": (
        {"bench.py": "from lib import score", "lib/__init__.py": "from . import score", "lib/score.py": "import train",
         "train.py": ""},
        ["python", "bench.py"], ["python", "train.py"], True,
    ),
    "runs it by its path": (
        {"bench.py": "import runpy\nrunpy.run_path('train.py')", "train.py": ""}, ["python", "bench.py"], ["x"], True
    ),
    "starts it": (
        {"bench.py": "import subprocess\nsubprocess.run('python train.py --fast', shell=True)", "train.py": ""},
        ["python", "bench.py"], ["x"], True,
    ),
    "import_module": (
        {"bench.py": "import importlib as i\ni.import_module('train')", "train.py": ""}, ["python", "bench.py"], ["x"],
        True,
    ),
    "in a function": (
        {"bench.py": "def f():\n    from train import A\n", "train.py": ""}, ["python", "bench.py"], ["x"], True
    ),
    "shell": (IMPORTS, ["bash", "-c", "python bench.py"], [], True),
    "make": (IMPORTS, ["make", "bench"], [], True),
    "does not parse": ({"bench.py": "def (", "train.py": ""}, ["python", "bench.py"], [], True),
    "shell that names it": (IMPORTS, ["bash", "train.py"], ["python", "train.py"], True),
    "measured apart": (APART, ["python", "bench.py"], ["python", "train.py"], False),
    "measured apart by make": (APART, ["make", "measure"], ["python", "train.py"], False),
    "module of pytest": (
        {"test_a.py": "import train", "train.py": ""}, ["python", "-m", "pytest", "test_a.py"], ["x"], True
    ),
    "by another program": (IMPORTS, ["torchrun", "bench.py"], ["python", "train.py"], True),
    "a shell with it": (IMPORTS, ["bash", "-c", "cd . && python bench.py"], ["python", "train.py"], True),
    "a shell that runs it": (IMPORTS, ["bash", "-c", "python train.py --score"], ["python", "train.py"], True),
    "text that imports it": (IMPORTS, ["python", "-c", "import bench"], ["python", "train.py"], True),
    "a shell's script": (
        {**IMPORTS, "measure.sh": "set -e\npython bench.py\n"}, ["./measure.sh"], ["python", "train.py"], True
    ),
    "what make makes": (
        {**IMPORTS, "Makefile": "all: score\nscore: built\n\tpython bench.py\n"}, ["make"], ["python", "train.py"], True
    ),
    "make that is run by the script": (
        {"bench.py": "import subprocess\nsubprocess.run(['make', 'x'])", "Makefile": "x: train.py\n\tcc train.py"},
        ["python", "bench.py"], ["x"], True,
    ),
    "all that there is": (
        {"bench.py": "import glob, runpy\nfor f in glob.glob('*.py'): runpy.run_path(f)", "train.py": ""},
        ["python", "bench.py"], ["x"], True,
    ),
    "by a name that is put together": (
        {"bench.py": "import runpy\nname = 'train'\nrunpy.run_path(f'{name}.py')", "train.py": ""},
        ["python", "bench.py"], ["x"], True,
    ),
    "nothing that can be followed": ({"bench.py": "import ctypes\nctypes.CDLL('./a.so')"}, ["./bench.py"], [], True),
    "make with another goal": (
        {**APART, "Makefile": "train:\n\tpython train.py\nscore:  # of train.py\n\tpython bench.py\n"},
        ["make", "score"], ["python", "train.py"], False,
    ),
    "a docstring that names it": (
        {"bench.py": '"""Measures what train.py left."""\nimport json', "train.py": ""}, ["python", "bench.py"], ["x"],
        False,
    ),
    "a circle of imports": (
        {"bench.py": "import a", "a.py": "import b", "b.py": "import a, bench", "train.py": ""}, ["python", "bench.py"],
        ["x"], False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_what_a_command_reaches_is_followed(name: str) -> None:
    files, command, produce, expected = SHAPES[name]
    why = self_reported("command", command, produce, ["train.py"], files.get)
    assert (why is not None) == expected, why
    assert why is None or (why.startswith(WORD) and "\n" not in why)


@pytest.mark.parametrize(
    ("script", "places", "expected"),
    [
        ("import sys\nsys.path.insert(0, 'solution')\nimport algo", {"solution/algo.py": ""}, True),
        ("from mypkg.core import f", {"python/mypkg/__init__.py": "", "python/mypkg/core.py": ""}, True),
        (
            "import mypkg",
            {"python/mypkg/__init__.py": "from .core import f", "python/mypkg/core.py": ""},
            True,
        ),
        ("import metrics", {"metrics.py": "", "net/metrics.py": ""}, False),
        ("import json, numpy", {"src/my/json.py": ""}, False),
    ],
    ids=["on the path", "installed", "by way of its package", "one of the same name", "of the library"],
)
def test_a_file_in_a_folder_is_found_however_that_comes_on_the_path(
    script: str, places: Mapping[str, str], expected: bool
) -> None:
    editable = [list(places)[-1]]
    why = self_reported(
        "command", ["python", "bench.py"], ["x"], editable, {"bench.py": script, **places}.get
    )
    assert (why is not None) == expected, why


def test_what_is_called_runs_behind_a_wall() -> None:
    assert (
        self_reported("command", ["python", "bench.py"], [], ["train.py"], IMPORTS.get, ["train.py"]) is None
    )
    assert reached(["python", "bench.py"], ["train.py"], IMPORTS.get) == ("bench.py", "train.py")
    assert reached(["python", "train.py"], ["train.py"], IMPORTS.get) is None
    assert reached(["python", "bench.py"], ["train.py"], APART.get) is None


def test_the_contract_is_scored_by_the_evaluator() -> None:
    assert self_reported("train", [], [], ["train.py"], IMPORTS.get) is None


def test_every_view_says_it_and_nothing_is_confirmed() -> None:
    night = Night()
    night.baseline()
    night.experiment(1, "improved", "Warm up")
    for marked in (False, True):
        recorded = []
        for each in night.recorded:
            record = ev.to_json(each.event, at=each.at, by=each.by)
            if record["kind"] == "run_finished":
                record["self_reported"] = marked
            recorded.append(ev.from_json(record))
        campaign = fold(recorded)
        of = figures(campaign, now=NOW, prior_sigma=SIGMA)
        told = promotion_figures(campaign, of, 0, set(campaign.incumbents))
        body = promotion_body(campaign, of, told, (), rule=Rule(), base="main", branch="b", on_github=True)
        views = {
            "report": report_markdown(of),
            "page": report_html(of),
            "status": status_text(of),
            "pull request": pull_body(campaign, campaign.experiments[1], "", rule=Rule()),
            "promotion": body,
            "title": promotion_title(of, told),
            "headline": gain_words(of),
            "slack": message_text(message_of(campaign, of)) if marked else WORD * marked,
        }
        for name, text in views.items():
            assert (WORD in text.lower()) == marked, name
        assert ("confirmed" in views["title"] + body) != marked
        assert status_json(of)["self_reported"] == marked


def test_old_runs_are_read_without_the_mark() -> None:
    night = Night()
    night.baseline(1)
    record = ev.to_json(night.recorded[-1].event, at="", by="")
    del record["self_reported"]
    run = ev.from_json(record).event
    assert isinstance(run, ev.RunFinished) and not run.self_reported


@pytest.mark.long
def test_doctor_show_and_status_say_it(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    nocturne(folder, "run", "-n", "1")
    assert status(folder)["self_reported"] is True
    assert WORD in nocturne(folder, "show", "1").stdout and WORD in nocturne(folder, "status").stdout.lower()
    said = nocturne(folder, "doctor", "--quick").stdout
    assert WORD in said and "produce" in said
