"""Takes credentials out of what is written down: those we hold, by value, and others by how they look."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from bot.base.text import Clean, clean

HIDDEN = "[secret]"
_LEAST = 8  # characters: a shorter value is no credential, and would take words out of sentences
_NAMES = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIAL|WEBHOOK|(?:^|_)(?:KEY|PAT)$|AUTH",
    re.I,
)
# What issuers print in their documentation: Anthropic, GitHub, Slack, AWS, OpenAI-like, Hugging Face, JWT, PEM.
_LOOKS = re.compile(
    r"sk-[A-Za-z0-9_-]{16,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
    r"|xox[a-z]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}|hooks\.slack\.com/(?:services|workflows)/[\w/-]+"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|hf_[A-Za-z0-9]{20,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.S,
)
_HEADER = re.compile(
    r"(?i)\b(authorization\s*[:=]\s*(?:bearer|basic|token)?\s*|bearer\s+)[A-Za-z0-9._~+/=-]{12,}"
)
_IN_URL = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s:@]+:[^/\s@]+@", re.I)


class Redactor:
    """Knows the credentials of an environment, and takes them out of text.

    A value counts by its variable's name (`..._TOKEN`, `..._KEY` and their like). It is found as it is, in
    base64 (also within `user:password`), and as a URL or JSON would write it.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        held = {
            clean(value.strip())
            for name, value in environ.items()
            if _NAMES.search(name) and len(value.strip()) >= _LEAST and not value.startswith(("/", "~"))
        }
        forms = {form for value in held for form in _forms(value)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._values = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> Clean:
        """Return `text` cleaned, with each credential replaced by a word that says so.

        Cleaned first: what stands between the characters of a credential and is not seen would hide it from us alone.
        """
        text = clean(text)
        if self._values is not None:
            text = self._values.sub(HIDDEN, text)
        text = _LOOKS.sub(HIDDEN, text)
        text = _HEADER.sub(rf"\1{HIDDEN}", text)
        return Clean(_IN_URL.sub(rf"\1{HIDDEN}@", text))


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
