"""The action and the workflows, ours and those that `init` writes: valid, safe, and as the README says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from bot.errors import UserError
from bot.github import docs
from bot.github.cuts import FILE, SECRET, artifact_name
from bot.github.workflows import caller, morning_caller
from tests.actions.auditors import audit, check_schema
from tests.actions.runner import ACTION, PROJECT

WORKFLOWS = PROJECT / ".github" / "workflows"


def generated(folder: Path) -> list[Path]:
    paths = []
    for form in ("one", "three"):
        path = folder / f"{form}.yml"
        text = caller(
            form=form, action=ACTION, campaign="main", labels=["self-hosted", "gpu"], config="x.yml"
        )
        path.write_text(text)
        paths.append(path)
    path = folder / "second.yml"
    path.write_text(
        caller(form="one", action=ACTION, campaign="main", labels=["gpu"], config="x.yml", chain=2)
    )
    paths.append(path)
    path = folder / "morning.yml"
    path.write_text(morning_caller(ACTION))
    return [*paths, path]


@pytest.mark.long
def test_action_and_workflows_are_valid(tmp_path: Path) -> None:
    check_schema("github-actions", PROJECT / "action.yml")
    check_schema("github-workflows", *WORKFLOWS.glob("*.yml"), *generated(tmp_path))


def test_auditors_find_nothing(tmp_path: Path) -> None:
    paths = [PROJECT / "action.yml", *WORKFLOWS.glob("*.yml"), *generated(tmp_path)]
    assert "No findings to report" in audit(*paths)
    ignored = [line for path in paths for line in path.read_text().splitlines() if "zizmor: ignore" in line]
    allowed = r"ignore\[(self-hosted-runner|secrets-outside-env)\] \w+"
    assert all(re.search(allowed, line) for line in ignored) and ignored


def test_nothing_is_spliced_into_a_script(tmp_path: Path) -> None:
    for path in (PROJECT / "action.yml", *WORKFLOWS.glob("*.yml"), *generated(tmp_path)):
        for script in re.findall(r"(?m)^\s+run: (.*)$", path.read_text()):
            assert "${{" not in script, (path, script)


def test_the_job_that_trains_can_only_read() -> None:
    jobs = yaml.safe_load((WORKFLOWS / "iterate.yml").read_text())["jobs"]
    assert jobs["train"]["permissions"] == {"actions": "read", "contents": "read"}
    held = {name: set(re.findall(r"secrets\.([\w-]+)", yaml.safe_dump(job))) for name, job in jobs.items()}
    assert held == {
        "propose": {"anthropic-api-key"},
        "train": {"NOCTURNE_CUTS_KEY"},  # opens nothing: it only says which targets are kept from all runs
        "decide": {"SLACK_BOT_TOKEN", "SLACK_WEBHOOK_URL"},
    }


def test_only_the_step_that_scores_gets_the_secret_of_the_cuts() -> None:
    steps = yaml.safe_load((WORKFLOWS / "iterate.yml").read_text())["jobs"]["train"]["steps"]
    steps += yaml.safe_load((PROJECT / "action.yml").read_text())["runs"]["steps"]
    having = [step.get("id") for step in steps if SECRET in str(step) or "cuts-key" in str(step)]
    assert having == ["train", "run"]
    uploads = [step["with"] for step in steps if "upload-artifact" in step.get("uses", "")]
    left = [each for each in uploads if each["path"].endswith(f"/{FILE}")]
    assert [each["name"] for each in left] == ["cuts-${{ inputs.campaign || 'default' }}"] * 2
    assert artifact_name({}) == "cuts-default" and artifact_name({"NOCTURNE_CAMPAIGN": "main"}) == "cuts-main"


def test_our_own_ci_can_only_read_and_knows_no_secret() -> None:
    text = (WORKFLOWS / "ci.yml").read_text()
    document = yaml.safe_load(text)
    assert document["permissions"] == {}
    assert all(job["permissions"] == {"contents": "read"} for job in document["jobs"].values())
    assert "secrets" not in text and "pull_request_target" not in text and "self-hosted" not in text


@pytest.mark.long
def test_forms_and_dependabot_are_valid() -> None:
    forms = [path for path in (PROJECT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"]
    check_schema("github-issue-forms", *forms)
    check_schema("github-issue-config", PROJECT / ".github/ISSUE_TEMPLATE/config.yml")
    check_schema("dependabot", PROJECT / ".github/dependabot.yml")


def pins(lock: str) -> dict[str, set[str]]:
    """Return the hashes of each package and version that a lock names."""
    entries = re.split(r"\n(?=[a-z])", (PROJECT / lock).read_text())[1:]
    return {entry.split(" ")[0]: {*re.findall(r"--hash=(sha256:\w{64})", entry)} for entry in entries}


@pytest.mark.parametrize("lock", [".github/requirements.lock", ".github/action/requirements.lock"])
def test_a_lock_names_hashes_and_no_host(lock: str) -> None:
    named = pins(lock)
    assert len(named) > 40 and all(named.values())
    assert "://" not in (PROJECT / lock).read_text()


def test_the_action_installs_what_we_test_with_and_no_more() -> None:
    ours, tried = pins(".github/action/requirements.lock"), pins(".github/requirements.lock")
    assert ours.items() <= tried.items()
    names = {pin.partition("==")[0] for pin in ours}
    (needed,) = re.findall(r"(?ms)^dependencies = \[$(.*?)^\]", (PROJECT / "pyproject.toml").read_text())
    assert {*re.findall(r'"([\w-]+)', needed)} <= names
    assert not names & {"pytest", "mypy", "torch", "zizmor"}


def test_the_docs_have_the_actions_inputs_and_outputs() -> None:
    assert docs.table((PROJECT / "action.yml").read_text()) in (PROJECT / "docs/github.md").read_text()


@pytest.mark.parametrize(
    "action", ["nocturne/nocturne@v1", "nocturne@" + "1" * 40, "a/b/c@" + "1" * 40, "main"]
)
def test_what_is_not_pinned_is_refused(action: str) -> None:
    with pytest.raises(UserError, match="40 digits of a commit"):
        caller(form="one", action=action, campaign="main", labels=["gpu"], config="x.yml")
