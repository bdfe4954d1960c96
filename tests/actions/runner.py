"""A runner for dispatched workflows: act runs them on this machine, with a checkout that asks the GitHub on
loopback, and with the token that GitHub would give the job."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.github.workflows import CHECKOUT
from tests import leaks
from tests.github.server import Dispatch, GitHub, Repository

PROJECT = Path(__file__).parents[2]
ACTION = "nocturne-ci/nocturne@" + "1" * 40
UPLOAD = "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02"
TIMEOUT = 600


def called_by_others() -> list[Path]:
    """Return the workflows that other repositories call: all but the project's own CI."""
    return sorted(path for path in (PROJECT / ".github/workflows").glob("*.yml") if path.name != "ci.yml")


# What actions/checkout does, as far as we use it. The project itself lies on this machine.
_CHECKOUT = """\
name: Checkout
description: A checkout from the GitHub on loopback
inputs:
  repository: {default: "${{ github.repository }}"}
  path: {default: "."}
  token: {default: "${{ github.token }}"}
  ref: {default: ""}
  fetch-depth: {default: "1"}
  persist-credentials: {default: "true"}
runs:
  using: composite
  steps:
    - shell: bash
      env:
        REPOSITORY: ${{ inputs.repository }}
        FOLDER: ${{ inputs.path }}
        TOKEN: ${{ inputs.token }}
        PERSIST: ${{ inputs.persist-credentials }}
      run: |
        test "$PERSIST" = false
        if [ "$FOLDER" != . ]; then
          mkdir -p "$FOLDER"
          cp -a '{project}/.' "$GITHUB_WORKSPACE/$FOLDER"
          if [ -e '{lost}' ]; then
            sed -i '1a [ "$NOCTURNE_COMMAND" != train ] || exit 137' "$GITHUB_WORKSPACE/$FOLDER/.github/action/run.sh"
          fi
          exit
        fi
        find . -mindepth 1 -maxdepth 1 -exec rm -rf {} +
        git init --quiet
        git remote add origin "$GITHUB_SERVER_URL/$REPOSITORY"
        header="AUTHORIZATION: basic $(printf 'x-access-token:%s' "$TOKEN" | base64 -w0)"
        export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=http.extraheader GIT_CONFIG_VALUE_0="$header"
        git fetch --quiet origin '+refs/heads/*:refs/remotes/origin/*'
        unset GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0
        git checkout --quiet -B main refs/remotes/origin/main
"""
_UPLOAD = """\
name: Upload
description: Keeps files where the runner looks for them
inputs:
  name: {default: artifact}
  path: {default: ""}
  if-no-files-found: {default: warn}
  overwrite: {default: "false"}
runs:
  using: composite
  steps:
    - shell: bash
      env:
        FILE: ${{ inputs.path }}
        MISSING: ${{ inputs.if-no-files-found }}
        NAME: ${{ inputs.name }}
      run: |
        if [ -f "$FILE" ]; then
          mkdir -p "{kept}/$NAME"
          cp "$FILE" "{kept}/$NAME/"
        else
          test "$MISSING" = ignore
        fi
"""


def pip_settings() -> dict[str, str]:
    """Return where pip finds packages on this machine, for a runner whose home is another one."""
    config = Path.home() / ".config" / "pip" / "pip.conf"
    found = {"PIP_CONFIG_FILE": str(config)} if config.is_file() else {}
    return found | {name: value for name, value in os.environ.items() if name.startswith("PIP_")}


@dataclass
class Runner:
    """Runs what was dispatched to `repository`, one after the other."""

    github: GitHub
    repository: Repository
    folder: Path
    token: str
    logs: list[str] = field(default_factory=list)
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Actions secrets of the repository, beside the token."""

    def __post_init__(self) -> None:
        self.stubs = self.folder / "stubs"
        self._lost = self.folder / "lost"
        self.project = self.folder / "project"
        self._kept = self.folder / "artifacts"
        checkout = _CHECKOUT.replace("{lost}", str(self._lost)).replace("{project}", str(self.project))
        for name, text in (("checkout", checkout), ("upload", _UPLOAD.replace("{kept}", str(self._kept)))):
            (self.stubs / name).mkdir(parents=True)
            (self.stubs / name / "action.yml").write_text(text)
        shutil.copytree(
            PROJECT,
            self.project,
            ignore=shutil.ignore_patterns(
                ".git", ".venv", "__pycache__", ".*_cache", "nocturne-demo", "tests"
            ),
        )
        base = self.folder.parents[1]
        # One machine for all tests, those of other workers too: what the action installs takes a minute.
        self.tools = (base.parent if base.name.startswith("popen-") else base) / "nocturne-tools"
        self.home = self.folder / "home"
        self.home.mkdir()

    def lose_trainings(self) -> None:
        """From now on a job that trains is killed."""
        self._lost.touch()

    def run(self, dispatch: Dispatch) -> subprocess.CompletedProcess[str]:
        """Run the workflow of `dispatch` to its end."""
        at = self.folder / "work"
        shutil.rmtree(at, ignore_errors=True)
        subprocess.run(
            ["git", "clone", "--quiet", "--branch", dispatch.ref, str(self.repository.path), str(at)],
            check=True,
        )
        # act takes this folder for what the first checkout brings; another one is our stub's to do.
        origin = f"{self.github.server_url}/{self.repository.full_name}.git"
        subprocess.run(["git", "-C", str(at), "remote", "set-url", "origin", origin], check=True)
        assert dispatch.workflow is not None
        run = self.repository.contents.runs[dispatch.run_id or 0]
        run.status = "in_progress"
        words = ["workflow_dispatch", "--workflows", dispatch.workflow]
        for key, value in dispatch.inputs.items():
            words += ["--input", f"{key}={value}"]
        reference = f"{self.repository.full_name}/{dispatch.workflow}@refs/heads/{dispatch.ref}"
        done = self.act(at, words, {"GITHUB_RUN_ID": str(dispatch.run_id), "GITHUB_WORKFLOW_REF": reference})
        self._keep_artifacts(run.id)
        self.repository.finish_run(run.id, "success" if done.returncode == 0 else "failure")
        self.logs.append(done.stdout + done.stderr)
        return done

    def _keep_artifacts(self, run: int) -> None:
        """Let GitHub have what the jobs of a run have uploaded."""
        for place in sorted(self._kept.glob("*")):
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                for file in place.iterdir():
                    archive.write(file, file.name)
            self.repository.artifact(place.name, packed.getvalue(), run)
        shutil.rmtree(self._kept, ignore_errors=True)

    def act(
        self, at: Path, words: Sequence[str], variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run act in the clone at `at`, with what every job of this repository needs, and `variables`."""
        variables = {
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_SERVER_URL": self.github.server_url,
            "GITHUB_REPOSITORY": self.repository.full_name,
            **pip_settings(),
            **variables,
        }
        command = [
            str(Path(sys.executable).with_name("act")), *words, "--no-cache-server",
            "-P", "self-hosted=-self-hosted", "-P", "ubuntu-latest=-self-hosted",
            "--secret", f"GITHUB_TOKEN={self.token}",
            "--local-repository", f"{CHECKOUT.split()[0]}={self.stubs / 'checkout'}",
            "--local-repository", f"{UPLOAD}={self.stubs / 'upload'}",
            "--local-repository", f"{ACTION}={self.project}",
        ]  # fmt: skip
        for key, value in variables.items():
            command += ["--env", f"{key}={value}"]
        for key, value in self.secrets.items():
            command += ["--secret", f"{key}={value}"]
        # The runner's own python3 is the one that runs the tests: tasks find torch there.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command,
            cwd=at,
            # act keeps its tool_cache below the last of these.
            env={"PATH": path, "HOME": str(self.home), "XDG_CACHE_HOME": str(self.tools)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        leaks.PRINTED.append(done.stdout + done.stderr)
        return done

    def waiting(self) -> list[Dispatch]:
        """Return what was dispatched to the repository and has not run."""
        runs = self.repository.contents.runs
        mine = [each for each in self.github.dispatches if each.repository == self.repository.full_name]
        return [each for each in mine if runs[each.run_id or 0].status == "queued"]

    def run_all(self, most: int) -> int:
        """Run what waits, and what that dispatches, until nothing waits; return how many runs there were."""
        for count in range(most):
            waiting = self.waiting()
            if not waiting:
                return count
            assert len(waiting) == 1, "two links of one chain wait"
            done = self.run(waiting[0])
            assert done.returncode == 0, self.logs[-1][-4000:]
        raise AssertionError(f"the chain goes on after {most} runs")
