"""What a campaign costs at its hundredth experiment and at its hundred thousandth: reads, processes, CPU, size.

    python -m tests.benchmarks.scale [--sizes 100,1000,10000] [--report 10000] [--json FILE]

Each step is done by a process of its own, as a job on GitHub or a command does it: it opens the ledger, then does one
thing. `fresh` is a clone that has never folded this ledger; all others have folded it before, up to what came since.
Columns: files, as Linux counts what a process reads of them (`rchar`) once Python is loaded; objects of git that were
read here and their bytes; processes started; CPU seconds of this process and what it waited for; its peak memory.
The exponent is the slope of a straight line through the logarithms of sizes and figures.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import scale_ledger
from tests.bot.repositories import git

COLUMNS = ("read_kb", "objects", "object_kb", "written_kb", "processes", "cpu_s", "peak_mb")
OPERATIONS = (
    "fresh",
    "open",
    "append",
    "next append",
    "next step",
    "prompt",
    "search",
    "dashboard",
    "status",
)
LEAST = {"read_kb": 64.0, "object_kb": 64.0, "written_kb": 64.0, "cpu_s": 0.05, "peak_mb": 1.0}


class Meter:
    """Counts what this process does between two looks."""

    def __init__(self) -> None:
        self.objects = self.object_bytes = self.processes = self.written = 0
        self._watch()
        self._before = self._now()

    def _watch(self) -> None:
        from bot.git.store import Store

        read, write = Store.read, Store.write

        def counted_read(store: Store, sha: str, kind: str) -> bytes:
            content = read(store, sha, kind)
            self.objects += 1
            self.object_bytes += len(content)
            return content

        def counted_write(store: Store, kind: str, content: bytes) -> str:
            self.written += len(content)
            return write(store, kind, content)

        Store.read, Store.write = counted_read, counted_write  # type: ignore[method-assign,assignment]
        sys.addaudithook(self._hear)

    def _hear(self, event: str, _: object) -> None:
        self.processes += event == "subprocess.Popen"

    def _now(self) -> dict[str, float]:
        said = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return {
            "read_kb": int(said["rchar"]) / 1024,
            "objects": self.objects,
            "object_kb": self.object_bytes / 1024,
            "written_kb": self.written / 1024,
            "processes": self.processes,
            "cpu_s": sum(each.ru_utime + each.ru_stime for each in used),
        }

    def taken(self) -> dict[str, float]:
        """Return what was done since the last look."""
        before, self._before = self._before, self._now()
        found = {name: value - before[name] for name, value in self._before.items()}
        return found | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measure(repository: Path, what: str) -> dict[str, float]:
    """Do one thing in this process and return what it took; `open` is in each of them."""
    import contextlib
    import io

    from bot.agents.memory import memory_of
    from bot.commands import look
    from bot.commands.session import campaign_session
    from bot.ledger import now, stamp
    from bot.loop.choosing import Until, step_of
    from bot.loop.commits import editable_files
    from bot.loop.propose import ask
    from bot.loop.render import rendered_files
    from bot.rules import events as ev
    from bot.rules.experiment import Experiment

    os.environ["CLICOLOR"] = "0"
    with contextlib.redirect_stdout(io.StringIO()):
        if what == "search":
            import bot.agents.offline.search  # noqa: F401
        meter = Meter()
        if what in ("status", "report"):
            html = repository.parent / "report.html"
            if what == "status":
                look.status(repo=repository, campaign=None, as_json=False)
            else:
                look.report(
                    repo=repository, campaign=None, html=html, picture=None, tsv=None, serve=None, as_json=False
                )  # fmt: skip
            return meter.taken()
        with campaign_session(repository, None, quiet=True) as session:
            context = session.context
            campaign = context.ledger.refresh()
            number = max(campaign.experiments) + 1
            beginning = meter.taken()

            def lease(turn: int) -> list[ev.Event]:
                return [ev.LeaseTaken(f"bench:{os.getpid()}", turn, context.holder, stamp(now()))]

            def search() -> None:
                files = editable_files(context, campaign.incumbent)
                assert ask(context, campaign, Experiment(number, "", campaign.incumbent), files) is not None

            steps: dict[str, Callable[[], object]] = {
                "open": lambda: None,
                "fresh": lambda: None,
                "append": lambda: context.ledger.append(lambda _: lease(1)),
                "next append": lambda: context.ledger.append(lambda _: lease(2)),
                "next step": lambda: step_of(context, campaign, Until(1), 0),
                "prompt": lambda: memory_of(campaign, number),
                "search": search,
                "dashboard": lambda: rendered_files(context, campaign),
            }
            if what == "next append":
                context.ledger.append(lambda _: lease(1))
                beginning = dict.fromkeys(beginning, 0.0)
                meter.taken()
            steps[what]()
            done = meter.taken()
            return {name: done[name] + (beginning[name] if name != "peak_mb" else 0) for name in done}


def measured(repository: Path, what: str) -> dict[str, float]:
    """Have a process of its own do it."""
    command = [sys.executable, "-m", "tests.benchmarks.scale", "--do", what, "--in", str(repository)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3000)
    if done.returncode != 0:
        raise SystemExit(f"{what}: {done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def sizes(repository: Path) -> dict[str, float]:
    """Return what the ledger takes on disk and what a fresh runner gets of it, in MiB and seconds."""
    forge = repository / ".git/nocturne/forge.git"
    with tempfile.TemporaryDirectory() as there:
        found = {}
        for name, options in (("whole", []), ("shallow", ["--depth=1"])):
            target = Path(there) / name
            began = time.perf_counter()
            git(Path(there), "clone", "--quiet", "--bare", "--single-branch", "--branch=nocturne/ledger", *options,
                f"file://{forge}", str(target))  # fmt: skip
            found[f"{name} clone s"] = time.perf_counter() - began
            found[f"{name} clone MiB"] = _mib(target)
    return {"forge MiB": _mib(forge), **found}


def _mib(folder: Path) -> float:
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file()) / 2**20


def exponent(points: dict[int, float], least: float) -> float | None:
    """Return the slope in logarithms; figures below `least` count as that much, since they drown in the rest."""
    if len(points) < 2:
        return None
    xs = [math.log(size) for size in points]
    ys = [math.log(max(value, least)) for value in points.values()]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    over = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return over / sum((x - mean_x) ** 2 for x in xs)


def table(found: dict[int, dict[str, dict[str, float]]], operations: tuple[str, ...]) -> None:
    """Print a row for each operation and size, and the exponents below."""
    print(f"{'':12}{'experiments':>12}" + "".join(f"{column:>12}" for column in COLUMNS))
    for what in operations:
        there = {size: rows[what] for size, rows in found.items() if what in rows}
        for size, row in there.items():
            print(f"{what:12}{size:>12,}" + "".join(f"{row[column]:>12,.2f}" for column in COLUMNS))
        slopes = [exponent({s: r[c] for s, r in there.items()}, LEAST.get(c, 1.0)) for c in COLUMNS]
        if len(there) > 1:
            print(f"{'':12}{'exponent':>12}" + "".join(f"{slope:>12.2f}" for slope in slopes))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="100,1000,10000")
    parser.add_argument(
        "--report", type=int, default=1000, help="most experiments of which a report is written"
    )
    parser.add_argument("--only", default=",".join(OPERATIONS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder for the ledgers, which are used again")
    parser.add_argument("--do")
    parser.add_argument("--in", dest="repository", type=Path)
    options = parser.parse_args()
    if options.do:
        print(json.dumps(measure(options.repository, options.do)))
        return
    found: dict[int, dict[str, dict[str, float]]] = {}
    stated: dict[int, Any] = {}
    wanted = tuple(options.only.split(","))
    with tempfile.TemporaryDirectory() as folder:
        home = options.keep or Path(folder)
        for size in map(int, options.sizes.split(",")):
            repository, began = home / str(size) / "repository", time.perf_counter()
            if not repository.exists():
                repository.parent.mkdir(parents=True, exist_ok=True)
                scale_ledger.make(repository, size)
            print(f"{size:,} experiments made in {time.perf_counter() - began:.0f} s", file=sys.stderr)
            stated[size] = sizes(repository)
            found[size] = {}
            for what in (*wanted, *(["report"] if size <= options.report else [])):
                found[size][what] = measured(repository, what)
                print(f"{size:,} {what}: {found[size][what]}", file=sys.stderr)
    table(found, (*wanted, "report"))
    print()
    for size, each in stated.items():
        print(f"{size:,} experiments: " + ", ".join(f"{name} {value:.1f}" for name, value in each.items()))
    if options.json:
        options.json.write_text(json.dumps({"found": found, "sizes": stated}, indent=1))


if __name__ == "__main__":
    main()
