"""Workflows, and starting them. https://docs.github.com/rest/actions/workflows"""

from __future__ import annotations

import json

from tests.github import plumbing, shapes
from tests.github.records import Dispatch
from tests.github.rest_runs import find
from tests.github.routing import Answer, Listing, Request, route
from tests.github.rules import Refused, invalid, unprocessable
from tests.github.shapes import Json
from tests.github.workflows import Workflow, accepted_inputs, queue_run, workflows

_ACTIONS = "/repos/{owner}/{repo}/actions"


@route("GET", _ACTIONS + "/workflows", "actions:read")
def list_workflows(request: Request) -> Listing:
    return Listing([_workflow(request, each) for each in workflows(request.repository)], "workflows")


@route("GET", _ACTIONS + "/workflows/{workflow}", "actions:read")
def get_workflow(request: Request) -> Answer:
    return Answer(200, _workflow(request, find(request)))


@route("POST", _ACTIONS + "/workflows/{workflow}/dispatches", "actions:write")
def dispatch_workflow(request: Request) -> Answer:
    """A run is queued, and `github.dispatches` has it; nothing runs by itself."""
    home = request.repository
    workflow = find(request)
    fields = request.fields("WorkflowDispatch")
    fields.need("ref")
    ref = (fields.text("ref") or "").removeprefix("refs/heads/").removeprefix("refs/tags/")
    sha = (
        plumbing.commit_of(home.path, ref)
        if {f"refs/heads/{ref}", f"refs/tags/{ref}"} & home.contents.refs.keys()
        else None
    )
    if sha is None:
        raise unprocessable(f"No ref found for: {ref}")
    inputs = accepted_inputs(home, sha, workflow, fields.table("inputs") or {})
    if not home.workflows_enabled:
        raise unprocessable("Actions has been disabled for this repository.")
    run = queue_run(home, request.actor, workflow, "workflow_dispatch", ref, sha, inputs)
    request.github.dispatches.append(
        Dispatch(
            "workflow_dispatch",
            home.full_name,
            request.actor.login,
            ref,
            sha,
            workflow.path,
            inputs,
            run_id=run.id,
        )
    )
    if request.version == "2022-11-28" and not fields.flag("return_run_details"):
        return Answer(204)
    url, page = shapes.url_of(request.github, home), shapes.page_url(request.github, home)
    body = {
        "workflow_run_id": run.id,
        "run_url": f"{url}/actions/runs/{run.id}",
        "html_url": f"{page}/actions/runs/{run.id}",
    }
    return Answer(200, body)


@route("POST", "/repos/{owner}/{repo}/dispatches", "contents:write")
def dispatch_repository(request: Request) -> Answer:
    home = request.repository
    fields = request.fields("RepositoryDispatch")
    fields.need("event_type")
    kind = fields.text("event_type", limit=100, required=True)
    payload = fields.table("client_payload") or {}
    if len(payload) > 10:
        raise invalid(
            "RepositoryDispatch", "client_payload", "custom", "No more than 10 properties are allowed"
        )
    if len(json.dumps(payload)) > 65_535:
        raise invalid("RepositoryDispatch", "client_payload", "custom", "client_payload is too large.")
    head = home.branch(home.default_branch)
    if head is None:
        raise Refused(409, "Git Repository is empty.")
    request.github.dispatches.append(
        Dispatch(
            "repository_dispatch",
            home.full_name,
            request.actor.login,
            home.default_branch,
            head,
            event_type=kind,
            client_payload=payload,
        )
    )
    return Answer(204)


def _workflow(request: Request, one: Workflow) -> Json:
    home = request.repository
    page = shapes.page_url(request.github, home)
    return {
        "id": one.id,
        "node_id": shapes.node("Workflow", one.id),
        "name": one.name,
        "path": one.path,
        "state": "active",
        "created_at": shapes.stamp(home.created),
        "updated_at": shapes.stamp(home.created),
        "url": f"{shapes.url_of(request.github, home)}/actions/workflows/{one.id}",
        "html_url": f"{page}/blob/{home.default_branch}/{one.path}",
        "badge_url": f"{page}/workflows/{one.name}/badge.svg",
    }
