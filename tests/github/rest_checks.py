"""Check runs, which only Apps may make: a job's token is one. https://docs.github.com/rest/checks/runs"""

from __future__ import annotations

from tests.github import plumbing, shapes
from tests.github.records import CheckRun
from tests.github.repository import now
from tests.github.routing import Answer, Listing, Request, route
from tests.github.rules import Fields, Refused, invalid, not_found, unprocessable
from tests.github.shapes import Json

_STATUSES = ("queued", "in_progress", "completed", "waiting", "requested", "pending")
_CONCLUSIONS = ("action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out")
_TEXT = 65_535
_ANNOTATIONS = 50


@route("POST", "/repos/{owner}/{repo}/check-runs", "checks:write", app_only=True)
def create(request: Request) -> Answer:
    fields = request.fields("CheckRun")
    fields.need("name", "head_sha")
    name, sha = fields.text("name", required=True) or "", fields.text("head_sha") or ""
    if not plumbing.has_object(request.repository.path, sha, "commit"):
        raise unprocessable(f"No commit found for SHA: {sha}")
    run = CheckRun(
        id=request.github.new_id(),
        sha=sha,
        name=name,
        status="queued",
        conclusion=None,
        started=fields.when("started_at") or now(),
        completed=None,
        details_url=None,
        external_id="",
        output={"title": None, "summary": None, "text": None},
        app=request.actor.login,
    )
    _take(fields, run)
    request.contents.check_runs[run.id] = run
    shape = _shape(request, run)
    return Answer(201, shape, {"location": shape["url"]})


@route("PATCH", "/repos/{owner}/{repo}/check-runs/{check:int}", "checks:write", app_only=True)
def update(request: Request) -> Answer:
    run = _find(request)
    if run.app != request.actor.login:
        said = f"Invalid app_id `{request.actor.id}` - check run can only be modified by its GitHub App."
        raise Refused(403, said)
    fields = request.fields("CheckRun")
    run.name = fields.text("name") or run.name
    run.started = fields.when("started_at") or run.started
    _take(fields, run)
    return Answer(200, _shape(request, run))


@route("GET", "/repos/{owner}/{repo}/check-runs/{check:int}", "checks:read")
def get(request: Request) -> Answer:
    return Answer(200, _shape(request, _find(request)))


@route("GET", "/repos/{owner}/{repo}/commits/{ref:path}/check-runs", "checks:read")
def list_for_ref(request: Request) -> Listing:
    """The newest of each name, unless `filter` is all."""
    sha = plumbing.commit_of(request.repository.path, request.places["ref"])
    if sha is None:
        raise unprocessable(f"No commit found for SHA: {request.places['ref']}")
    found = [run for run in request.contents.check_runs.values() if run.sha == sha]
    if request.query.get("check_name"):
        found = [run for run in found if run.name == request.query["check_name"]]
    if request.query.get("filter", "latest") == "latest":
        found = list({(run.name, run.app): run for run in found}.values())
    return Listing([_shape(request, run) for run in reversed(found)], "check_runs")


def _find(request: Request) -> CheckRun:
    run = request.contents.check_runs.get(request.number("check"))
    if run is None:
        raise not_found()
    return run


def _take(fields: Fields, run: CheckRun) -> None:
    """Put into `run` what the body says of its state and report."""
    status = fields.one_of("status", _STATUSES)
    conclusion = fields.one_of("conclusion", _CONCLUSIONS)
    completed = fields.when("completed_at")
    output = fields.table("output")
    if status == "completed" and conclusion is None:
        raise invalid("CheckRun", "conclusion", "missing_field")
    if output is not None:
        _take_output(Fields(output, "CheckRun"), run)
    run.details_url = fields.text("details_url") or run.details_url
    run.external_id = fields.text("external_id") or run.external_id
    if conclusion is not None:  # ends the run, whatever its status
        run.status, run.conclusion, run.completed = "completed", conclusion, completed or now()
    elif status is not None:
        run.status, run.conclusion, run.completed = status, None, None


def _take_output(report: Fields, run: CheckRun) -> None:
    report.need("summary")
    for name in ("title", "summary", "text"):
        if name in report:
            run.output[name] = report.text(name, limit=_TEXT)
    annotations = report.listing("annotations") or []
    if len(annotations) > _ANNOTATIONS:
        raise unprocessable(
            f"Invalid request.\n\nNo more than {_ANNOTATIONS} items are allowed; {len(annotations)} were supplied."
        )
    run.annotations += len(annotations)


def _shape(request: Request, run: CheckRun) -> Json:
    github, home = request.github, request.repository
    url = f"{shapes.url_of(github, home)}/check-runs/{run.id}"
    page = f"{shapes.page_url(github, home)}/runs/{run.id}"
    return {
        "id": run.id,
        "name": run.name,
        "head_sha": run.sha,
        "node_id": shapes.node("CheckRun", run.id),
        "external_id": run.external_id,
        "url": url,
        "html_url": page,
        "details_url": run.details_url or page,
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": shapes.stamp(run.started),
        "completed_at": shapes.stamp(run.completed),
        "output": {
            **run.output,
            "annotations_count": run.annotations,
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": 1},
        "app": _app(request, run.app),
        "pull_requests": [],
    }


def _app(request: Request, login: str) -> Json:
    slug = login.removesuffix("[bot]")
    who = request.github.user(login)
    since = "2026-01-01T00:00:00Z"
    return {
        "id": who.id,
        "slug": slug,
        "node_id": shapes.node("App", who.id),
        "owner": shapes.user(request.github, request.repository.owner),
        "name": slug,
        "description": None,
        "external_url": f"{request.github.server_url}/apps/{slug}",
        "html_url": f"{request.github.server_url}/apps/{slug}",
        "created_at": since,
        "updated_at": since,
        "permissions": {"checks": "write", "metadata": "read"},
        "events": [],
    }
