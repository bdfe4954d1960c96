"""Who may do what: credentials, what may be seen, permissions and roles."""

from __future__ import annotations

import base64
import binascii

from tests.github.records import ROLES, Token, User
from tests.github.repository import Repository
from tests.github.rules import Refused, not_found

_ROLE_SAID = {
    "triage": "Must have triage rights to Repository.",
    "write": "Must have push access to Repository.",
    "admin": "Must have admin rights to Repository.",
}


def credential(header: str | None) -> str | None:
    """Return the token in an Authorization header: Bearer, token, or Basic with the token as password."""
    if not header:
        return None
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() in ("bearer", "token"):
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        user, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return user if password in ("", "x-oauth-basic") else password


def sees(token: Token | None, repository: Repository) -> bool:
    """Say whether `token` may know that `repository` exists."""
    if not repository.private:
        return True
    if token is None:
        return False
    if token.kind == "pat":
        return repository.role_of(token.user) is not None
    return token.repository == repository.full_name


def permits(token: Token | None, repository: Repository, need: str) -> bool:
    """Say whether an installation's `token` has `need`, like "contents:write"."""
    name, _, level = need.partition(":")
    if level == "read" and not repository.private:
        return True
    if token is None or token.repository != repository.full_name:
        return False
    if name == "metadata":
        return level == "read"
    return token.permissions.get(name) in ((level, "write") if level == "read" else (level,))


def has_role(user: User | None, repository: Repository, role: str) -> bool:
    held = repository.role_of(user)
    return held is not None and ROLES.index(held) >= [*ROLES].index(role)  # type: ignore[arg-type]


def check(
    token: Token | None, repository: Repository, needs: tuple[str, ...], role: str, app_only: bool
) -> None:
    """Raise `Refused` as GitHub would where `token` may not do this."""
    if not sees(token, repository):
        raise not_found()
    writes = any(need.endswith(":write") for need in needs)
    if token is None:
        if writes or role != "read":
            raise Refused(401, "Requires authentication")
    elif token.kind == "pat":
        if app_only:
            raise Refused(403, "You must authenticate via a GitHub App.")
        if not has_role(token.user, repository, role):
            raise Refused(403, _ROLE_SAID.get(role, _ROLE_SAID["admin"]))
    elif needs and not any(permits(token, repository, need) for need in needs):
        accepted = "; ".join(need.replace(":", "=").replace("-", "_") for need in needs)
        headers = {"x-accepted-github-permissions": accepted}
        raise Refused(403, "Resource not accessible by integration", headers)
