"""Runs of workflows. https://docs.github.com/rest/actions/workflow-runs"""

from __future__ import annotations

from tests.github import concurrency, shapes, shapes_commits
from tests.github.records import Run
from tests.github.repository import now
from tests.github.routing import Answer, Listing, Request, route
from tests.github.rules import Refused, not_found
from tests.github.shapes import Json
from tests.github.workflows import Workflow, find_workflow

_ACTIONS = "/repos/{owner}/{repo}/actions"
_RUN = _ACTIONS + "/runs/{run:int}"


@route("GET", _ACTIONS + "/runs", "actions:read")
def list_runs(request: Request) -> Listing:
    return Listing(_runs(request, list(request.contents.runs.values())), "workflow_runs")


@route("GET", _ACTIONS + "/workflows/{workflow}/runs", "actions:read")
def list_runs_of(request: Request) -> Listing:
    path = find(request).path
    return Listing(
        _runs(request, [run for run in request.contents.runs.values() if run.workflow == path]),
        "workflow_runs",
    )


@route("GET", _RUN, "actions:read")
def get_run(request: Request) -> Answer:
    return Answer(200, _run(request, _find_run(request)))


@route("POST", _RUN + "/cancel", "actions:write")
def cancel_run(request: Request) -> Answer:
    run = _find_run(request)
    if run.status == "completed":
        raise Refused(409, "Cannot cancel a workflow run that is completed.")
    concurrency.end(request.contents.runs, run, "cancelled", now())
    return Answer(202, {})


def find(request: Request) -> Workflow:
    """Return the workflow that the path names by its id or file."""
    found = find_workflow(request.repository, request.places["workflow"])
    if found is None:
        raise not_found()
    return found


def _find_run(request: Request) -> Run:
    run = request.contents.runs.get(request.number("run"))
    if run is None:
        raise not_found()
    return run


def _runs(request: Request, runs: list[Run]) -> list[Json]:
    query = request.query
    kept = [
        run
        for run in reversed(runs)
        if query.get("branch") in (None, run.branch)
        and query.get("event") in (None, run.event)
        and query.get("status") in (None, run.status, run.conclusion)
        and query.get("actor") in (None, run.actor.login)
        and query.get("head_sha") in (None, run.sha)
    ]
    return [_run(request, run) for run in kept]


def _run(request: Request, run: Run) -> Json:
    github, home = request.github, request.repository
    url = f"{shapes.url_of(github, home)}/actions/runs/{run.id}"
    known = find_workflow(home, run.workflow)
    small = shapes.minimal_repository(github, home)
    commit = shapes_commits.git_commit(request, run.sha)
    who = shapes.user(github, run.actor)
    return {
        "id": run.id,
        "name": run.name,
        "node_id": shapes.node("WorkflowRun", run.id),
        "head_branch": run.branch,
        "head_sha": run.sha,
        "path": run.workflow,
        "display_title": run.title,
        "run_number": run.number,
        "run_attempt": 1,
        "event": run.event,
        "status": run.status,
        "conclusion": run.conclusion,
        "workflow_id": known.id if known else 0,
        "check_suite_id": run.id,
        "check_suite_node_id": shapes.node("CheckSuite", run.id),
        "url": url,
        "html_url": f"{shapes.page_url(github, home)}/actions/runs/{run.id}",
        "pull_requests": [],
        "created_at": shapes.stamp(run.created),
        "updated_at": shapes.stamp(run.updated or run.created),
        "run_started_at": shapes.stamp(run.created),
        "actor": who,
        "triggering_actor": who,
        "referenced_workflows": [],
        "jobs_url": f"{url}/jobs",
        "logs_url": f"{url}/logs",
        "check_suite_url": f"{shapes.url_of(github, home)}/check-suites/{run.id}",
        "artifacts_url": f"{url}/artifacts",
        "cancel_url": f"{url}/cancel",
        "rerun_url": f"{url}/rerun",
        "previous_attempt_url": None,
        "workflow_url": f"{shapes.url_of(github, home)}/actions/workflows/{known.id if known else 0}",
        "head_commit": {
            "id": run.sha,
            "tree_id": commit["tree"]["sha"],
            "message": commit["message"],
            "timestamp": commit["committer"]["date"],
            "author": {name: commit["author"][name] for name in ("name", "email")},
            "committer": {name: commit["committer"][name] for name in ("name", "email")},
        },
        "repository": small,
        "head_repository": small,
    }
