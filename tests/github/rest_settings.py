"""What Actions may do in a repository, and with what. https://docs.github.com/rest/actions/permissions"""

from __future__ import annotations

from tests.github import shapes
from tests.github.routing import Answer, Listing, Request, route

_ACTIONS = "/repos/{owner}/{repo}/actions"


@route("GET", _ACTIONS + "/permissions", "administration:read", role="admin")
def get_permissions(request: Request) -> Answer:
    return Answer(
        200,
        {
            "enabled": request.repository.workflows_enabled,
            "allowed_actions": "all",
            "sha_pinning_required": False,
        },
    )


@route("GET", _ACTIONS + "/permissions/workflow", "administration:read", role="admin")
def get_workflow_permissions(request: Request) -> Answer:
    home = request.repository
    body = {
        "default_workflow_permissions": home.workflow_permissions,
        "can_approve_pull_request_reviews": home.actions_may_open_pulls,
    }
    return Answer(200, body)


@route("GET", _ACTIONS + "/runners", "administration:read", role="admin")
def list_runners(request: Request) -> Listing:
    shown = [
        {
            "id": runner.id,
            "name": runner.name,
            "os": runner.os,
            "status": runner.status,
            "busy": runner.busy,
            "ephemeral": False,
            "labels": [
                {"id": place, "name": name, "type": "custom"} for place, name in enumerate(runner.labels, 1)
            ],
        }
        for runner in request.contents.runners.values()
    ]
    return Listing(shown, "runners")


@route("GET", _ACTIONS + "/secrets", "secrets:read", role="write")
def list_secrets(request: Request) -> Listing:
    """Their names; nobody is told what they are."""
    when = shapes.stamp(request.repository.created)
    shown = [{"name": name, "created_at": when, "updated_at": when} for name in request.repository.secrets]
    return Listing(shown, "secrets")


@route("GET", _ACTIONS + "/variables", "actions-variables:read", role="write")
def list_variables(request: Request) -> Listing:
    when = shapes.stamp(request.repository.created)
    pairs = request.repository.variables.items()
    shown = [{"name": name, "value": value, "created_at": when, "updated_at": when} for name, value in pairs]
    return Listing(shown, "variables")
