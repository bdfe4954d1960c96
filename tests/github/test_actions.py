"""Dispatches and what they ask of a workflow file; artifacts."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from tests.github.context import Context
from tests.github.refusal import refused

pytestmark = pytest.mark.doubles

pytest.importorskip("github")
ITERATE = """
name: Iterate
on:
  workflow_dispatch:
    inputs:
      count: {description: how many, required: true, type: number}
      kind: {type: choice, options: [fast, slow], default: fast}
      dry: {type: boolean, default: false}
jobs: {}
"""


@pytest.fixture
def context(context: Context) -> Context:
    context.repository.collaborator("alice", "write")
    context.git("checkout", "--quiet", "-B", "main", "HEAD~1")
    files = {"iterate.yml": ITERATE, "push.yml": "on: [push]\n", "old.yml": "'on': workflow_dispatch\n"}
    context.commit("workflows", {f".github/workflows/{name}": text for name, text in files.items()})
    context.push("main", token=context.github.token("alice"))
    return context


def dispatch(context: Context, name: str = "iterate.yml", ref: str = "main", **inputs: Any) -> Any:
    return context.rest.get_workflow(name).create_dispatch(ref, inputs, throw=True)


def test_dispatch_queues_a_run(context: Context) -> None:
    dispatch(context, count="6", dry=True)
    (done,) = context.github.dispatches
    assert (done.event, done.workflow, done.ref) == (
        "workflow_dispatch",
        ".github/workflows/iterate.yml",
        "main",
    )
    assert done.inputs == {"count": "6", "kind": "fast", "dry": "true"}
    assert (done.actor, done.repository) == ("github-actions[bot]", "octo/models")
    assert done.sha == context.git("rev-parse", "HEAD")
    (run,) = context.rest.get_workflow_runs(status="queued")
    assert (run.id, run.event, run.head_branch, run.name) == (
        done.run_id,
        "workflow_dispatch",
        "main",
        "Iterate",
    )
    context.repository.finish_run(run.id)
    assert context.rest.get_workflow_run(run.id).conclusion == "success"
    assert list(context.rest.get_workflow_runs(status="queued")) == []
    assert context.rest.get_workflow("old.yml").create_dispatch("main", throw=True)


def test_dispatches_that_do_not_fit(context: Context) -> None:
    for said, call in (
        ("Required input 'count' not provided", lambda: dispatch(context)),
        ('Unexpected inputs provided: ["more"]', lambda: dispatch(context, count="1", more="x")),
        ("not in the list of allowed values", lambda: dispatch(context, count="1", kind="medium")),
        ("No ref found for: nowhere", lambda: dispatch(context, ref="nowhere", count="1")),
        ("does not exist on this ref", lambda: dispatch(context, ref="exp-1", count="1")),
        ("does not have 'workflow_dispatch' trigger", lambda: dispatch(context, "push.yml")),
        ("up to 25", lambda: dispatch(context, **{f"i{number}": "x" for number in range(26)})),
        ("inputs are too large", lambda: dispatch(context, count="1" * 65_536)),
    ):
        refusal = refused(call)
        assert refusal.status == 422 and said in refusal.message
    assert refused(lambda: dispatch(context, "none.yml")).status == 404
    assert context.github.dispatches == [] and list(context.rest.get_workflow_runs()) == []


def test_repository_dispatch(context: Context) -> None:
    context.rest.create_repository_dispatch("nocturne", {"n": 1})
    assert (context.github.dispatches[0].event_type, context.github.dispatches[0].client_payload) == (
        "nocturne",
        {"n": 1},
    )
    assert not context.rest.create_repository_dispatch("nocturne", {str(number): 1 for number in range(11)})
    assert not context.rest.create_repository_dispatch("nocturne", {"n": "x" * 65_536})
    assert not context.rest.create_repository_dispatch("x" * 101)
    assert [call.status for call in context.github.calls[-4:]] == [204, 422, 422, 422]
    assert len(context.github.dispatches) == 1


def test_settings_are_for_administrators(context: Context) -> None:
    """A job's token can't have that permission at all."""
    requests = pytest.importorskip("requests")
    context.repository.collaborator("root", "admin")
    context.repository.runner("h100", labels=("self-hosted", "gpu"))
    paths = ("permissions", "permissions/workflow", "runners")
    for who, status in ((context.token, 403), (context.github.token("root"), 200)):
        for path in paths:
            url = f"{context.github.api_url}/repos/octo/models/actions/{path}"
            answer = requests.get(url, headers={"Authorization": f"token {who}"}, timeout=10)
            assert answer.status_code == status
    assert [label["name"] for label in answer.json()["runners"][0]["labels"]] == ["self-hosted", "gpu"]


def test_artifacts(context: Context) -> None:
    dispatch(context, count="1")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("result.json", "{}")
    run_id = context.github.dispatches[0].run_id
    context.repository.artifact("result", packed.getvalue(), run_id)
    (found,) = context.rest.get_workflow_run(run_id).get_artifacts()
    assert (found.name, found.expired, found.size_in_bytes) == ("result", False, len(packed.getvalue()))
    assert [each.id for each in context.rest.get_artifacts(name="result")] == [found.id]
    requests = pytest.importorskip("requests")
    headers = {"Authorization": f"token {context.token}"}
    stored = requests.get(found.archive_download_url, headers=headers, allow_redirects=False, timeout=10)
    assert stored.status_code == 302
    assert requests.get(stored.headers["location"], timeout=10).content == packed.getvalue()
    context.repository.contents.artifacts[found.id].expired = True
    assert requests.get(found.archive_download_url, headers=headers, timeout=10).status_code == 410
