"""Queries of pull requests by GraphQL, as far as a look at them goes. https://docs.github.com/en/graphql

Strict where GitHub is: a field, an argument or a variable that is not there is an error, and one without its selection
too. The names are those of GitHub's public schema (npm `@octokit/graphql-schema`). What is refused is answered by 200
and `errors`, with a `type`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.github import shapes
from tests.github.access import check, sees
from tests.github.records import Issue
from tests.github.routing import Answer, Request, route
from tests.github.rules import Refused, unprocessable

_TOKEN = re.compile(r'[A-Za-z_]\w*|\d+|"[^"\\\n]*"|[$(){}:!]')
_VARIABLES = {"String!": str, "Int!": int}


class _Wrong(Exception):
    """An error of a query; `kind` is its type, "" if it has none."""

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass
class _Field:
    """One selected field: its arguments, and what is selected of it."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    selected: list[_Field] | None = None


_Resolver = Callable[[Request, _Field], Any]


@route("POST", "/graphql")
def query(request: Request) -> Answer:
    if request.token is None:
        raise Refused(401, "Requires authentication")
    fields = request.fields("Query")
    text, variables = fields.text("query") or "", fields.table("variables") or {}
    if not text.strip():
        raise unprocessable("A query attribute must be specified and must be a string.")
    try:
        (root,) = _parse(text, variables)
        if root.name != "repository":
            raise _Wrong(f"Field '{root.name}' doesn't exist on type 'Query'")
        return Answer(200, {"data": {"repository": _repository(request, root)}})
    except _Wrong as wrong:
        error = {"message": str(wrong)} | ({"type": wrong.kind, "path": ["repository"]} if wrong.kind else {})
        data = {"data": {"repository": None}} if wrong.kind else {}
        return Answer(200, data | {"errors": [error]})


def _repository(request: Request, root: _Field) -> dict[str, Any]:
    owner, name = _given(root, owner=str, name=str)
    home = request.github.find_repository(f"{owner}/{name}")
    if home is None or not sees(request.token, home):
        raise _Wrong(f"Could not resolve to a Repository with the name '{owner}/{name}'.", "NOT_FOUND")
    home.sync()
    request.home = home
    try:
        check(request.token, home, ("pull-requests:read",), "read", app_only=False)
    except Refused as refused:
        raise _Wrong(str(refused), "FORBIDDEN") from None
    return _select(root, "Repository", {"pullRequest": _one, "pullRequests": _some}, request)


def _one(request: Request, asked: _Field) -> Any:
    (number,) = _given(asked, number=int)
    issue = request.repository.contents.issues.get(number)
    if issue is None or issue.pull is None:
        raise _Wrong(f"Could not resolve to a PullRequest with the number of {number}.", "NOT_FOUND")
    return _pull(request, asked, issue)


def _some(request: Request, asked: _Field) -> Any:
    """Only as it is asked here: the open ones into a branch, those that changed last."""
    states, base, first, order = _given(asked, states=str, baseRefName=str, first=int, orderBy=dict)
    if states != "OPEN" or order != {"field": "UPDATED_AT", "direction": "DESC"}:
        raise _Wrong(f"not served here: states {states}, orderBy {order}")
    if not 1 <= first <= 100:
        raise _Wrong("`first` must be between 1 and 100", "EXCESSIVE_PAGINATION")
    found = [
        issue
        for issue in request.repository.contents.issues.values()
        if issue.pull is not None and issue.state == "open" and issue.pull.base == base
    ]
    found.sort(key=lambda issue: (issue.updated, issue.number), reverse=True)

    def nodes(_: Request, each: _Field) -> Any:
        return [_pull(request, each, issue) for issue in found[:first]]

    return _select(asked, "PullRequestConnection", {"nodes": nodes}, request)


def _pull(request: Request, asked: _Field, issue: Issue) -> dict[str, Any]:
    pull, home = issue.pull, request.repository
    assert pull is not None
    plain = {
        "number": issue.number,
        "title": issue.title,
        "body": issue.body or "",
        "state": "MERGED" if pull.merged is not None else issue.state.upper(),
        "url": f"{shapes.page_url(request.github, home)}/pull/{issue.number}",
        "headRefName": pull.head,
        "headRefOid": pull.head_sha,
        "baseRefName": pull.base,
    }
    parts = {name: _leaf(value) for name, value in plain.items()}
    return _select(asked, "PullRequest", {**parts, "labels": _labels_of(issue)}, request)


def _labels_of(issue: Issue) -> _Resolver:
    def labels(request: Request, asked: _Field) -> Any:
        (first,) = _given(asked, first=int)

        def nodes(_: Request, each: _Field) -> Any:
            return [_select(each, "Label", {"name": _leaf(name)}, request) for name in issue.labels[:first]]

        return _select(asked, "LabelConnection", {"nodes": nodes}, request)

    return labels


def _leaf(value: Any) -> _Resolver:
    def leaf(_: Request, asked: _Field) -> Any:
        if asked.selected is not None or asked.arguments:
            raise _Wrong(f"Selections can't be made on scalars (field '{asked.name}')")
        return value

    return leaf


def _select(asked: _Field, kind: str, parts: Mapping[str, _Resolver], request: Request) -> dict[str, Any]:
    if not asked.selected:
        raise _Wrong(f"Field must have selections (field '{asked.name}' returns {kind})")
    for each in asked.selected:
        if each.name not in parts:
            raise _Wrong(f"Field '{each.name}' doesn't exist on type '{kind}'")
    return {each.name: parts[each.name](request, each) for each in asked.selected}


def _given(asked: _Field, **wanted: type) -> list[Any]:
    """Return the arguments of a field, which must be these."""
    if set(asked.arguments) != set(wanted):
        raise _Wrong(f"Field '{asked.name}' takes {sorted(wanted)} here, not {sorted(asked.arguments)}")
    for name, kind in wanted.items():
        if not isinstance(asked.arguments[name], kind):
            raise _Wrong(f"Argument '{name}' on Field '{asked.name}' has an invalid value")
    return [asked.arguments[name] for name in wanted]


# Reading


def _parse(text: str, variables: Mapping[str, Any]) -> list[_Field]:
    """Return what `query($name: Type) { field(argument: value) { ... } }` selects."""
    words = iter(_words(text))
    try:
        _expect(words, "query")
        declared = _declared(words, variables)
        _expect(words, "{")
        fields = _selection(words, declared)
    except StopIteration:
        raise _Wrong("Unexpected end of document") from None
    unused = [name for name in declared if len(re.findall(rf"\$ *{name}\b", text)) < 2]
    if unused:
        raise _Wrong(f"Variable ${unused[0]} is declared by anonymous query but not used")
    if next(words, None) is not None:
        raise _Wrong("not served here: more than one operation")
    return fields


def _words(text: str) -> list[str]:
    strange = _TOKEN.sub("", text).replace(",", "").strip()
    if strange:
        raise _Wrong(f'Parse error on "{strange[0]}"')
    return _TOKEN.findall(text)


def _declared(words: Iterator[str], values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    _expect(words, "(")
    while (word := next(words)) != ")":
        name = next(words) if word == "$" else ""
        _expect(words, ":")
        kind = next(words) + next(words)
        if kind not in _VARIABLES or not isinstance(values.get(name), _VARIABLES[kind]):
            raise _Wrong(f"Variable ${name} of type {kind} was provided invalid value")
        found[name] = values[name]
    return found


def _selection(words: Iterator[str], variables: Mapping[str, Any]) -> list[_Field]:
    """Read up to the bracket that closes what is open."""
    found: list[_Field] = []
    while (word := next(words)) != "}":
        if word == "(":
            found[-1].arguments = _arguments(words, variables, ")")
        elif word == "{":
            found[-1].selected = _selection(words, variables)
        else:
            found.append(_Field(word))
    return found


def _arguments(words: Iterator[str], variables: Mapping[str, Any], end: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while (name := next(words)) != end:
        _expect(words, ":")
        word = next(words)
        if word == "{":
            found[name] = _arguments(words, variables, "}")
        elif word == "$":
            variable = next(words)
            if variable not in variables:
                raise _Wrong(f"Variable ${variable} is used by anonymous query but not declared")
            found[name] = variables[variable]
        else:
            found[name] = int(word) if word.isdigit() else word.strip('"')
    return found


def _expect(words: Iterator[str], wanted: str) -> None:
    if (word := next(words)) != wanted:
        raise _Wrong(f'Parse error on "{word}": expected "{wanted}"')
