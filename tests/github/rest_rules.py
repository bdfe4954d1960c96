"""Rules that bar pushes to branches. https://docs.github.com/rest/repos/rules"""

from __future__ import annotations

from tests.github.routing import Answer, Listing, Request, route
from tests.github.rules import not_found

_RULESET = 1  # all rules of a repository are in one


@route("GET", "/repos/{owner}/{repo}/rules/branches/{branch:path}", "metadata:read")
def get_rules_of_branch(request: Request) -> Listing:
    home = request.repository
    rules = home.rules.get(request.places["branch"], [])
    about = {
        "ruleset_source_type": "Repository",
        "ruleset_source": home.full_name,
        "ruleset_id": _RULESET,
    }
    return Listing([{"type": rule, **about} for rule in rules])


@route("GET", "/repos/{owner}/{repo}/rulesets/{ruleset:int}", "metadata:read")
def get_ruleset(request: Request) -> Answer:
    home = request.repository
    if request.number("ruleset") != _RULESET or not home.rules:
        raise not_found()
    body = {
        "id": _RULESET,
        "name": "rules",
        "target": "branch",
        "source_type": "Repository",
        "source": home.full_name,
        "enforcement": "active",
        "current_user_can_bypass": home.may_bypass_rules,
    }
    return Answer(200, body)
