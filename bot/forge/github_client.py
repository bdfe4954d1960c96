"""The door to GitHub's REST interface: one request at a time, patient, never doubled, errors with a mend."""

from __future__ import annotations

import functools
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from bot.base.patience import Limited, OutOfPatience, Passing, Patience, retry_after
from bot.errors import NotAllowed, UserError
from bot.forge.github_budget import Budget
from bot.git import RemoteUnreachable

if TYPE_CHECKING:  # a quarter of a second, which only a request is worth
    from github import GithubException, Requester

Verb = Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
TRIES = 3  # at a request that fails for a passing reason
PAUSE = 1.0  # seconds before the second try; it doubles
LONGEST_WAIT = 900.0  # seconds in sum that rate limits may hold us up
# Content may be written 80 times a minute.
# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
WRITES_A_MINUTE = 60
_TIMEOUT = 30
_PER_PAGE = 100
_PAGES = 30
_REDIRECTION = {
    "message",
    "url",
    "documentation_url",
}  # all there is in one, and it is not followed with a write
# GitHub's lists and its knowledge of pushed commits may lag behind: seconds to wait before each new look.
LAGS = (1.0, 2.0, 4.0, 8.0)


class Refused(Exception):
    """GitHub's no: `status` and `message` as it says them, `errors` in its details, `permissions` it wants."""

    def __init__(self, status: int, message: str, errors: str, permissions: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.errors = errors
        self.permissions = permissions

    @property
    def said(self) -> str:
        """The message and its details, as one line."""
        return f"{self.message}: {self.errors}" if self.errors else self.message


class GitHubClient:
    """Requests on one repository (`OWNER/NAME`) for one token. Not for use by two threads at once."""

    def __init__(
        self, *, token: str, api_url: str, repository: str, sleep: Callable[[float], None] = time.sleep,
        on_note: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        """`on_note` hears, once, that requests are spread since few are left."""
        self.repository = repository
        self.sleep = sleep
        self._token = token
        self._api_url = api_url
        self._patience = Patience(sleep, LONGEST_WAIT)
        self._writes: deque[float] = deque(maxlen=WRITES_A_MINUTE)
        self._budget = Budget()
        self._on_note = on_note

    @functools.cached_property
    def _requester(self) -> Requester.Requester:
        import github

        return github.Github(
            auth=github.Auth.Token(self._token),
            base_url=self._api_url,
            timeout=_TIMEOUT,
            user_agent="nocturne",
            retry=None,  # PyGithub repeats writes without looking; `request` does not
            seconds_between_requests=None,
            seconds_between_writes=None,
        ).requester

    def get(self, path: str, **parameters: str | int) -> Any:
        """Return what is at `path`, an address where it only points elsewhere; see `request`."""
        return self.request("GET", path, parameters=parameters)

    def download(self, address: str, most: int) -> bytes:
        """Return at most `most` bytes of what is at `address`, asked without the token; none if it is refused.

        GitHub signs such addresses of its storage for a minute.
        """
        import requests

        def attempt() -> bytes:
            try:
                with requests.get(address, timeout=_TIMEOUT, stream=True) as answer:
                    if answer.status_code < 500:
                        return _at_most(answer.iter_content(1 << 16), most) if answer.ok else b""
            except (requests.RequestException, OSError) as error:
                raise Passing(type(error).__name__) from None
            raise Passing(f"status {answer.status_code}")

        try:
            return self._patience.ask(attempt, tries=TRIES, pause=PAUSE)
        except OutOfPatience:
            raise RemoteUnreachable(
                "GitHub's storage of artifacts does not answer: nothing is lost, run again later"
            ) from None

    def pages(self, path: str, **parameters: str | int) -> list[dict[str, Any]]:
        """Return the list at `path` whole, at most 3,000 entries."""
        found: list[dict[str, Any]] = []
        for page in range(1, _PAGES + 1):
            more = {"page": page} if page > 1 else {}
            part = self.get(path, per_page=_PER_PAGE, **parameters, **more)
            found += part
            if len(part) < _PER_PAGE:
                break
        return found

    def request(
        self,
        verb: Verb,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        parameters: Mapping[str, str | int] | None = None,
        look: Callable[[], Any] | None = None,
    ) -> Any:
        """Send one request below the repository's URL, and return the JSON of its answer.

        Where it stays open whether a request had its effect, `look` is asked before it is repeated: what it
        returns is the answer, unless it is None. A request without `look` must bear repeating. Raises
        `Refused`, and `RemoteUnreachable` if GitHub gives no answer for too long.
        """
        try:
            return self._patience.ask(
                lambda: self._send(verb, path, body, parameters), tries=TRIES, pause=PAUSE, look=look
            )
        except OutOfPatience as over:
            if isinstance(over.failure, Limited):
                said = f"GitHub's rate limit is used up for another {over.failure.seconds / 60:.0f} minutes"
                raise RemoteUnreachable(f"{said}: nothing is lost, run again then") from None
            raise RemoteUnreachable(
                f"GitHub does not answer {verb} {path} ({over}): nothing is lost, run again later;"
                " https://www.githubstatus.com tells of outages"
            ) from None

    def graphql(self, query: str, **variables: str | int) -> dict[str, Any]:
        """Return the `data` of a query's answer, with null for what is not there.

        Raises `Refused`, also if GraphQL's own limit is used up or no answer comes: all can be asked of REST.
        """

        def attempt() -> dict[str, Any]:
            asked = {"query": query, "variables": variables}
            try:
                answer = self._send("POST", self._requester.graphql_url, asked, None)
            except Limited:
                raise Refused(403, "GraphQL's rate limit is used up", "", "") from None
            data = answer.get("data") if isinstance(answer, dict) else None
            errors = [e for e in answer.get("errors") or [] if e.get("type") != "NOT_FOUND"] if data else []
            if not isinstance(data, dict) or errors:
                raise Refused(403, str(errors[0].get("message")) if errors else "no data", "", "")
            return data

        try:
            return self._patience.ask(attempt, tries=TRIES, pause=PAUSE)
        except OutOfPatience as over:
            raise Refused(503, str(over), "", "") from None

    def _spread(self) -> None:
        """Wait if few requests are left this hour, so that they are never used up before it is over."""
        wait = self._budget.pause(time.time())
        if wait and self._on_note is not None:
            minutes = (self._budget.reset - time.time()) / 60
            self._on_note(
                f"GitHub lets this token make {self._budget.left} more of {self._budget.limit} requests for"
                f" {minutes:.0f} minutes: they are spread over that time"
            )
            self._on_note = None
        if wait:
            self.sleep(wait)

    def _pace(self) -> None:
        """Wait where the last minute was full of writes."""
        now = time.monotonic()
        if len(self._writes) == WRITES_A_MINUTE and now - self._writes[0] < 60:
            self.sleep(60 - (now - self._writes[0]))
        self._writes.append(time.monotonic())

    def _send(
        self, verb: Verb, path: str, body: Mapping[str, Any] | None, parameters: Mapping[str, Any] | None
    ) -> Any:
        """Send one request to `path` below the repository's URL, or a query to a whole address; return its JSON."""
        import github
        import requests

        query = not path.startswith("/") and path != ""
        if not query:
            self._spread()
            if verb != "GET":
                self._pace()
        try:
            headers, data = self._requester.requestJsonAndCheck(
                verb,
                path if query else f"/repos/{self.repository}{path}",
                parameters=dict(parameters) if parameters else None,
                input=dict(body) if body is not None else None,
            )
        except github.GithubException as error:
            self._budget.take(_small(error.headers))
            raise _sorted(error) from None
        except (requests.RequestException, json.JSONDecodeError, OSError) as error:
            raise Passing(type(error).__name__) from None
        except RuntimeError as error:  # PyGithub's word for a redirection to another host or protocol
            raise UserError(f"GITHUB_API_URL: {self._api_url} leads elsewhere: {error}") from None
        self._budget.take(_small(headers))
        if data is None and verb == "GET" and "location" in headers:
            return headers["location"]
        if isinstance(data, dict) and "message" in data and set(data) <= _REDIRECTION:
            raise UserError(
                f"GitHub has moved {self.repository}: give the remote its new address by `git remote set-url`"
            )
        return data

    def refusal(self, refused: Refused, doing: str, permission: str) -> UserError:
        """Return the error for a human: what could not be done, why, and where to mend it."""
        why = f"GitHub does not let the token {doing} ({refused.said})"
        if refused.status == 401:
            return UserError(
                f"{why}: put a token that is valid into NOCTURNE_GITHUB_TOKEN or GITHUB_TOKEN, for"
                f" {self._api_url}"
            )
        if "not permitted to create or approve pull requests" in refused.message:
            return NotAllowed(
                f"{why}: allow it in the repository's settings, under Actions, General, Workflow permissions"
            )
        if refused.status in (403, 404):
            wanted = _as_in_a_workflow(refused.permissions) or permission
            seen = f"{self.repository} must be visible to it, and " if refused.status == 404 else ""
            return NotAllowed(
                f"{why}: {seen}it needs `{wanted}`: add that under `permissions:` in the workflow,"
                " or in the token's own settings on GitHub"
            )
        return UserError(f"GitHub refuses to {doing} in {self.repository}: {refused.status} {refused.said}")


def _at_most(parts: Iterable[bytes], most: int) -> bytes:
    """Return the first `most` bytes of what comes in parts."""
    content = bytearray()
    for part in parts:
        content += part
        if len(content) >= most:
            break
    return bytes(content[:most])


def _small(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Return an answer's headers with their names in small letters."""
    return {name.lower(): value for name, value in (headers or {}).items()}


def _sorted(error: GithubException) -> Exception:
    """Return what an answer of 400 and above means for the request."""
    headers = _small(error.headers)
    data = error.data if isinstance(error.data, dict) else {}
    message = str(data.get("message") or error.message or f"status {error.status}")
    if error.status >= 500 or error.status == 408:
        return Passing(f"status {error.status}")
    if error.status in (403, 429):
        seconds = _seconds_to_wait(headers, message, must=error.status == 429)
        if seconds is not None:
            return Limited(seconds)
    return Refused(
        error.status, message, _details(data.get("errors")), headers.get("x-accepted-github-permissions", "")
    )


def _as_in_a_workflow(accepted: str) -> str:
    """Return `issues=write; pull_requests=write`, as GitHub's header has it, as a workflow writes it."""
    kinds = [kind.strip().replace("_", "-").replace("=", ": ") for kind in accepted.split(";")]
    return "` or `".join(kind for kind in kinds if kind)


def _seconds_to_wait(headers: Mapping[str, str], message: str, *, must: bool) -> float | None:
    """Return how long a rate limit lasts, None if it is none: retry-after, else the reset, else a minute."""
    after = retry_after(headers)
    if after is not None:
        return after
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
        return max(0.0, float(reset) - time.time()) + 1.0
    limited = must or "rate limit" in message.lower() or "abuse detection" in message.lower()
    return 60.0 if limited else None


def _details(errors: Any) -> str:
    """Return the `errors` of a 422 as one line: `head invalid; No commits between a and b`."""
    said = []
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict):
            told = error.get("message") or f"{error.get('field', '')} {error.get('code', '')}".strip()
            said.append(str(told))
        else:
            said.append(str(error))
    return "; ".join(said)
