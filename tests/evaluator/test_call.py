"""Kind command with `call`: what the locked script calls runs behind a wall, and nobody writes a score through it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from evaluator import settings
from evaluator.calls.still import Processes
from evaluator.command.locked import fingerprint
from evaluator.errors import UserError
from evaluator.jail import control_group
from evaluator.jail.unjailed import Unjailed
from evaluator.job import Job
from nocturne_candidate import Candidate, _Pairs
from nocturne_candidate.timing import ratio_of
from tests.evaluator.pythons import running_task
from tests.evaluator.runs import Outcome, score
from tests.families import few

ROOT = Path(__file__).parents[2]
SETTINGS: dict[str, Any] = {
    "kind": "command",
    "call": ["solution.py"],
    "editable": ["solution.py"],
    "command": ["python", "bench.py"],
    "metric": {"name": "right", "direction": "maximize"},
    "data": ["answers.json"],
    "timeout_seconds": 60,
}
# Squares of numbers that nobody can know beforehand.
BENCH = """\
import json, os, pathlib, random
from nocturne_candidate import Candidate, CandidateError, metric

solution = Candidate("solution.py", limit=2)
draw = random.SystemRandom()
asked = [draw.randrange(10**6) for _ in range(4)]
right = sum(solution.call("square", number) == number * number for number in asked)
print("the answers lie in", pathlib.Path("answers.json").read_text())
metric(right=right / 4)
"""
HONEST = "def square(number):\n    return number * number\n"


def task(folder: Path, solution: str, bench: str = BENCH) -> Path:
    folder.mkdir()
    (folder / "bench.py").write_text(bench)
    (folder / "answers.json").write_text('"here"')
    (folder / "solution.py").write_text(solution)
    return folder


def run(folder: Path, solution: str, bench: str = BENCH, *more: str, **changed: Any) -> Outcome:
    return score(task(folder, solution, bench), {**SETTINGS, **changed}, *more)


def run_all(folder: Path, solutions: Sequence[str], bench: str, *more: str, **changed: Any) -> Outcome:
    """Measure many files in one run, each in jails of its own: they are 0/solution.py, 1/solution.py, ..."""
    places = [f"{at}/solution.py" for at in range(len(solutions))]
    for place, solution in zip(places, solutions, strict=True):
        (folder / place).parent.mkdir(parents=True)
        (folder / place).write_text(solution)
    (folder / "bench.py").write_text(bench)
    (folder / "answers.json").write_text(json.dumps(places))
    return score(folder, {**SETTINGS, "call": places, "editable": places, **changed}, *more)


def test_an_honest_file_scores_and_what_it_prints_is_log(tmp_path: Path) -> None:
    solution = "print('loaded')\n" + HONEST.replace("    return", "    print('METRIC right=7')\n    return")
    outcome = run(tmp_path / "repo", solution, BENCH, "--out", str(tmp_path / "out"), repeats=2)
    last = outcome.last
    assert (last["event"], last["score"]) == ("score", 1.0), last
    log = (tmp_path / "out" / "log.txt").read_text()
    assert log.count("the answers lie in") == 2 and log.count("[nocturne] printed by what was called") == 2
    assert last["metrics"]["cpu_seconds"] > 0 and last["metrics"]["peak_memory_mb"] > 5


NO_GAIN = {
    "prints the metric and ends, when it is loaded": (
        "import os\nprint('METRIC right=1.0', flush=True)\nos._exit(0)\n",
        "ended its process",
    ),
    "prints the metric and ends, when it is called": (
        "import os\ndef square(number):\n    print('METRIC right=1.0', flush=True)\n    os._exit(0)\n",
        "solution.py: square: it ended its process and gave no answer",
    ),
    "ends with a code": ("import os\ndef square(number):\n    os._exit(7)\n", "exit code 7"),
    "exits": (
        "import sys\ndef square(number):\n    sys.exit(0)\n",
        "solution.py: square: SystemExit: 0",
    ),
    "hangs": (
        "import time\ndef square(number):\n    time.sleep(99)\n",
        "solution.py: square: still running after 2 s",
    ),
    "is killed": (
        "import os\ndef square(number):\n    os.kill(os.getpid(), 9)\n",
        "solution.py: square: ended by",
    ),
    "raises": (
        "def square(number):\n    raise ValueError('METRIC right=1\\nMETRIC right=1')\n",
        "solution.py: square: ValueError: METRIC right=1 METRIC right=1",
    ),
    "says what it is not": (
        "def square(number):\n    class Right:\n        def __eq__(self, other): return True\n"
        "        def __float__(self): return 1.0\n    return Right()\n",
        "square.<locals>.Right; known are numbers, texts",
    ),
    "deep": (
        "def square(number):\n    deep = []\n    for _ in range(10**5): deep = [deep]\n    return deep\n",
        "lists in more than 40 lists",
    ),
    "huge": ("def square(number):\n    return bytes(300 << 20)\n", "more than 256 MiB"),
    "huge, in words": (
        "def square(number):\n    return 'x' * (20 << 20)\n",
        "more than 16 MiB of texts",
    ),
    "a claim of more than there is": (
        "import gc, socket\ndef square(number):\n"
        "    end = next(each for each in gc.get_objects() if isinstance(each, socket.socket))\n"
        "    end.sendall(b'NCT2' + bytes([179, 0, 0, 0]) + (2**60).to_bytes(8, 'little'))\n",
        "solution.py: square: the candidate sent the scorer something that is no message",
    ),
    "answers before it is asked": (
        "import gc, socket\n"
        "end = next(each for each in gc.get_objects() if isinstance(each, socket.socket))\n"
        "body = bytes(8) + (26).to_bytes(4, 'little') + b'{\"value\": 1, \"sizes\": []} '\n"
        "for kind, body in ((178, b''), *[(179, body)] * 4):\n"
        "    end.sendall(b'NCT2' + bytes([kind, 0, 0, 0]) + len(body).to_bytes(8, 'little') + body)\n"
        "def square(number):\n    return 1\n",
        "solution.py: square: it ",  # answered before it was asked, or sent what is no answer: whichever is seen
    ),
    "nonsense for an answer": (
        "import gc, socket\ndef square(number):\n"
        "    from nocturne_candidate import plain\n    plain.packed = lambda value: b'\\xff' * 30\n    return 1\n",
        "its answer is no message of plain data",
    ),
    "memory": ("def square(number):\n    return len(bytearray(900 << 20)) and 0\n", "MiB of memory"),
    "not there": ("", "has no attribute 'square'"),
    "does not parse": ("def square(:\n", "SyntaxError"),
}
KINDS = {
    "hangs": "timeout",
    "memory": "out_of_memory",
    "does not parse": "syntax",
    "a claim of more than there is": "refused",
    "answers before it is asked": "refused",
    "nonsense for an answer": "refused",
}


# Of each way to end one by itself; the others are told in the same way, see below.
WHOLE_RUNS = (
    "prints the metric and ends, when it is loaded", "hangs", "raises", "answers before it is asked", "memory",
    "does not parse",
)  # fmt: skip


@pytest.mark.parametrize("name", few(WHOLE_RUNS, 2, in_ci=4))
def test_no_answer_ends_the_run_with_one_line_that_says_why(tmp_path: Path, name: str) -> None:
    solution, reason = NO_GAIN[name]
    outcome = run(tmp_path / "repo", solution, memory_mb=300 if name == "memory" else 2000)
    last = outcome.last
    assert last["event"] == "failed" and reason in last["reason"], last
    assert "\n" not in last["reason"] and len(last["reason"]) <= 500
    assert name not in KINDS or last["class"] == KINDS[name], last


FAILING = """\
import json, pathlib
from nocturne_candidate import Candidate, CandidateError, metric
for name in json.loads(pathlib.Path("answers.json").read_text()):
    try:
        solution = Candidate(name, limit=2)
        solution.call("square", 3)
        solution.call("square", 4)  # what the first call has changed in its own process shows here
    except CandidateError as error:
        print("TOLD", json.dumps([name, error.kind, error.reason]))
metric(right=0)
"""


@pytest.mark.long
def test_each_way_to_give_no_answer_is_told_to_the_script_in_one_line(tmp_path: Path) -> None:
    names = [name for name in NO_GAIN if name not in WHOLE_RUNS]
    out = tmp_path / "out"
    solutions = [NO_GAIN[name][0] for name in names]
    last = run_all(tmp_path / "repo", solutions, FAILING, "--out", str(out), memory_mb=2000).last
    assert (last["event"], last["score"]) == ("score", 0.0), last
    lines = (out / "log.txt").read_text().splitlines()
    told = [json.loads(line.removeprefix("TOLD ")) for line in lines if line.startswith("TOLD ")]
    assert [place for place, _, _ in told] == [f"{at}/solution.py" for at in range(len(names))]
    for name, (_, kind, reason) in zip(names, told, strict=True):
        assert NO_GAIN[name][1] in reason and "\n" not in reason and len(reason) <= 500, (name, reason)
        assert name not in KINDS or kind == KINDS[name], (name, kind)


WRONG = {
    "prints the metric": "def square(number):\n    print('METRIC right=1', flush=True)\n    return 0\n",
    "floods": "def square(number):\n    for _ in range(10**4): print('METRIC right=1')\n    return 0\n",
    "answers by other types": "def square(number):\n    return [True, '1', 1.5, None][number % 4]\n",
    "text that states a metric": "def square(number):\n    return '\\nMETRIC right=1\\n{\"right\": 1}\\n'\n",
}


PATCHING = (
    "import builtins, json, sys\nimport nocturne_candidate, nocturne_candidate.drivers, os\n"
    "builtins.print = lambda *args, **more: os.write(1, b'METRIC right=1\\n')\n"
    "json.loads = json.dumps = lambda *args, **more: {'right': 1}\n"
    "nocturne_candidate.metric = nocturne_candidate.drivers.driver = lambda *args, **more: None\n"
    "sys.modules['bench'] = sys.modules['__main__'] = nocturne_candidate\n"
    "def square(number):\n    return 0\n"
)
ASKING = """\
import json, pathlib, random
from nocturne_candidate import Candidate, metric
draw, right = random.SystemRandom(), 0
for name in json.loads(pathlib.Path("answers.json").read_text()):
    solution = Candidate(name, limit=30)
    print(solution.call("square", 5))
    asked = [draw.randrange(10**6) for _ in range(4)]
    right += sum(solution.call("square", number) == number * number for number in asked)
metric(right=right)
"""


@pytest.mark.long
def test_a_wrong_answer_stays_one_whatever_is_printed(tmp_path: Path) -> None:
    last = run_all(tmp_path / "repo", list(WRONG.values()), ASKING, "--seed", "77").last
    assert last["score"] == 0.0, last
    assert len(last["log_tail"]) <= 4000


@pytest.mark.long
def test_who_patches_what_it_can_reach_gives_no_answer_or_a_wrong_one(tmp_path: Path) -> None:
    last = run_all(tmp_path / "repo", [PATCHING], ASKING, "--seed", "77").last
    assert last.get("score", 0.0) == 0.0, last  # who breaks its own library gives no answer at all


@pytest.mark.parametrize(
    "command",
    [["python", "bench.py"], pytest.param(["sh", "-c", "exec python bench.py"], marks=pytest.mark.long)],
)
def test_what_is_called_finds_neither_the_script_nor_its_data(tmp_path: Path, command: list[str]) -> None:
    looking = """\
import os, pathlib
def square(number):
    told = [name for name in os.environ if name.startswith(("NOCTURNE_CALLS", "NOCTURNE_DATA"))]
    seen = [path for path in ("bench.py", "answers.json") if pathlib.Path(path).exists()]
    return [pathlib.Path("solution.py").exists(), os.environ["NOCTURNE_SEED"], *seen, *told]
"""
    bench = """\
from nocturne_candidate import Candidate, metric
seen = Candidate("solution.py").call("square", 1)
assert seen == [True, "0"], seen
metric(right=1)
"""
    last = run(tmp_path / "repo", looking, bench, "--seed", "77", command=command).last
    assert (last["event"], last["score"]) == ("score", 1.0), last


@pytest.mark.long
def test_the_script_may_catch_what_fails_and_the_next_call_begins_anew(tmp_path: Path) -> None:
    solution = "import os\ncount = 0\ndef square(number):\n    global count\n    count += 1\n"
    solution += "    if number == 3: os._exit(1)\n    return count\n"
    bench = """\
from nocturne_candidate import Candidate, CandidateError, metric
solution = Candidate("solution.py")
seen = [solution.call("square", 1), solution.call("square", 2)]
try:
    solution.call("square", 3)
except CandidateError as error:
    seen.append(error.kind)
seen.append(solution.call("square", 4))
with solution.fresh() as other:
    seen.append(other.call("square", 5))
assert seen == [1, 2, "error", 1, 1], seen
assert 0 <= solution.last.cpu_seconds < 5 and solution.last.memory_mb > 5, solution.last
metric(right=1)
"""
    last = run(tmp_path / "repo", solution, bench).last
    assert (last["event"], last["score"]) == ("score", 1.0), last


def test_the_script_itself_reaches_nothing_that_experiments_may_change(tmp_path: Path) -> None:
    last = run(tmp_path / "repo", "print('METRIC right=1')\n", "import solution\n").last
    assert (last["event"], last["class"]) == ("failed", "import"), last
    unnamed = "from nocturne_candidate import Candidate\nCandidate('other.py').call('square', 1)\n"
    outcome = run(tmp_path / "other", HONEST, unnamed)
    assert outcome.returncode == 2 and "`evaluator.call` does not name" in outcome.stderr


@pytest.mark.long
def test_a_smoke_run_tries_it_out_and_without_a_jail_it_runs_all_the_same(tmp_path: Path) -> None:
    repo = task(tmp_path / "repo", HONEST)
    smoke = score(repo, SETTINGS, "--smoke", "30").last
    assert (smoke["event"], smoke["reached"], smoke["log_tail"]) == ("smoke", "ended", ""), smoke
    free = {name: "" for name in os.environ if name.endswith(("_TOKEN", "_KEY", "_SECRET"))}
    unjailed = score(repo, {**SETTINGS, "jail": "none"}, env=free).last
    assert (unjailed["event"], unjailed["score"], unjailed["jail"]) == ("score", 1.0, "none"), unjailed


COUNTING = """\
import ctypes, os, threading, time
counted = {"here": 0}
out, end = os.pipe()
os.set_blocking(out, False)

def here():
    while True:
        time.sleep(0.01)
        counted["here"] += 1

threading.Thread(target=here, daemon=True).start()
def below():
    while True:
        time.sleep(0.01)
        os.write(end, b"x")

if os.fork() == 0:
    below()
if os.fork() == 0:  # a process whose first thread has ended
    threading.Thread(target=below).start()
    ctypes.CDLL(None).syscall(60 if os.uname().machine == "x86_64" else 93, 0)

def square(number):
    try:
        below = len(os.read(out, 10**6))
    except BlockingIOError:
        below = 0
    found, counted["here"] = counted["here"], 0
    return found, below
"""


def test_between_two_calls_everything_in_the_jail_stands_still(tmp_path: Path) -> None:
    bench = """\
import time
from nocturne_candidate import Candidate, metric
solution = Candidate("solution.py")
solution.call("square", 1)
counted = []
for _ in range(3):
    time.sleep(1.5)
    counted.append(max(solution.call("square", 2)))
metric(right=min(counted))
"""
    last = run(tmp_path / "repo", COUNTING, bench).last
    assert last["event"] == "score" and last["score"] < 50, (
        last
    )  # and not 150, or what a busy machine makes of it


TIMED = """\
import random
from nocturne_candidate import Candidate, metric
draw = random.SystemRandom()
solution = Candidate("solution.py")
{how}
wrong = [each for each, other in zip(timing.answers, timing.reference_answers) if each != other]
metric(right=timing.ratio if not wrong else 9, total=timing.total, calls=len(timing.answers))
"""
DRAWN = TIMED.format(
    how='timing = solution.time("work", lambda number: (draw.randrange(10**6),), rounds=3, calls=8)'
)
FIXED = TIMED.format(how='timing = solution.time("work", (5,), rounds=4)')
WARM = TIMED.format(how='timing = solution.time("work", (5,), warm_up=(6,), rounds=4)')
WORK = """\
def work(seed):
    x = seed
    for _ in range(60000):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
    return x
"""
NO_QUICKER = {
    "keeps answers in memory": (
        WORK.replace("def work", "import functools\n@functools.cache\ndef work"),
        FIXED,
    ),
    "keeps answers in files": (
        WORK.replace("def work", "def slow")
        + "import pathlib\ndef work(seed):\n    for folder in ('/tmp', '/dev/shm', '.', str(pathlib.Path.home())):\n"
        "        kept = pathlib.Path(folder, 'kept')\n        if kept.exists(): return int(kept.read_text())\n"
        "    found = slow(seed)\n"
        "    for folder in ('/tmp', '/dev/shm', '.', str(pathlib.Path.home())):\n"
        "        pathlib.Path(folder, 'kept').write_text(str(found))\n    return found\n",
        FIXED,
    ),
    "works when it is loaded": (
        WORK.replace("def work", "def slow") + "known = slow(5)\ndef work(seed):\n    return known\n",
        FIXED,
    ),
    "works when it is warmed up": (
        WORK.replace("def work", "def slow")
        + "known = []\ndef work(seed):\n    if seed != 6: return known[0]\n    known.append(slow(5))\n"
        "    return slow(6)\n",
        WARM,
    ),
    "works for all calls in its first": (
        WORK.replace("def work", "def slow") + "known = []\ndef work(seed):\n"
        "    if not known:\n        known.append([slow(each) for each in range(20)])\n"
        "    a, c, fa, fc, left = 1103515245, 12345, 1, 0, 60000\n    while left:\n"
        "        if left & 1: fa, fc = fa * a & 0x7FFFFFFF, fc * a + c & 0x7FFFFFFF\n"
        "        a, c, left = a * a & 0x7FFFFFFF, c * a + c & 0x7FFFFFFF, left >> 1\n"
        "    return fa * seed + fc & 0x7FFFFFFF\n",
        DRAWN,
    ),
    "lets a child work": (
        WORK.replace("def work", "def slow")
        + "import os\ndef work(seed):\n    out, end = os.pipe()\n    if os.fork() == 0:\n"
        "        os.write(end, str(slow(seed)).encode())\n        os._exit(0)\n    return int(os.read(out, 99))\n",
        DRAWN,
    ),
    "lets a child work that nobody waits for": (
        WORK.replace("def work", "def slow")
        + "import os, signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\ndef work(seed):\n"
        "    out, end = os.pipe()\n    if os.fork() == 0:\n        os.write(end, str(slow(seed)).encode())\n"
        "        os._exit(0)\n    os.close(end)\n    found = int(os.read(out, 99))\n    os.read(out, 1)\n"
        "    os.close(out)\n    return found\n",
        DRAWN,
    ),
    "lets children of children work": (
        WORK.replace("def work", "def slow")
        + "import os\ndef work(seed):\n    out, end = os.pipe()\n    if os.fork() == 0:\n        if os.fork() == 0:\n"
        "            os.write(end, str(slow(seed)).encode())\n        os._exit(0)\n    os.wait()\n    os.close(end)\n"
        "    found = int(os.read(out, 99))\n    os.read(out, 1)\n    os.close(out)\n    return found\n",
        DRAWN,
    ),
    "lets threads and children work between the calls": (
        WORK + "import os, threading\ndef more():\n    while True: pass\n"
        "threading.Thread(target=more, daemon=True).start()\nif os.fork() == 0: more()\n",
        DRAWN,
    ),
}


QUICK = ("keeps answers in files",)
IN_CI = (
    "works when it is warmed up",
    "lets a child work that nobody waits for",
    "lets children of children work",
)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=() if name in QUICK else pytest.mark.long if name in IN_CI else pytest.mark.slow
        )
        for name in NO_QUICKER
    ],
)
def test_work_elsewhere_makes_nothing_quicker(tmp_path: Path, name: str) -> None:
    solution, bench = NO_QUICKER[name]
    last = run(tmp_path / "repo", solution, bench, reference={"solution.py": WORK}).last
    assert last["event"] == "score" and last["score"] > 0.6, last


def test_work_that_is_put_off_to_few_calls_counts_and_a_disturbed_one_does_not() -> None:
    theirs = [1.0 + 0.01 * (number % 3) for number in range(40)]
    quick = [(each / 10, each) for each in theirs]
    assert ratio_of(quick) == pytest.approx(0.1)
    late = [(5.0, each) if number % 10 == 7 else (each / 10, each) for number, each in enumerate(theirs)]
    assert ratio_of(late) > 0.5  # 0.59 of all seconds, and the middle half says 0.1
    disturbed = [*theirs[:20], *[2.0, 1.7, 1.9], *theirs[23:]]
    both = list(zip(disturbed, [*theirs[:5], 2.2, *theirs[6:30], 1.8, *theirs[31:]], strict=True))
    assert ratio_of(both) == pytest.approx(1.0)


@pytest.mark.parametrize(("ready", "free"), [([1.0] * 10, True), ([1.0, 5.0] * 4 + [1.0] * 4, False)])
def test_who_gets_ready_in_some_processes_only_pays_for_it(ready: list[float], free: bool) -> None:
    pairs = _Pairs(Candidate("solution.py"), "work", (1,), 1, "cpu")
    pairs._readied = [[ours, 1.0 + 0.02 * (number % 3)] for number, ours in enumerate(ready)]
    assert (pairs.surplus() == 0.0) == free


ENDING = """\
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    if line == "child\\n" and os.fork() == 0:
        os._exit(0)
    try:
        os.wait()
    except ChildProcessError:
        print(line, end="", flush=True)
"""


def test_a_child_that_nobody_waited_for_is_known_to_have_ended() -> None:
    """Where no control group counts it: then the call counts by the clock."""
    command = [sys.executable, "-I", "-S", "-c", ENDING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as main:
        assert main.stdin is not None and main.stdout is not None

        def some_ended(line: str) -> bool:
            assert main.stdin is not None and main.stdout is not None
            print(line, file=main.stdin, flush=True)
            assert main.stdout.readline().strip() == line
            return processes.some_ended()

        processes = Processes(main.pid, jailed=True)
        some_ended("nothing")
        assert all(some_ended("child") for _ in range(3))
        assert not all(some_ended("nothing") for _ in range(200))  # others may start processes here, too


HOARDING = """\
import os
file = os.memfd_create("hoard")
def square(number):
    os.posix_fallocate(file, 0, 200 << 20)
    return number
"""


@pytest.mark.long
def test_files_in_memory_are_memory_of_a_call(tmp_path: Path) -> None:
    if control_group.gaps():
        pytest.skip("without a control group nobody counts them at every call")
    bench = """\
from nocturne_candidate import Candidate, metric
solution = Candidate("solution.py")
solution.call("square", 1)
metric(right=solution.last.memory_mb)
"""
    last = run(tmp_path / "repo", HOARDING, bench).last
    assert last["event"] == "score" and last["score"] > 200, last


@pytest.mark.long
def test_a_quicker_file_is_seen_beside_the_reference(tmp_path: Path) -> None:
    quicker = WORK.replace("60000", "30000").replace("return x", "return seed and x")
    bench = DRAWN.replace("if not wrong else 9", "")
    last = run(tmp_path / "repo", quicker, bench, reference={"solution.py": WORK}).last
    assert last["event"] == "score" and 0.4 < last["score"] < 0.62, last
    assert last["metrics"]["calls"] == 24
    alone = run(tmp_path / "alone", quicker, bench).last
    assert 0.8 < alone["score"] < 1.25, alone  # without a reference it is its own


def test_the_reference_counts_for_what_is_measured(tmp_path: Path) -> None:
    repo = task(tmp_path / "repo", HONEST)

    def mark(**changed: Any) -> str:
        chosen = settings.parse({**SETTINGS, **changed}, "here")
        return fingerprint(Job(repo, chosen, 0, 0.0, Unjailed(), running_task(repo)))

    assert len({mark(), mark(reference={"solution.py": WORK}), mark(call=["solution.py", "more.py"])}) == 3


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kind": "train"}, "call: goes with kind command"),
        ({"produce": ["python", "solution.py"]}, "not with produce"),
        ({"call": ["../other.py"]}, "must be a path inside the repository"),
        ({"reference": {"solution.py": 1}}, "must be a mapping of paths to texts"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changed: Mapping[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        settings.parse({**SETTINGS, "metric": {"name": "val_bpb"}, **changed}, "here")


def by_hand(repo: Path) -> subprocess.CompletedProcess[str]:
    """Run the script without Nocturne around it."""
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); exec(open('bench.py').read())"],
        cwd=repo, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


SHORT_ROUNDS = (
    "import nocturne_candidate\nnocturne_candidate._ROUND_SECONDS, nocturne_candidate._ROUND_WALL = {}\n"
)


def test_a_round_has_fewer_calls_if_they_take_long_by_the_clock(tmp_path: Path) -> None:
    slow = "import time\n\n\ndef work(seed):\n    time.sleep(0.2)\n"  # of the processor a hundred would fit
    how = TIMED.format(how='timing = solution.time("work", lambda number: (number,), rounds=1)')
    done = by_hand(task(tmp_path / "repo", slow, SHORT_ROUNDS.format("0.25, 1.2") + how))
    assert done.returncode == 0, done.stderr
    assert 1 <= float(done.stdout.partition("METRIC calls=")[2].split()[0]) <= 3


@pytest.mark.long
@pytest.mark.parametrize(("loading", "processes"), [(0, range(2, 5)), (5_000_000, range(1, 2))])
def test_a_round_has_several_processes_if_they_load_quickly(
    tmp_path: Path, loading: int, processes: range
) -> None:
    """The same code is a per cent quicker in one process than in another: what one round says rests on several."""
    solution = WORK + f"import os\nOURS = os.urandom(8).hex()\nfor _ in range({loading}): pass\n"
    solution = solution.replace("return x", "return OURS if seed else x")
    bench = SHORT_ROUNDS.format("0.25, 60.0") + TIMED.format(
        how='timing = solution.time("work", lambda number: (number + 1,), rounds=1)'
    )
    bench += "metric(ours=len(set(timing.answers)), theirs=len(set(timing.reference_answers)))\n"
    done = by_hand(task(tmp_path / "repo", solution, bench))
    assert done.returncode == 0, done.stderr
    for side in ("ours", "theirs"):
        assert float(done.stdout.partition(f"METRIC {side}=")[2].split()[0]) in processes


@pytest.mark.long
def test_by_hand_the_same_script_runs_without_nocturne(tmp_path: Path) -> None:
    repo = task(tmp_path / "repo", HONEST + WORK, BENCH + DRAWN.replace("right=timing", "ratio=timing"))
    done = by_hand(repo)
    assert done.returncode == 0, done.stderr
    assert "METRIC right=1.0" in done.stdout and "METRIC ratio=" in done.stdout
    assert json.loads((repo / "answers.json").read_text()) == "here"
