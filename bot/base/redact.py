"""Takes credentials out of what is written down: those we hold, by value, and others by how they look."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from bot.base.legible import Clean, legible

HIDDEN = "[secret]"
_LEAST = 8  # characters: a shorter value is no credential, and would take words out of sentences
_LINE = 20  # characters of a line, from which on it gives away a value of several lines
# The one list of secret names; `evaluator.jail.credentials` has the same.
_NAMES = re.compile(
    r"TOKEN(?!IZ)|SECRET|PASSW|PASSPHRASE|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIAL|WEBHOOK|AUTH(?!OR(?!IZ)|_SOCK)"
    r"|(?:^|_)(?<!GPG_)(?:KEY|PAT)$",
    re.IGNORECASE,
)
# What issuers print in their documentation, each with a piece of text without which it is not there: a look for that
# costs little. Whatever is hidden can't be code: nobody hides a line of a program from its readers by such a look.
_LOOKS = {
    "sk-": r"sk-[A-Za-z0-9_-]{16,}",  # Anthropic, OpenAI
    "sk_": r"sk_(?:live|test)_[A-Za-z0-9]{16,}",  # Stripe
    "rk_": r"rk_(?:live|test)_[A-Za-z0-9]{16,}",
    "gh": r"gh[pousr]_[A-Za-z0-9]{20,}",
    "github_pat_": r"github_pat_[A-Za-z0-9_]{20,}",
    "glpat-": r"glpat-[A-Za-z0-9_-]{20,}",
    "xox": r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}",  # Slack
    "xapp-": r"xapp-[A-Za-z0-9-]{10,}",
    "hooks.slack.com/": r"hooks\.slack\.com/(?:services|workflows|triggers)/[\w/-]+",
    "AKIA": r"AKIA[A-Z0-9]{16}",  # AWS
    "ASIA": r"ASIA[A-Z0-9]{16}",
    "AIza": r"AIza[A-Za-z0-9_-]{35}",  # Google
    "hf_": r"hf_[A-Za-z0-9]{20,}",  # Hugging Face
    "npm_": r"npm_[A-Za-z0-9]{36}",
    "pypi-": r"pypi-[A-Za-z0-9_-]{50,}",
    "discord": r"discord(?:app)?\.com/api/webhooks/\d+/[\w-]+",
    "eyJ": r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*",  # JSON Web Token
    # PEM (RFC 7468): lines of base64 and what OpenSSL writes above them, in a file, a string or a diff
    "PRIVATE KEY": (
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
        r"(?:{between}(?:Proc-Type: 4,ENCRYPTED|DEK-Info: [A-Z0-9,-]+|[A-Za-z0-9+/]{{60,}}={{0,2}}(?![\w(.])))*"
        r"(?:{between}(?:[A-Za-z0-9+/]{{1,80}}={{0,2}}(?={between}-----END)|[A-Za-z0-9+/]{{16,80}}\Z))?"
        r"(?:{between}-----END [A-Z ]*PRIVATE KEY-----)?"
    ).format(between=r"(?:\s|\\[nr]|[\"'+-]){0,40}?"),
}
_COMPILED = {there: re.compile(look) for there, look in _LOOKS.items()}
_HEADER = re.compile(
    r"(?i)(authorization\s*[:=]\s*(?:bearer|basic|token)?\s*|bearer\s+)[A-Za-z0-9._~+/=-]{12,}"
)
_IN_URL = re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://)[\w.~%!$&*+=-]{0,200}:[\w.~%!$&*+=-]{1,400}@", re.I)


def is_credential(name: str) -> bool:
    """Whether a variable of this name holds a secret, as names go."""
    return _NAMES.search(name) is not None


class Redactor:
    """Knows the credentials of an environment, and takes them out of text.

    A value counts by its variable's name (`..._TOKEN`, `..._KEY` and their like). It is found as it is, in
    base64 (also within `user:password`), and as a URL or JSON would write it.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        held = {
            str(legible(value.strip()))
            for name, value in environ.items()
            if is_credential(name) and len(value.strip()) >= _LEAST and not value.startswith(("/", "~"))
        }
        held |= {line for value in held for line in value.split("\n") if len(line) >= _LINE}
        self._values = sorted(
            {form for value in held for form in _forms(value)}, key=lambda form: (-len(form), form)
        )

    def __call__(self, text: str) -> Clean:
        """Return `text` legible, with each credential replaced by a word that says so.

        Legible first: what stands between the characters of a credential and is not seen would hide it from us alone.
        """
        return self.hide(legible(text))

    def hide(self, text: Clean) -> Clean:
        """Return `text` with each credential replaced by a word that says so; as many lines as before."""
        if len(text) < _LEAST:
            return text
        said: str = text
        for value in self._values:
            if value in said:
                said = said.replace(value, _hidden(value))
        for there, look in _COMPILED.items():
            if there in said:
                said = look.sub(lambda found: _hidden(found[0]), said)
        if "earer" in said.lower() or "authorization" in said.lower():
            said = _HEADER.sub(rf"\1{HIDDEN}", said)
        return Clean(_IN_URL.sub(rf"\1{HIDDEN}@", said) if "://" in said else said)


def _hidden(secret: str) -> str:
    return HIDDEN + "\n" * secret.count("\n")


def _forms(value: str) -> Iterable[str]:
    yield value
    yield quote(value, safe="")
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    # base64 depends on where the value begins within a group of three bytes: what is the same in all cases
    for before in range(3):
        coded = base64.b64encode(b"x" * before + value.encode()).decode().rstrip("=")
        whole = coded[(0, 2, 3)[before] : len(coded) - 1]
        if len(whole) >= _LEAST:
            yield whole


_known = [Redactor({})]


def hold(environ: Mapping[str, str]) -> None:
    """Take the credentials of `environ` out of every text that is cleaned from now on."""
    _known[:] = [Redactor(environ)]


def known() -> Redactor:
    """Return what takes out the credentials that this process holds, and others by their looks."""
    return _known[0]
