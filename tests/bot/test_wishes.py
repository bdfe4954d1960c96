"""Packages that are not there: sent back to the maker, refused before training, told by a crash, shown to a human."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bot.agents.proposers.offline import OfflineProposer
from bot.agents.sources import missing_modules, needed_modules
from bot.loop.agents import with_agents
from bot.loop.context import Context, open_context
from bot.loop.jobs import advance, decide_experiment, propose_next
from bot.loop.packages import wished_of
from bot.loop.reconciling import reconcile
from bot.loop.runner import Until, run_loop
from bot.loop.start import ensure_started
from bot.loop.working import begin, work_on
from bot.rules.campaign import Campaign
from bot.rules.events import PackageWished, RunFinished, from_json, to_json
from bot.rules.experiment import Experiment
from bot.rules.ideas import Wishes
from bot.rules.schedule import Begin
from bot.tell.cautions import wished_words
from bot.tell.display import PlainDisplay
from tests.bot.repositories import CONFIG, TRAIN, events, make_repository, nocturne, status
from tests.bot.test_revising import Maker
from tests.bot.thinking import Request, both, constant, proposal, results, turn
from tests.messages.minds import Said, use
from tests.messages.server import serve

NOWHERE = "nowhere_to_be_had"
WISHING = f"import {NOWHERE}.layers\n{TRAIN}"


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("import a.b, c as d\nfrom e.f import g\n", {"a", "c", "e"}),
        ("from . import a\nfrom .b import c\n", set()),
        ("def f():\n    import a\n", {"a"}),
        ("try:\n    import a\nexcept ImportError:\n    import b\n", {"b"}),
        ("try:\n    import a\nexcept (KeyError, ModuleNotFoundError):\n    a = None\n", set()),
        ("try:\n    import a\nexcept ValueError:\n    pass\nfinally:\n    import b\n", {"a", "b"}),
        ("try:\n    import a\nexcept:\n    pass\n", set()),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\nelse:\n    import b\n", {"typing", "b"}),
        ("import typing as t\nif t.TYPE_CHECKING:\n    import a\n", {"typing"}),
        ("import (\n", set()),
    ],
)  # fmt: skip
def test_what_a_source_can_not_run_without(source: str, needs: set[str]) -> None:
    assert needed_modules(source) == needs


def test_what_is_missing() -> None:
    base = {"train.py": "import old_one\n", "notes.txt": ""}
    new = {
        "train.py": "import old_one, json, mine, there, gone\nimport gone.deep, prepare\n",
        "notes.txt": "import nothing\n",
        "same.py": "import gone_too\n",
    }
    found = missing_modules(
        {**base, "same.py": new["same.py"]},
        new,
        own={"mine", "prepare"},
        is_there=lambda name: name == "there",
    )
    assert found == {"gone": "train.py"}


def context_of(folder: Path, *texts: str) -> Context:
    return open_context(folder, None, PlainDisplay(io.StringIO()), {}, Maker(*texts))


def wished(folder: Path) -> list[tuple[int, str]]:
    return [(e["experiment"], e["module"]) for e in events(folder) if e["kind"] == "package_wished"]


def test_it_is_refused_before_training_and_shown(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    run_loop(context_of(folder, WISHING), Until(experiments=1))
    (decided,) = (event for event in events(folder) if event["kind"] == "experiment_decided")
    assert decided["verdict"] == "rejected" and f"train.py imports {NOWHERE}" in decided["reason"]
    assert not [
        event for event in events(folder) if event["kind"] == "run_finished" and event["experiment"] == 1
    ]
    assert wished(folder) == [(1, NOWHERE)]
    assert status(folder)["wished"] == {NOWHERE: 1}
    for words in (("status",), ("report",)):
        said = " ".join(nocturne(folder, *words, env={"COLUMNS": "200"}).stdout.replace("\\", "").split())
        assert f"Wished: {NOWHERE} (1 proposal)." in said, said


@pytest.mark.long
def test_the_maker_hears_of_it_first_and_its_wish_is_kept(tmp_path: Path) -> None:
    told: list[str] = []

    def maker(request: Request, number: int) -> Said:
        told.extend(results(request) if turn(request) else [])
        edits = ("train.py", "LEARNING_RATE", f"import {NOWHERE}\nLEARNING_RATE")
        match turn(request):
            case 0:
                edits = ("train.py", "settings = (", f"import {NOWHERE}\nsettings = (")
                return use("check_draft", {"edits": proposal(edits)["edits"]})
            case 1:
                edits = ("train.py", "settings = (", f"import {NOWHERE}\nsettings = (")
                return use("propose", proposal(edits, hypothesis="A package"))
        return use("propose", constant(request, "BATCH_SIZE", "48", "batch"))

    folder = make_repository(tmp_path / "repo", config=f"{CONFIG}proposer: claude\n")
    with serve(both(maker)) as api:
        context = open_context(folder, None, PlainDisplay(io.StringIO()), {}, OfflineProposer())
        context = replace(with_agents(context, api.environ), may_run=True)
        ensure_started(context)
        assert begin(context, reconcile(context), Begin(1, None)) == 1
        assert not work_on(context, 1, ("propose",))
    checked, handed_in = told
    assert checked.startswith("It would come back: ") and handed_in.startswith("It came back: ")
    assert f"imports {NOWHERE}, which is not installed" in checked and "use what is there" in handed_in
    assert wished(folder) == [(1, NOWHERE)]  # once, however often it asked
    (proposed,) = (event for event in events(folder) if event["kind"] == "experiment_proposed")
    assert proposed["proposer"] == "claude-sonnet-5-5" and proposed["hypothesis"].startswith("Set BATCH_SIZE")


@pytest.mark.long
def test_where_another_machine_trains_its_crash_is_the_witness(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    context = context_of(folder, WISHING)
    assert propose_next(context) == 1
    assert wished(folder) == []  # who only proposes knows nothing of the machine that trains
    advance(context, 1, first_stage="train", last_stage="train")
    decide_experiment(context, 1)
    (decided,) = (event for event in events(folder) if event["kind"] == "experiment_decided")
    assert decided["verdict"] == "crashed" and NOWHERE in decided["reason"]
    assert wished(folder) == [] and status(folder)["wished"] == {NOWHERE: 1}


@pytest.mark.parametrize(
    ("command", "judged"),
    [("[python3, score.py]", True), ("[sh, run.sh]", False), ("[.venv/bin/python, a.py]", False)],
)
def test_another_interpreter_is_not_judged(tmp_path: Path, command: str, judged: bool) -> None:
    config = CONFIG.replace("[python3, score.py]", command)
    files = {"helper.py": "X = 1\n", "parts/inner.py": "", "fast.cpython-311-x86_64-linux-gnu.so": ""}
    folder = make_repository(tmp_path / "repo", config=config, files=files)
    context = replace(context_of(folder), may_run=True)
    text = f"import json, pytest, helper, parts.inner, inner, fast, {NOWHERE}\n{TRAIN}"
    experiment = Experiment(1, "", context.git.resolve("main") or "")
    found = wished_of(context, experiment, {"train.py": TRAIN}, {"train.py": text})
    assert found == ({NOWHERE: "train.py"} if judged else {})
    assert (
        wished_of(replace(context, may_run=False), experiment, {"train.py": TRAIN}, {"train.py": text}) == {}
    )


def crash(experiment: int | None, reason: str, kind: str = "import") -> RunFinished:
    return RunFinished(
        f"r{reason}", "c", 1, 1, experiment, None, {"class": kind, "reason": reason}, {}, None, "bubblewrap", "m", 1.0,
        1.0,
    )  # fmt: skip


def test_which_crashes_are_wishes() -> None:
    wishes = Wishes()
    for experiment, reason, kind in (
        (1, "ModuleNotFoundError: No module named 'einops'", "import"),
        (2, "ModuleNotFoundError: No module named 'einops'", "import"),
        (2, "ModuleNotFoundError: No module named 'apex'", "import"),
        (3, "ModuleNotFoundError: No module named 'torch.gone'", "import"),
        (3, "ModuleNotFoundError: No module named '<img src=x>'", "import"),
        (None, "ModuleNotFoundError: No module named 'the_incumbents'", "import"),
        (4, "said: No module named 'quoted'", "error"),
    ):
        run = crash(experiment, reason, kind)
        wishes.crashed(run.experiment, run.failure)
    assert list(wishes.counts().items()) == [("einops", 2), ("apex", 1)]
    assert wished_words(wishes.counts()).startswith("Wished: einops (2 proposals), apex (1 proposal). ")
    many = {f"m{number}": 1 for number in range(9)}
    assert "m4 (1 proposal) and 4 more. " in wished_words(many) and "m5" not in wished_words(many)


def test_the_event_comes_back_as_it_was() -> None:
    event = PackageWished(7, "einops")
    read = json.loads(json.dumps(to_json(event, at="2026-11-23T12:00:00+00:00", by="h")))
    recorded = from_json(read)
    assert recorded.event == event and event.key == "wished:7:einops"
    campaign = Campaign()
    campaign.apply(recorded)
    campaign.apply(replace(recorded, event=replace(event, experiment=8)))
    assert campaign.wishes.counts() == {"einops": 2}
