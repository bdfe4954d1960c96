"""A campaign in a world that can be told to go wrong, and what must hold at its end whatever went wrong."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.benchmarks.faults import worker
from tests.benchmarks.faults.worker import Order
from tests.bot.repositories import CONFIG, TRAIN, events, git, make_repository, outcome
from tests.bot.test_github_campaign import PERMISSIONS
from tests.bot.test_github_faults import seen
from tests.bot.thinking import both, good
from tests.github.faults import Fault, Faults
from tests.github.server import GitHub, Repository
from tests.messages.minds import Fault as Busy
from tests.messages.server import serve as messages
from tests.slack.server import serve as slack
from tests.slack.world import Slack

EXPERIMENTS = 3
FINE = f"{CONFIG}stop: {{experiments: {EXPERIMENTS}}}\nturn: [LEARNING_RATE]\nlease_minutes: 0.05\n"
BY_HAND = "By hand"
"""The subject of commits that people push: a branch with one is theirs, and is kept."""
TRIES = 12  # commands after which a campaign that does not come to its end is given up
LONGEST = 600.0  # seconds of one command, on a busy machine
_CONTEXT = multiprocessing.get_context("forkserver")


def begin() -> None:
    """Have everything imported once, in the process from which all commands are forked."""
    _CONTEXT.set_forkserver_preload(["tests.benchmarks.faults.worker"])


class Command:
    """A command of `nocturne` that was started, and waits at its moment or has ended."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.process: BaseProcess = _CONTEXT.Process(target=worker.work, args=(order,))
        self.process.start()

    def met(self) -> bool:
        """Wait for its moment; False if it ended before."""
        until = time.monotonic() + LONGEST
        while not self.order.reached.exists():
            if not self.process.is_alive():
                return self.order.reached.exists()
            if time.monotonic() > until:
                raise TimeoutError(f"{self.order.words} reaches no {self.order.moment}: {self.text[-500:]}")
            time.sleep(0.02)
        return True

    def signal(self, number: int) -> None:
        """Send a signal to all its processes."""
        assert self.process.pid is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def end(self, seconds: float = LONGEST) -> int:
        """Let it go on, and return its exit code, negative for a signal."""
        self.order.go.touch()
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.signal(signal.SIGKILL)
            self.process.join(10)
            raise TimeoutError(f"{self.order.words} does not end: {self.text[-500:]}")
        return self.process.exitcode

    @property
    def text(self) -> str:
        """What it has printed."""
        return self.order.said.read_text(errors="replace") if self.order.said.exists() else ""


class Down:
    """A network that is gone: every call to the GitHub on loopback is cut off, until it is back."""

    def __init__(
        self, github: GitHub, fault: Fault = Fault.reset, share: float = 1.0, seed: str = ""
    ) -> None:
        self.github, self.fault, self.share, self.random = github, fault, share, random.Random(seed)
        self.calls = 0

    def __enter__(self) -> Down:
        meet = Faults.meet

        def cut(method: str, path: str) -> tuple[Fault | None, int]:
            self.calls += 1
            if self.random.random() < self.share:
                self.github.faults.at(0, self.fault)
            return meet(self.github.faults, method, path)

        self.github.faults.meet = cut  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        del self.github.faults.meet
        self.github.faults.clear()


@dataclass
class Play:
    """One campaign, in a repository of its own: at a GitHub on loopback, or in its own clone alone."""

    folder: Path
    name: str
    seed: str
    github: GitHub | None
    settings: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    random: random.Random = field(init=False)
    repository: Repository | None = field(init=False, default=None)
    commands: list[Command] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Keys of the events that were on the ledger when the fault came."""
    faults: int = 0
    token: str = ""
    service: str = ""
    disk: bool = False
    down: threading.Event = field(default_factory=threading.Event)
    """Whether the service answers nobody."""
    _serving: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _slack: Slack | None = None

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.place = self.folder / self.name
        self.top = self.place / "disk/repo"
        self.top.parent.mkdir(parents=True)
        if self.disk:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "faults", self.top.parent], check=True)
        config = FINE + self.settings
        make_repository(self.top, config=config, files={"train.py": TRAIN}, shared=self.github is not None)
        if self.github is not None:
            self.repository = self.github.repository(f"octo/{self.name}", private=True, default_branch="main")
            git(self.top, "push", "--quiet", str(self.repository.path), "main")
            git(self.top, "remote", "add", "origin", f"{self.github.server_url}/octo/{self.name}.git")
            self.repository.collaborator("alice", "write")
            self.new_token()
        self._serve()

    def _serve(self) -> None:
        """Start the service that is to go down."""
        if self.service == "claude":
            mind = both(good())
            api = self._serving.enter_context(
                messages(lambda asked, n: Busy("status", 529) if self.down.is_set() else mind(asked, n))
            )
            self.environ |= api.environ
        elif self.service == "slack":
            self._slack = self._serving.enter_context(slack())
            self.environ["SLACK_WEBHOOK_URL"] = self._slack.hook()
            meet = self._slack.faults.meet

            def cut(method: str, path: str) -> tuple[Fault | None, int]:
                fault, place = meet(method, path)
                return (Fault("down") if self.down.is_set() else fault), place

            self._slack.faults.meet = cut  # type: ignore[method-assign]

    # ---- doing ----

    def new_token(self) -> None:
        """Let the token of all that begins from now on be a new one."""
        assert self.github is not None and self.repository is not None
        self.token = self.github.token("github-actions[bot]", "workflow", self.repository, PERMISSIONS)

    def env(self) -> dict[str, str]:
        """Return the environment of a command."""
        found = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.place),
            "FAULTS_TRAININGS": str(self.place / "trainings"),
            "FAULTS_PLAY": str(self.place),
            **self.environ,
        }
        if self.github is not None:
            found |= {
                "GITHUB_API_URL": self.github.api_url,
                "GITHUB_SERVER_URL": self.github.server_url,
                "GITHUB_TOKEN": self.token,
                "GITHUB_REPOSITORY": f"octo/{self.name}",
            }
        return found

    def start(self, *words: str, folder: Path | None = None, **more: Any) -> Command:
        """Start a command; `more` is of its `Order`."""
        said = self.place / f"{len(self.commands)}.log"
        order = Order(words or ("run",), folder or self.top, self.env(), said, **more)
        self.commands.append(Command(order))
        return self.commands[-1]

    def clone_anew(self) -> None:
        """Lose the clone and all that stood in it; what is on GitHub is cloned once more."""
        assert self.repository is not None and self.github is not None
        shutil.rmtree(self.top)
        git(self.place, "clone", "--quiet", str(self.repository.path), str(self.top))
        git(self.top, "remote", "set-url", "origin", f"{self.github.server_url}/octo/{self.name}.git")

    def ended(self, command: Command) -> bool:
        """End a command that met no moment, and say whether there is more to do."""
        return command.end() != 0

    def finish(self) -> None:
        """Go on until the campaign has come to its end."""
        for _ in range(TRIES):
            command = self.start()
            if command.end() == 0:
                return
        raise TimeoutError(f"it comes to no end: {self.commands[-1].text[-600:]}")

    # ---- looking ----

    @property
    def home(self) -> Path:
        """The repository that has the ledger."""
        return self.top if self.repository is None else self.repository.path

    def events(self) -> list[dict[str, Any]]:
        """Return the ledger's events, none if there is no ledger yet."""
        try:
            return events(self.home)
        except KeyError:
            return []

    def keep(self) -> None:
        """Remember what the ledger holds: none of it may be lost."""
        self.kept = [event["key"] for event in self.events()]

    def result(self) -> dict[str, Any]:
        """Return what must be equal in two campaigns that came to the same end."""
        found: dict[str, Any] = {"outcome": list(outcome(self.home))}
        found["tree"] = git(self.home, "rev-parse", "nocturne/main^{tree}")
        if self.repository is not None:
            at_github = seen(self.repository)
            del at_github["ledger"]
            found |= at_github
        return found

    def broken(self, *, moved: bool = False) -> list[str]:
        """Return what does not hold at the campaign's end; `moved` if people moved its branch."""
        told = self.events()
        keys = [event["key"] for event in told]
        wrong = []

        def holds(condition: bool, what: str) -> None:
            if not condition:
                wrong.append(what)

        holds(len(keys) == len(set(keys)), "an event is on the ledger twice")
        holds(set(self.kept) <= set(keys), "an event was lost")
        holds(
            [key for key in keys if key in set(self.kept)] == self.kept or moved, "events changed their order"
        )
        kinds = Counter(event["kind"] for event in told)
        finished = Counter(e["experiment"] for e in told if e["kind"] == "experiment_finished")
        holds(max(finished.values(), default=0) <= 1, "an experiment finished twice")
        claimed = {e["experiment"] for e in told if e["kind"] == "experiment_claimed"}
        holds(claimed == set(finished), f"experiments {sorted(claimed - set(finished))} are open")
        holds(EXPERIMENTS <= len(claimed) <= EXPERIMENTS + 1, f"{len(claimed)} experiments")
        runs = [e for e in told if e["kind"] == "run_finished"]
        holds(len({(e["commit"], e["replicate"]) for e in runs}) == len(runs), "a run is on the ledger twice")
        paid = self._trainings()
        holds(paid <= len(runs) + self.faults, f"{paid} trainings for {len(runs)} runs, {self.faults} faults")
        self._landings(told, runs, moved, holds)
        pulls = [e["experiment"] for e in told if e["kind"] == "pull_opened"]
        holds(len(pulls) == len(set(pulls)), "a pull request was told of twice")
        self._outside(claimed, holds)
        holds(kinds["promotion_opened"] <= 1 or moved, "two promotions")
        if self._slack is not None:
            texts = Counter(str(call.values) for call in self._slack.calls if call.error is None)
            holds(max(texts.values(), default=0) <= 1, "Slack was told something twice")
        wrong += self._left_behind()
        for each in self.commands:
            holds("Traceback" not in each.text, f"a traceback: {each.text[-400:]}")
        return wrong

    def _trainings(self) -> int:
        noted = self.place / "trainings"
        return len(noted.read_text().splitlines()) if noted.exists() else 0

    def _landings(
        self,
        told: list[dict[str, Any]],
        runs: list[dict[str, Any]],
        moved: bool,
        holds: Callable[[bool, str], None],
    ) -> None:
        """See that what landed was tested on what it landed on, and is what the branch holds."""
        landed = [e for e in told if e["kind"] == "experiment_landed"]
        measured = {e["commit"] for e in runs if e["score"] is not None}
        for each in landed:
            holds(each["commit"] in measured, f"experiment {each['experiment']} landed untested")
            parent = git(self.home, "rev-parse", f"{each['commit']}^")
            holds(parent == each["previous"], f"experiment {each['experiment']} was tested on another parent")
        chain = git(self.home, "rev-list", "--reverse", "main..nocturne/main").split()
        holds(chain == [e["commit"] for e in landed] or moved, "the branch is not what landed")

    def _outside(self, claimed: set[int], holds: Callable[[bool, str], None]) -> None:
        """See that GitHub has one pull request for each experiment, closed, and each comment once."""
        if self.repository is None:
            return
        issues = self.repository.contents.issues.values()
        heads = Counter(i.pull.head for i in issues if i.pull and i.pull.head.startswith("nocturne/exp/"))
        holds(len(heads) <= len(claimed), f"{len(heads)} pull requests for {len(claimed)} experiments")
        holds(max(heads.values(), default=0) <= 1, "two pull requests for one experiment")
        opened = [i.number for i in issues if i.pull and i.state == "open" and i.pull.head in heads]
        holds(not opened, f"pull requests {opened} are open")
        said = Counter(
            (each.issue, each.body)
            for each in self.repository.contents.comments.values()
            if each.user.login.endswith("[bot]")
        )
        holds(max(said.values(), default=0) <= 1, "a comment was made twice")

    def _left_behind(self) -> list[str]:
        """Return what is left of processes that ended: processes, mounts, worktrees, branches, folders, locks."""
        found = []
        mark = f"FAULTS_PLAY={self.place}".encode()
        for process in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if process.name.isdigit() and mark in (process / "environ").read_bytes():
                    found.append(f"process {process.name}")
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        found += [
            f"mount {line.split()[4]}" for line in mounts if line.split()[4].startswith(str(self.top) + "/")
        ]
        if len(git(self.top, "worktree", "list").splitlines()) > 1:
            found.append("a worktree")
        for home in {self.top, self.home}:
            refs = git(home, "for-each-ref", "--format=%(refname) %(subject)", "refs/heads/nocturne/exp")
            found += [f"branch {ref}" for ref in refs.splitlines() if not ref.endswith(f" {BY_HAND}")]
        scratch = self.top / ".git/nocturne/main/scratch"
        if scratch.is_dir():
            found += [f"folder {each.name}" for each in scratch.iterdir()]
        return found

    def close(self) -> None:
        """End what still runs, and give the disk back."""
        for each in self.commands:
            if each.process.is_alive():
                each.signal(signal.SIGKILL)
                each.process.join(10)
        self._serving.close()
        if self.disk:
            subprocess.run(["umount", "--lazy", str(self.top.parent)], check=True)
        shutil.rmtree(self.place, ignore_errors=True)
