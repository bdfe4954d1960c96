"""A grammar of hostile texts: what closes, opens, hides, splits, links, commands and leaks, each inside all others.

`«name»` in a rule is replaced by one of the texts that the rule of that name makes, down to a bounded depth; what it
makes is then spoiled: by characters that nobody sees, by other ends of lines, by look-alikes, by cuts and repeats.
A text tells which credentials it holds once all that can't be seen is gone.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.bot.hostile import CORPUS

# The credentials that this process holds, while texts are made and checked.
HELD = {
    "GITHUB_TOKEN": "kT9vQ2mX7pLw4sRz8NbY",
    "SLACK_WEBHOOK_URL": "https://hooks.slack.example/T0/B0/qwertyuiop",
    "DB_PASSWORD": "correct horse battery",
    "MODEL_API_KEY": "local_0123456789*abcdef_x",
}
INVISIBLE = (
    "\u200b\u200c\u200d\u2060\u2061\u2064\ufeff\xad\u034f\ufe0f\ufe00\u180e\u202a\u202c\u202e\u2066\u2069\u061c\u200e"
    "\U000e0061\U000e007f\U000e0100\u3164\uffa0\u115f\x00\x07\x08\x1b\x7f\x9b\x9d\ud800\udfff\ufffe"
)
SEPARATORS = ("\n", "\r", "\r\n", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e")
SPACES = "\xa0\u2003\u3000\u1680\u2800\ue000\U000f0000\t"
ESCAPES = (
    "\x1b[31m", "\x1b[0m", "\x1b[2J", "\x1b[1A", "\x1b]0;title\x07", "\x1b]8;;https://evil.example\x1b\\",
    "\x1b]8;;\x07",    "\x1b]52;c;ZXZpbA==\x07", "\x1bPq\x1b\\", "\x1b(0", "\x9b1m", "\x1b[", "\x1b", "\x1b]0;unended",
)  # fmt: skip
ALIKE = str.maketrans(
    {"`": "\u02cb\uff40\u2035"[1], "@": "\uff20", "#": "\uff03", "<": "\uff1c", "*": "\u2217"}
)
_DEPTH, _LONGEST = 5, 3_000

Rule = Sequence[str] | Callable[[random.Random], str]


def _fence(chance: random.Random) -> str:
    length = chance.choice((1, 2, 3, 3, 4, 5, 8, 40))
    return chance.choice("``~") * length


def _digits(chance: random.Random) -> str:
    return str(chance.randrange(10 ** chance.randint(1, 9)))


def _long(chance: random.Random) -> str:
    return chance.choice(
        ("A", "`", "|", "<b>", "((", "[", "\u5b66", "_*", "&", "://", "> ", "@a ", "\\")
    ) * chance.choice((50, 300, 1_000))


def _secret(chance: random.Random) -> str:
    """Return a credential in a form that its issuer prints, or one that is held."""

    def some(least: int, most: int | None = None, of: str = string.ascii_letters + string.digits) -> str:
        return "".join(chance.choices(of, k=chance.randint(least, most or least)))

    makers: tuple[Callable[[], str], ...] = (
        lambda: chance.choice([*HELD.values()]),
        lambda: quote(chance.choice([*HELD.values()]), safe=""),
        lambda: f"sk-ant-api03-{some(40, 90, string.ascii_letters + string.digits + '-_')}",
        lambda: f"sk-proj-{some(30, 60)}",
        lambda: f"gh{chance.choice('pousr')}_{some(36)}",
        lambda: f"github_pat_{some(22)}_{some(59)}",
        lambda: f"glpat-{some(20)}",
        lambda: f"xox{chance.choice('bpars')}-{some(11, of=string.digits)}-{some(24)}",
        lambda: f"xapp-1-{some(11)}-{some(30)}",
        lambda: f"https://hooks.slack.com/services/T{some(8)}/B{some(8)}/{some(24)}",
        lambda: f"AKIA{some(16, of=string.ascii_uppercase + string.digits)}",
        lambda: f"AIza{some(35)}",
        lambda: f"hf_{some(34)}",
        lambda: f"npm_{some(36)}",
        lambda: f"pypi-AgEIcHlwaS5vcmc{some(60)}",
        lambda: f"sk_live_{some(24)}",
        lambda: f"https://discord.com/api/webhooks/{some(18, of=string.digits)}/{some(60)}",
        lambda: f"eyJ{some(20)}.eyJ{some(30)}.{some(43)}",
        lambda: f"Bearer {some(32)}",
    )
    return chance.choice(makers)()


# What stands in place of a credential until all else is done, so that no other part of the text is taken for one.
_PLACE = "\ufdd0{}\ufdd1"

RULES: dict[str, Rule] = {
    **json.loads(Path(__file__).with_name("grammar.json").read_text()),
    "fence": _fence,
    "digits": _digits,
    "long": _long,
    "hex": lambda chance: f"{chance.getrandbits(64):016x}",
    "end": lambda chance: chance.choice(SEPARATORS if chance.random() < 0.5 else ("\n",)),
    "space": lambda chance: chance.choice(SPACES),
    "invisible": lambda chance: chance.choice(INVISIBLE),
    "escape": lambda chance: chance.choice(ESCAPES),
    "corpus": lambda chance: chance.choice(CORPUS)[:500],
}  # fmt: skip
_NAME = re.compile("«([a-z]+)»")


@dataclass(frozen=True)
class Hostile:
    """A text, and the credentials that stand in it whole for whoever does not see what can't be seen."""

    text: str
    secrets: tuple[str, ...] = ()


def generated(count: int, seed: int) -> Iterator[Hostile]:
    """Yield so many texts; the same for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        yield _one(chance)


def _one(chance: random.Random) -> Hostile:
    secrets: list[str] = []
    text = _expanded(chance, "text" if chance.random() < 0.9 else "block", 0, secrets)
    text = _spoiled(chance, text)[:_LONGEST]
    held = []
    for number, secret in enumerate(secrets):
        place = _PLACE.format(number)
        if place in text:
            shown, looked_for = _split(chance, secret)
            held.append(looked_for)
            text = text.replace(place, shown)
    return Hostile(text, tuple(held))


def _expanded(chance: random.Random, name: str, depth: int, secrets: list[str]) -> str:
    if name == "secret":
        secrets.append(_secret(chance))
        return _PLACE.format(len(secrets) - 1)
    rule = RULES[name]
    if callable(rule):
        return rule(chance)
    if depth >= _DEPTH and name in ("text", "inside", "block"):
        rule = RULES["piece"]
        assert not callable(rule)
    return _NAME.sub(lambda found: _expanded(chance, found[1], depth + 1, secrets), chance.choice(rule))


def _spoiled(chance: random.Random, text: str) -> str:
    """Return a text with some of what readers see differently, or not at all, but for where credentials stand."""
    kind = chance.random()
    if kind < 0.25:  # here and there something unseen
        share = chance.choice((0.02, 0.1, 0.5))
        return _letter_by_letter(
            text, lambda each: each + chance.choice(INVISIBLE) if chance.random() < share else each
        )
    if kind < 0.4:  # one unseen character inside every mark, as between backticks
        inside = chance.choice(INVISIBLE)
        return _letter_by_letter(text, lambda each: each + inside if each in "`~<>#@-*[]|:&" else each)
    if kind < 0.5:
        return text.replace("\n", chance.choice(SEPARATORS))
    if kind < 0.55:
        return text.translate(ALIKE)
    if kind < 0.6:
        return text[: chance.randrange(len(text) + 1)]
    if kind < 0.63:
        return f"{chance.choice(SEPARATORS) * 3}{text}"
    if kind < 0.66:
        return text * chance.randint(2, 6)
    return text


def _letter_by_letter(text: str, change: Callable[[str], str]) -> str:
    parts = re.split("(\ufdd0\\d+\ufdd1)", text)
    return "".join(part if at % 2 else "".join(map(change, part)) for at, part in enumerate(parts))


def _split(chance: random.Random, secret: str) -> tuple[str, str]:
    """Return a credential as it is, coded, or with something unseen between its characters; and what gives it away."""
    kind = chance.random()
    if kind < 0.3:
        return secret, secret
    if kind < 0.35 and secret in HELD.values():
        coded = base64.b64encode(f"x-access-token:{secret}".encode()).decode()
        return coded, coded[24:-4]
    unseen = [*INVISIBLE.translate(dict.fromkeys((0x1B, 0x9B, 0x9D))), *ESCAPES[:9]]
    share = chance.choice((0.05, 0.3, 1.0))
    shown = "".join(each + (chance.choice(unseen) if chance.random() < share else "") for each in secret)
    return shown, secret
