"""Shows git the token for GitHub: by its environment, to one host, and to nobody else."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from bot.git.command import environment


def token_variables(server: str, token: str, headers: Sequence[str] = ()) -> Mapping[str, str]:
    """Return the variables with which git logs in at `server` (`https://host`, or with a port) by `token`.

    The login goes along with the first request: without it every command would ask once in vain. Where it
    is not accepted, no other helper is asked, nor told the token. `headers` are what the user's settings add
    to requests there: a login among them, as actions/checkout leaves one, is not sent, so that the ledger,
    the branches and the pull requests have one author.
    """
    login = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    others = [header for header in headers if not header.lower().startswith("authorization:")]
    key = f"http.{server}/.extraheader"
    settings = [(f"credential.{server}.helper", "")]
    settings += [(key, value) for value in ("", *others, f"Authorization: Basic {login}")]
    first = int(environment()["GIT_CONFIG_COUNT"])
    variables = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (name, value) in enumerate(settings, start=first):
        variables[f"GIT_CONFIG_KEY_{number}"] = name
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables
