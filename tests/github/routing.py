"""Which function answers which call, what the caller must be allowed, and pages of lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

from tests.github.records import Contents, Token, User
from tests.github.repository import Repository
from tests.github.rules import Fields, Refused

if TYPE_CHECKING:
    from tests.github.world import GitHub


@dataclass
class Request:
    """One REST call on its way; `home` and `shown` are what `repository` and `contents` give.

    `contents` is what is to be shown: an older state where a list lags.
    """

    github: GitHub
    method: str
    path: str
    query: dict[str, str]
    values: Any
    token: Token | None
    version: str
    places: dict[str, str] = field(default_factory=dict)
    home: Repository | None = None
    shown: Contents | None = None

    @property
    def repository(self) -> Repository:
        if self.home is None:
            raise LookupError(f"{self.path} is no path of a repository")
        return self.home

    @property
    def contents(self) -> Contents:
        return self.shown or self.repository.contents

    @property
    def actor(self) -> User:
        """Who calls; routes that ask are those that need a token."""
        if self.token is None:
            raise Refused(401, "Requires authentication")
        return self.token.user

    def number(self, name: str = "number") -> int:
        return int(self.places[name])

    def fields(self, resource: str) -> Fields:
        if not isinstance(self.values, dict):
            raise Refused(400, "Body should be a JSON object")
        return Fields(self.values, resource)


@dataclass(frozen=True)
class Answer:
    """What goes back; `payload` is JSON, bytes as they are, or None for no body."""

    status: int
    payload: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """All the items of a list; the caller gets one page, inside an object where `under` names the key."""

    items: Sequence[Any]
    under: str | None = None
    more: dict[str, Any] = field(default_factory=dict)


Handler = Callable[[Request], "Answer | Listing"]


@dataclass(frozen=True)
class Route:
    """`needs` are permissions of which one suffices, `role` is what a user's own token asks of the user."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    needs: tuple[str, ...]
    role: str
    app_only: bool
    literal: int  # how many characters of the path are no places


ROUTES: list[Route] = []
_KINDS = {"": "[^/]+", "path": ".+", "int": r"\d+"}


def route(
    method: str, path: str, *needs: str, role: str | None = None, app_only: bool = False
) -> Callable[[Handler], Handler]:
    """Let a function answer `method` on `path`, in which {name}, {name:int}, {name:path} are places.

    `needs` are like "contents:write". A repository's path begins with /repos/{owner}/{repo}. `role` is by
    default "write" where a permission to write is needed, else "read". `app_only` refuses users' tokens.
    """

    def place(match: re.Match[str]) -> str:
        name, _, kind = match[1].partition(":")
        return f"(?P<{name}>{_KINDS[kind]})"

    pattern = re.compile(re.sub(r"\{([^}]+)\}", place, path.replace(".", r"\.")) + "$")
    literal = len(re.sub(r"\{[^}]+\}", "", path))
    asked = role or ("write" if any(need.endswith(":write") for need in needs) else "read")

    def keep(handler: Handler) -> Handler:
        ROUTES.append(Route(method, pattern, handler, needs, asked, app_only, literal))
        return handler

    return keep


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the route for a call, of several the most literal one, and what stands in its places."""
    best: tuple[Route, re.Match[str]] | None = None
    for known in ROUTES:
        match = known.pattern.match(path) if known.method == method else None
        if match and (best is None or known.literal > best[0].literal):
            best = (known, match)
    if best is None:
        return None
    return best[0], {name: unquote(value) for name, value in best[1].groupdict().items()}


def page_of(listing: Listing, request: Request, url: str) -> Answer:
    """Return the page that `request` asks for, and the way to its neighbours.

    https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api
    """
    size = min(100, max(1, _whole(request.query.get("per_page"), 30)))
    page = max(1, _whole(request.query.get("page"), 1))
    last = max(1, -(-len(listing.items) // size))
    links: dict[str, int] = {}
    if page > 1:
        links |= {"prev": min(page - 1, last), "first": 1}
    if page < last:
        links |= {"next": page + 1, "last": last}
    said = ", ".join(
        f'<{url}?{urlencode({**request.query, "page": where})}>; rel="{name}"'
        for name, where in links.items()
    )
    items = list(listing.items[(page - 1) * size : page * size])
    body: Any = items
    if listing.under is not None:
        body = {"total_count": len(listing.items), **listing.more, listing.under: items}
    return Answer(200, body, {"link": said} if said else {})


def _whole(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdecimal() else default
