"""Labels, of the repository and on issues. https://docs.github.com/rest/issues/labels"""

from __future__ import annotations

import re

from tests.github import shapes, shapes_issues
from tests.github.records import Label
from tests.github.rest_issues import label_name, set_labels
from tests.github.routing import Answer, Listing, Request, route
from tests.github.rules import Fields, Refused, invalid, not_found
from tests.github.texts import check_kind, find_issue

_READ = ("issues:read", "pull-requests:read")
_WRITE = ("issues:write", "pull-requests:write")
_ON_ISSUE = "/repos/{owner}/{repo}/issues/{number:int}/labels"
_COLOR = re.compile("[0-9a-fA-F]{6}")


def _shape(request: Request, label: Label) -> shapes.Json:
    return shapes.label(request.github, request.repository, label)


@route("GET", "/repos/{owner}/{repo}/labels", *_READ)
def list_labels(request: Request) -> Listing:
    return Listing([_shape(request, label) for _, label in sorted(request.contents.labels.items())])


@route("POST", "/repos/{owner}/{repo}/labels", *_WRITE)
def create_label(request: Request) -> Answer:
    fields = request.fields("Label")
    fields.need("name")
    name = label_name(fields.values["name"])
    if name.lower() in request.contents.labels:
        raise invalid("Label", "name", "already_exists")
    color, description = _details(fields)
    shape = _shape(request, request.repository.label(name, color or "ededed", description))
    return Answer(201, shape, {"location": shape["url"]})


@route("GET", "/repos/{owner}/{repo}/labels/{name:path}", *_READ)
def get_label(request: Request) -> Answer:
    return Answer(200, _shape(request, _find(request)))


@route("PATCH", "/repos/{owner}/{repo}/labels/{name:path}", *_WRITE)
def update_label(request: Request) -> Answer:
    label = _find(request)
    fields = request.fields("Label")
    color, description = _details(fields)
    if "new_name" in fields:
        _rename(request, label, label_name(fields.values["new_name"]))
    label.color = color or label.color
    label.description = label.description if description is None else description
    return Answer(200, _shape(request, label))


@route("DELETE", "/repos/{owner}/{repo}/labels/{name:path}", *_WRITE)
def delete_label(request: Request) -> Answer:
    label = _find(request)
    del request.contents.labels[label.name.lower()]
    for issue in request.contents.issues.values():
        issue.labels = [name for name in issue.labels if name != label.name]
    return Answer(204)


@route("GET", _ON_ISSUE, *_READ)
def list_on_issue(request: Request) -> Listing:
    return Listing(shapes_issues.labels(request, find_issue(request)))


@route("POST", _ON_ISSUE, *_WRITE, role="triage")
def add_to_issue(request: Request) -> Answer:
    issue = find_issue(request)
    return _put(request, [*issue.labels, *_names(request)])


@route("PUT", _ON_ISSUE, *_WRITE, role="triage")
def set_on_issue(request: Request) -> Answer:
    return _put(request, _names(request))


@route("DELETE", _ON_ISSUE, *_WRITE, role="triage")
def remove_all(request: Request) -> Answer:
    _put(request, [])
    return Answer(204)


@route("DELETE", _ON_ISSUE + "/{name:path}", *_WRITE, role="triage")
def remove_from_issue(request: Request) -> Answer:
    issue = find_issue(request)
    gone = request.places["name"].lower()
    if gone not in (name.lower() for name in issue.labels):
        raise Refused(404, "Label does not exist")
    return _put(request, [name for name in issue.labels if name.lower() != gone])


def _put(request: Request, names: list[str]) -> Answer:
    issue = find_issue(request)
    check_kind(request, issue)
    if len(names) > 100:
        raise invalid("Issue", "labels", "custom", "an issue may have at most 100 labels")
    set_labels(request, issue, names)
    return Answer(200, shapes_issues.labels(request, issue))


def _names(request: Request) -> list[str]:
    """Return the names in the body: a list, or an object that has one."""
    values = request.values
    given = values if isinstance(values, list) else values.get("labels", [])
    if not isinstance(given, list):
        raise invalid("Label", "labels")
    return [label_name(each) for each in given]


def _find(request: Request) -> Label:
    label = request.contents.labels.get(request.places["name"].lower())
    if label is None:
        raise not_found()
    return label


def _rename(request: Request, label: Label, name: str) -> None:
    labels = request.contents.labels
    if name.lower() != label.name.lower() and name.lower() in labels:
        raise invalid("Label", "name", "already_exists")
    del labels[label.name.lower()]
    for issue in request.contents.issues.values():
        issue.labels = [name if each == label.name else each for each in issue.labels]
    label.name = name
    labels[name.lower()] = label


def _details(fields: Fields) -> tuple[str | None, str | None]:
    color = fields.text("color")
    if color is not None and not _COLOR.fullmatch(color):
        raise invalid("Label", "color")
    return color, fields.text("description", limit=100)
