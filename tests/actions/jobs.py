"""What the jobs of a dispatched workflow run, without act and in the test's own process: quick enough for a night.

Which steps there are, with which variables and under which permissions, is read from the workflow files; of those
steps the ones that run a command of Nocturne are run as the action runs them, each job in a new clone and with a
token of its own.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import requests
import yaml

from bot.base.process import scrubbed_environment
from bot.config import CONFIG_PATH
from bot.github.workflows import WORKFLOW_PATH, Form, caller
from tests import leaks
from tests.bot import in_process
from tests.bot.repositories import command_line, git, make_repository, nocturne
from tests.github.expressions import filled
from tests.github.records import Run
from tests.github.server import GitHub, Repository
from tests.github.workflows import run_scheduled

PROJECT = Path(__file__).parents[2]
ACTION = "nocturne-ci/nocturne@" + "1" * 40
_HEREDOC = re.compile(r"(?ms)^([\w-]+)<<(\S+)\n(.*?)\n?^\2$")


@dataclass
class Job:
    """One job of a workflow: the steps that run Nocturne, and the contexts that they are filled from."""

    name: str
    about: dict[str, Any]
    contexts: dict[str, Any]
    token: str

    @property
    def steps(self) -> list[dict[str, Any]]:
        return [step for step in self.about["steps"] if "NOCTURNE_COMMAND" in step.get("env", {})]


@dataclass
class Workplace:
    """A repository on the GitHub on loopback with the workflow that `init` writes, and what runs its jobs."""

    github: GitHub
    folder: Path
    form: Form
    config: str
    name: str = "octo/models"
    files: Mapping[str, str] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    """Further variables of every process."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Actions secrets of the repository."""
    logs: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list, repr=False)
    """The tokens of all jobs so far."""

    def __post_init__(self) -> None:
        self.repository: Repository = self.github.repository(self.name, private=True, default_branch="main")
        written = caller(
            form=self.form, action=ACTION, campaign="main", labels=["self-hosted", "gpu"], config=CONFIG_PATH
        )
        self.caller = yaml.safe_load(written)
        files = {WORKFLOW_PATH: written, **(self.files or {})}
        self.top = make_repository(self.folder / "mine", config=self.config, files=files, shared=True)
        git(self.top, "push", "--quiet", str(self.repository.path), "main")
        self.repository.collaborator("alice", "write")
        self.repository.sync()
        self._count = 0

    # ---- what begins a run ----

    def press(self) -> None:
        """Press "Run workflow" on the Actions page."""
        workflow = WORKFLOW_PATH.rpartition("/")[2]
        answer = requests.post(
            f"{self.github.api_url}/repos/{self.name}/actions/workflows/{workflow}/dispatches",
            json={"ref": "main"},
            headers={"Authorization": f"token {self.github.token('alice', kind='pat')}"},
            timeout=30,
        )
        assert answer.status_code == 204, answer.text

    def heartbeat(self) -> Run:
        """Let the time of the schedule come."""
        with self.github.lock:
            (run,) = run_scheduled(self.repository, self.github.user("github-actions[bot]"))
        return run

    @property
    def waiting(self) -> list[Run]:
        """The runs that nobody has begun; those that only wait for another one are pending."""
        runs = self.repository.contents.runs.values()
        return [run for run in runs if run.status in ("queued", "pending")]

    # ---- running ----

    def run_next(self, *, dies_after: str | None = None, dies_before: str | None = None) -> Run:
        """Run what is queued to its end, or until the runner dies after or before the named command."""
        (run,) = [each for each in self.waiting if each.status == "queued"]
        run.status = "in_progress"
        well = self._run_jobs(run, dies_after, dies_before)
        self.repository.finish_run(run.id, "success" if well else "failure")
        return run

    def run_all(self, most: int) -> int:
        """Run what waits, and what that dispatches, until nothing waits; return how many runs there were."""
        for count in range(most):
            if not self.waiting:
                return count
            run = self.run_next()
            assert run.conclusion == "success", self.logs[-1]
        raise AssertionError(f"the chain goes on after {most} runs")

    def _run_jobs(self, run: Run, dies_after: str | None, dies_before: str | None) -> bool:
        outputs: dict[str, dict[str, Any]] = {}
        for job in self.jobs(run, outputs):
            steps: dict[str, Any] = {}
            job.contexts["steps"] = steps
            place = self.clone()
            for step in job.steps:
                if filled(step["env"]["NOCTURNE_COMMAND"], job.contexts) == dies_before:
                    return False
                command, code, said = self.do(job, step, place)
                steps[step.get("id", "")] = {"outputs": said}
                if code != 0 or command == dies_after:
                    return False
            self._upload(job, place, run)
            told = {name: filled(text, job.contexts) for name, text in job.about.get("outputs", {}).items()}
            outputs[job.name] = {"outputs": told}
            if job.name == "propose" and not told["experiment"]:
                return True  # the others are skipped
        return True

    def jobs(self, run: Run, needs: dict[str, dict[str, Any]]) -> list[Job]:
        """Return the jobs of a run in their order; `needs` takes in what they put out."""
        (about,) = self.caller["jobs"].values()
        granted = about["permissions"]
        github = {"run_id": str(run.id), "run_attempt": "1"}
        outer = {"inputs": run.inputs, "github": github, "run": run, "secrets": self.secrets}
        if self.form == "one":
            action = yaml.safe_load((PROJECT / "action.yml").read_text())
            job = self._job("one", about | action["runs"], outer, granted)
            given = about["steps"][-1]["with"]
            return [replace(job, contexts=job.contexts | {"inputs": _inputs(action, given, job.contexts)})]
        ours = yaml.safe_load((PROJECT / ".github/workflows/iterate.yml").read_text())
        called = ours.get("on", ours.get(True))["workflow_call"]
        passed = {name: filled(text, outer) for name, text in about["secrets"].items()}
        inner = outer | {"inputs": _inputs(called, about["with"], outer), "needs": needs, "secrets": passed}
        return [self._job(name, job, inner, granted) for name, job in ours["jobs"].items()]

    def _job(
        self, name: str, about: dict[str, Any], contexts: dict[str, Any], granted: dict[str, str]
    ) -> Job:
        """Return a job with a token of its own, which has the permissions that the job asks for."""
        asked = about["permissions"]
        for permission, level in asked.items():  # as GitHub does: more than the caller has is refused
            assert granted.get(permission) in (level, "write"), f"{name}: {permission}: {level}"
        token = self.github.token("github-actions[bot]", "workflow", self.repository, asked)
        self.used.append(token)
        return Job(name, about, contexts | {"github": contexts["github"] | {"token": token}}, token)

    def clone(self) -> Path:
        """Return a new clone, as actions/checkout leaves it: all branches, and no credential."""
        self._count += 1
        place = self.folder / f"job-{self._count}"
        git(self.folder, "clone", "--quiet", str(self.repository.path), str(place / "work"))
        url = f"{self.github.server_url}/{self.name}"
        git(place / "work", "remote", "set-url", "origin", url)
        (place / "temp").mkdir()
        return place

    def do(self, job: Job, step: Mapping[str, Any], place: Path) -> tuple[str, int, dict[str, str]]:
        """Run a step, and return its command, its exit code and its outputs."""
        run: Run = job.contexts["run"]
        told = place / "output"
        told.write_text("")
        environ = {name: filled(str(text), job.contexts) for name, text in step["env"].items()}
        command = environ["NOCTURNE_COMMAND"]
        environ |= {
            "HOME": str(self.folder),
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_SERVER_URL": self.github.server_url,
            "GITHUB_REPOSITORY": self.name,
            "GITHUB_RUN_ID": str(run.id),
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_WORKFLOW_REF": f"{self.name}/{run.workflow}@refs/heads/{run.branch}",
            "GITHUB_OUTPUT": str(told),
            "GITHUB_STEP_SUMMARY": str(place / "summary"),
            "RUNNER_TEMP": str(place / "temp"),
            "NOCTURNE_BIN": str(Path(sys.executable).parent),
            **self.extra,
        }
        words = command_line(*_words(environ))
        done = in_process.call(words, place / "work", scrubbed_environment(environ))
        leaks.PRINTED.append(done.stdout + done.stderr)
        self.logs.append(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
        return command, done.returncode, {name: text for name, _, text in _HEREDOC.findall(told.read_text())}

    def _upload(self, job: Job, place: Path, run: Run) -> None:
        """Keep what the job leaves as an artifact."""
        for step in job.about["steps"]:
            if "upload-artifact" in step.get("uses", ""):
                given = step["with"]
                path = Path(filled(given["path"], job.contexts | {"runner": {"temp": str(place / "temp")}}))
                if path.exists():
                    packed = io.BytesIO()
                    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                        archive.write(path, path.name)
                    self.repository.artifact(filled(given["name"], job.contexts), packed.getvalue(), run.id)

    # ---- people ----

    def human(self, *words: str) -> str:
        """Run a command in a person's own clone."""
        mine = self.folder / "person"
        if not mine.exists():
            git(self.folder, "clone", "--quiet", str(self.repository.path), str(mine))
            git(mine, "remote", "set-url", "origin", f"{self.github.server_url}/{self.name}.git")
        environ = {
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_SERVER_URL": self.github.server_url,
            "GITHUB_TOKEN": self.github.token("alice"),
        }
        return nocturne(mine, *words, env=environ).stdout

    # ---- what came of it ----

    def refs(self) -> str:
        """Return all refs and where they are."""
        return git(self.repository.path, "for-each-ref")

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the ledger's events of one kind."""
        path, ref = self.repository.path, "nocturne/ledger"
        names = git(path, "ls-tree", "-r", "--name-only", ref, "main/events/").splitlines()
        lines = [line for name in names for line in git(path, "show", f"{ref}:{name}").splitlines()]
        return [event for event in map(json.loads, lines) if event["kind"] == kind]

    def tidy(self) -> None:
        """Remove the clones of jobs that are over."""
        for place in self.folder.glob("job-*"):
            shutil.rmtree(place)


class _Becomes(Exception):
    """The command that a process would become."""


def _words(environ: Mapping[str, str]) -> list[str]:
    """Return the command line that the action makes of its environment, and leave what it leaves for that command."""
    spec = importlib.util.spec_from_file_location("action_run", PROJECT / ".github/action/run.py")
    assert spec is not None and spec.loader is not None
    action = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(action)

    def become(program: str, words: list[str]) -> NoReturn:
        raise _Becomes(*words[1:])

    with mock.patch.object(os, "execv", become):
        try:
            action.main(environ)
        except _Becomes as command:
            return list(command.args)
    raise AssertionError("the action ran nothing")


def _inputs(
    called: Mapping[str, Any], given: Mapping[str, str], contexts: Mapping[str, Any]
) -> dict[str, str]:
    """Return the inputs of an action or a workflow that is called with those `given`."""
    declared = called["inputs"].items()
    defaults = {name: filled(str(about.get("default", "")), contexts) for name, about in declared}
    return defaults | {name: filled(text, contexts) for name, text in given.items()}
