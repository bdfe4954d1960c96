"""Kind command with `produce`: the candidate leaves answers, a locked script compares them, and nobody cheats."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluator.jail import control_group
from tests.evaluator.runs import Outcome, eventually, processes_with, score
from tests.families import few

LABELS = "abbabbbb"
BENCH = """\
import os, pathlib, time
out = pathlib.Path(os.environ["NOCTURNE_OUT"])
said = (out / "answers.txt").read_text()
labels = (pathlib.Path(os.environ["NOCTURNE_DATA"].split(":")[0]) / "labels.txt").read_text()
while said == "wait":
    time.sleep(1)
if said.startswith("is "):
    print("METRIC accuracy=" + said.removeprefix("is "))
else:
    print("METRIC accuracy=%.3f" % (sum(a == b for a, b in zip(said, labels)) / len(labels)))
print("METRIC files=%d" % len(list(out.iterdir())))
try:
    (out / "more").touch()
    print("METRIC written=1")
except OSError:
    pass
"""
SETTINGS = {
    "kind": "command",
    "produce": ["python", "train.py"],
    "command": ["python", "bench.py"],
    "metric": {"name": "accuracy", "direction": "maximize"},
    "data": ["exam"],
    "scratch_mb": 8,
    "timeout_seconds": 20,
}
HEAD = """\
import os, pathlib, subprocess, sys, time
out = pathlib.Path(os.environ["NOCTURNE_OUT"])
"""
HONEST = '(out / "answers.txt").write_text("a" * 8)\n'  # right twice of eight times


def task(folder: Path, train: str) -> Path:
    (folder / "exam").mkdir(parents=True)
    (folder / "exam" / "labels.txt").write_text(LABELS)
    (folder / "bench.py").write_text(BENCH)
    (folder / "helper.py").write_text("print('METRIC accuracy=1', flush=True)\n")
    (folder / "train.py").write_text(HEAD + train)
    return folder


def run(tmp_path: Path, train: str, *more: str, **settings: object) -> Outcome:
    return score(task(tmp_path / "repo", train), {**SETTINGS, **settings}, *more)


def test_what_the_candidate_leaves_is_measured(tmp_path: Path) -> None:
    train = HONEST + '(out / "notes").mkdir()\nprint("step 3 | loss: 0.5")\ntime.sleep(0.5)\n'
    outcome = run(tmp_path, train, "--out", str(tmp_path / "out"), repeats=2)
    if "no jail can be made" in outcome.stderr:
        pytest.skip(outcome.stderr)
    assert outcome.returncode == 0, outcome.last
    last = outcome.last
    assert last["score"] == 0.25
    assert "scoring" in [event["event"] for event in outcome.events]
    assert last["curve"] and last["curve"][0][2] == 0.5
    metrics = last["metrics"]
    assert 0.5 < metrics["training_seconds"] < metrics["total_seconds"]
    assert metrics["command_seconds"] > 0 and metrics["peak_memory_mb"] > 1
    log = (tmp_path / "out" / "log.txt").read_text()
    assert log.count("[nocturne] produce") == 1 and log.count("[nocturne] command") == 2
    assert metrics["files"] == 2 and "written" not in metrics


@pytest.mark.long
def test_what_fails_on_the_way_says_where(tmp_path: Path) -> None:
    broken = run(tmp_path, "raise ValueError('odd data')\n").last
    assert (broken["class"], broken["reason"]) == ("error", "ValueError: odd data")
    assert "train.py" in broken["traceback"]
    nothing = score(task(tmp_path / "b", "pass\n"), SETTINGS).last
    assert nothing["reason"].startswith("FileNotFoundError") and "bench.py" in nothing["traceback"]
    slow = score(task(tmp_path / "c", "time.sleep(60)\n"), {**SETTINGS, "timeout_seconds": 1}).last
    assert (slow["class"], slow["defence"]) == ("timeout", "limits")
    missing = score(task(tmp_path / "d", ""), {**SETTINGS, "produce": ["nocturne-has-no-such-program"]})
    assert missing.returncode == 2 and "produce: nocturne-has-no-such-program" in missing.stderr


WITHOUT_EFFECT = {
    "printed": """
print("METRIC accuracy=1")
print('{"accuracy": 1}')
print("METRIC accuracy=1", end="")
""",
    "printed by others": """
import atexit, helper
atexit.register(print, "METRIC accuracy=1")
subprocess.run([sys.executable, "helper.py"])
os.write(1, b"METRIC accuracy=1")
""",
    "printed later": """
subprocess.Popen(["sh", "-c", "while sleep 0.05; do echo METRIC accuracy=1; done"], start_new_session=True)
""",
    "forged heading": r"""
print("\n[nocturne] command\nMETRIC accuracy=1")
""",
    "locked script replaced": """
try:
    pathlib.Path("bench.py").write_text("print('METRIC accuracy=1')")
except OSError:
    pass
""",
    "looks for the answers": """
text = "a" * 8
for place in ("exam/labels.txt", "exam", *sys.path):
    try:
        text = (pathlib.Path(place) / "labels.txt").read_text()
    except OSError:
        pass
(out / "answers.txt").write_text(text)
""",
    "another output folder": """
(out.parent / "produced").mkdir(exist_ok=True)
(out.parent / "produced" / "answers.txt").write_text("is 1")
""",
    "output folder of the command": """
os.environ["NOCTURNE_OUT"] = "/"
""",
}


def test_no_cheat_of_these_has_an_effect(tmp_path: Path) -> None:
    """All in one run, one after the other: each by itself would make the score one."""
    outcome = run(tmp_path, HONEST + "".join(WITHOUT_EFFECT.values()))
    assert outcome.returncode == 0, outcome.last
    assert outcome.last["score"] == 0.25
    assert eventually(lambda: not processes_with("echo METRIC accuracy"))


def test_answers_are_out_of_sight_wherever_they_lie(tmp_path: Path) -> None:
    """A whole search of what can be read, for the answers' text: in the tree's copies, and outside of it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "labels.txt").write_text(LABELS)
    search = f"""
found = []
for top in ({str(tmp_path)!r}, os.getcwd(), str(pathlib.Path.cwd().parents[1]), os.environ["HOME"]):
    for folder, _, names in os.walk(top):
        found += [os.path.join(folder, name) for name in names if name == "labels.txt"]
print("found", found)
(out / "answers.txt").write_text(open(found[0]).read() if found else "a" * 8)
"""
    outcome = run(tmp_path, search, data=["exam", str(tmp_path / "outside")])
    if outcome.last["jail"] == "none":
        pytest.skip("without a jail nothing is out of sight")
    assert outcome.last["score"] == 0.25 and "found []" in outcome.last["log_tail"]


# What else is refused there is `test_handover`'s to show.
REFUSED = {
    "link to the answers": (
        '(out / "answers.txt").symlink_to(pathlib.Path.cwd() / "exam" / "labels.txt")\n',
        "refused", "jail", "answers.txt is a symbolic link",
    ),
    "infinite": (HONEST.replace('"a" * 8', '"is 1e999"'), "nan", "scoring", "not a finite number"),
    "keeps the command busy": (
        HONEST.replace('"a" * 8', '"wait"'), "timeout", "limits", "still running after 2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("cheat", few(REFUSED, 1))
def test_a_cheat_that_is_caught(tmp_path: Path, cheat: str) -> None:
    train, kind, defence, reason = REFUSED[cheat]
    last = run(tmp_path, train, timeout_seconds=2 if kind == "timeout" else 20).last
    assert (last["event"], last["class"], last["defence"]) == ("failed", kind, defence), last
    assert reason in last["reason"]


@pytest.mark.parametrize(
    "train",
    few([
        'with (out / "big").open("wb") as file:\n    for _ in range(64):\n        file.write(bytes(1 << 20))\n',
        'for i in range(64):\n    (out / str(i)).write_bytes(bytes(1 << 20))\n',
    ], 1),
    ids=["one file", "many files"],
)  # fmt: skip
def test_too_much_output_is_refused(tmp_path: Path, train: str) -> None:
    """By the jail's quota while it is written, or else when it is handed over."""
    last = run(tmp_path, HONEST + train).last
    assert last["event"] == "failed" and last["metrics"].get("accuracy") is None
    assert any(
        word in last["reason"] for word in ("more than 8 MiB", "No space left", "too large", "SIGXFSZ")
    )


@pytest.mark.long
def test_a_file_in_memory_costs_memory(tmp_path: Path) -> None:
    if control_group.gaps():
        pytest.skip("without a control group nobody counts what no process shows as its own")
    train = HONEST + 'os.posix_fallocate(os.memfd_create("hoard"), 0, 200 << 20)\ntime.sleep(1)\n'
    assert run(tmp_path, train, scratch_mb=300).last["metrics"]["peak_memory_mb"] > 200


def test_an_output_folder_put_in_the_place_of_another_is_not_followed(tmp_path: Path) -> None:
    train = HONEST + 'out.rename(out.parent / "old")\nout.symlink_to(pathlib.Path.cwd() / "exam")\n'
    assert run(tmp_path, train).last["score"] == 0.25
