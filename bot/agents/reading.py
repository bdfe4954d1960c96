"""Read from words what a proposal sets out to change.

A title of a few words ("embedding LR 0.8 to 0.9") and a paragraph that argues ("0.2 gave 1.10, so reducing
weight decay to 0.1 should help") are read differently: in a paragraph most numbers tell of the past, so each
value is weighed by the words around it, and only what is plainly meant to come is an aim. Nothing is an aim
where the words leave it open. The weights were fitted to recorded proposals (`tests/benchmarks/novelty.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from bot.agents.aims import Aim, Value, same_value, stem, tidied, words_of

_LONGEST = 4_000  # characters that are read; an argument has said by then what it wants
_VALUES = 120  # values from which a text is a table, and argues for nothing
_NEAR = 400  # characters before a value that speak of it
_SHORT = 18  # words up to which a text without a "should" is a title
_MEANT = 2.5  # weight from which a value in a paragraph is an aim
_BESIDE = 2.0  # a second aim of the same paragraph may weigh so much less
_LEADS = 2  # mentions that a word has more than the next one where nothing is said plainly

_NUMBER = r"(?<![\w.*/-])-?\d+(?:\.\d+)?(?:e-?\d+)?(?:\*\*\d+(?:\.\d+)?|/\d+)?(?:[kKmM]|x)?(?![\w*])"
_VALUE = re.compile(rf"(?P<number>{_NUMBER})|(?<!\w)['\"](?P<word>[A-Za-z][\w.-]*)['\"](?!\w)")
_NAMED = re.compile(
    r"\b[A-Za-z]{1,40}(?:_[A-Za-z0-9]{1,40}){1,8}"
    r"|(?:\b[a-z]{1,20} )?\blr\b|\bwd\b|\bbatch\b|\bwindow pattern\b|\bhead dim\b"
    r"|\bmomentum(?= (?:from |to |of |= ?)-?\d)"
    r"|\b(?:warmup|warmdown|dropout|softcap|depth|width|beta[12]|clip\w*|temperature|seed)\b",
    re.IGNORECASE,
)
_SHARE = re.compile(
    r"(?<!\d)(?P<share>\d{1,3}(?:\.\d{1,9})?)% (?P<part>(?:[a-z]+ )?(?:warmup|warmdown|cooldown|decay|dropout))\b",
    re.IGNORECASE,
)
# Numbers that are no settings: which experiment, what was measured, a share, a ratio.
_NOISE = re.compile(
    r"\b(?:iter(?:ation)?s?|experiments?|cycles?|runs?) #?\d+(?:(?:,? (?:and |to )?|-)\d+)*"
    r"|\b(?:bpb|loss|score|acc(?:uracy)?)(?: ?[=:]| of| from| to| at| around)? ?-?\d[\d.]{0,20}(?: to -?\d[\d.]{0,20})?"
    r"|-?\d[\d.]{0,20} (?:val_)?(?:bpb|loss)\b|\b\d\.\d{5,20}\b"
    r"|[+-]?\d[\d.]{0,20}(?:-\d{1,20})?%|±\d[\d.]{0,20}|\b\d{1,9}:\d{1,9}\b|\b\d{1,9}x (?=[a-z])"
    r"|\([^()]{0,120}\w_\w{1,40} ?=[^()]{0,200}\)|\([^()\d'\"]{0,200}\)",
    re.IGNORECASE,
)
_CHANGE = re.compile(
    r"\b(?:reduc(?:e|ing|tion)|increas(?:e|ing)|decreas(?:e|ing)|lower(?:ing)?|rais(?:e|ing)|chang(?:e|ing)"
    r"|switch(?:ing)?|revert(?:ing)?|return(?:ing)?|revisit(?:ing)?|mov(?:e|ing)|sett?(?:ing)?|test(?:ing)?"
    r"|explor(?:e|ing)|try(?:ing)?|add(?:ing)?|doubl(?:e|ing)|halv(?:e|ing)|adjust(?:ing|ment)|us(?:e|ing)"
    r"|focus(?:ing)?|continu(?:e|ing)|adopt(?:ing)?|replac(?:e|ing)|larger|smaller|more aggressive)\b",
    re.IGNORECASE,
)
_HOPE = re.compile(
    r"\b(?:should|may|might|could|will|would|potentially|explores?|continues|follows|tests whether)\b",
    re.IGNORECASE,
)
_PAST = re.compile(
    r"\b(?:show(?:s|ed|n)|history|gave|achieved|improved|worsened|degraded|produced|yielded|performed|tested"
    r"|caused|resulted|was|were|been|demonstrated|previous(?:ly)?|attempts?|tried|came)\b",
    re.IGNORECASE,
)
_STANDING = re.compile(
    r"\b(?:from|current(?:ly)?|baseline|original|than|between|and|vs\.?|optimi[sz]ed|optimal|maintaining|keeping|"
    r"tuned|with|uses?|used|both|given)[^.,;]{0,32}$",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"(?:\b(?:current(?:ly)?|baseline|original|than|while|although)\b[^.,;]{0,32}|\b(?:from|over|than) ['\"]?)$",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"(?:\bto|=|\bat|\bof|\(|\btest(?:ing)?|\bvalue|\btry|\bexploring|\baggressive|\bmidpoint)\W*$",
    re.IGNORECASE,
)
_BACK = re.compile(r"\b(?:revert|return|revisit)\w* [^.,;]{0,36}$", re.IGNORECASE)
_FIRST = re.compile(r"\W*(?:[A-Z]\w*ing|A(?:n?)\b.{0,30} (?:reduction|increase|adjustment|step))\b")
_IT = re.compile(r"ing it\b", re.IGNORECASE)
_ASSIGNED = re.compile(r"[A-Za-z]\w*(?:\[\d\])? ?= ?$")
_DOUBTED = re.compile(
    r"^['\")]* ?(?:\w+ ){0,2}(?:may|might|is|was|are|appears|seems|remains|could)(?: \w+)? (?:\w+ )?"
    r"(?:too|high|low|conservative|quite|extremely|relatively|restrictive|limiting)\b",
    re.IGNORECASE,
)
_HALF = re.compile(
    r"\b(?:reduc|decreas|lower)\w* (?P<what>[\w ]{1,40}?) (?:by half|by 50%)|\bhalving (?P<that>[\w ]{1,40})",
    re.IGNORECASE,
)
_UP = re.compile(r"\b(?:increas\w*|rais\w*|larger|higher|doubl\w*|add|adding|more)\b", re.IGNORECASE)
_DOWN = re.compile(r"\b(?:reduc\w*|decreas\w*|lower\w*|smaller|halv\w*|remov\w*|drop|less)\b", re.IGNORECASE)


@lru_cache(maxsize=16384)
def aims_of_text(text: str) -> tuple[Aim, ...]:
    """Return what `text` sets out to change; none where it does not say so plainly."""
    plain = tidied(text[:_LONGEST])
    if len(plain.split()) <= _SHORT and not _HOPE.search(plain):
        return _short(plain)
    return _argued(plain)


def _short(text: str) -> tuple[Aim, ...]:
    """Read a title: every number is meant, the last of `A to B`, and the words beside it name the part."""
    bare = re.sub(r"\([^()]*\)", " ", text)
    way = _way(bare)
    spans = list(re.finditer(rf"(?:(?:from )?{_NUMBER}%? to )?(?P<new>{_NUMBER}%?)", bare))
    if not spans:
        quoted = [found["word"] for found in _VALUE.finditer(bare) if found["word"]]
        if quoted:
            return (Aim(words_of(bare) - {stem(quoted[-1].lower())}, quoted[-1]),)
        return (Aim(words_of(bare), None, way),) if words_of(bare) else ()
    # What stands behind "with" after a value is said of the incumbent.
    tail = re.split(r"\bwith\b", bare[spans[-1].end() :])[0]
    if len(spans) == 1:
        before = bare[: spans[0].start()]
        return (Aim(words_of(before + " " + tail), _worth(spans[0]["new"]), way),)
    aims, start = [], 0
    for span in spans:
        aims.append(Aim(words_of(bare[start : span.start()]), _worth(span["new"])))
        start = span.end()
    return tuple(aims)


def _argued(text: str) -> tuple[Aim, ...]:
    """Read a paragraph: weigh every value by the words around it and keep what is meant to come."""
    text = _SHARE.sub(lambda found: f"{found['part']} ({float(found['share']) / 100:g})", text)
    text = _NOISE.sub(" ", text)
    if len(_VALUE.findall(text)) >= _VALUES:
        return ()
    topic = _topic(text)
    settings: dict[tuple[frozenset[str], Value], float] = {}
    words: dict[str, float] = {}
    favour: Counter[str] = Counter()
    earlier = ""
    for sentence in re.split(r"(?<=[.!?;])\s+(?=[A-Z'\"])", text):
        values = list(_VALUE.finditer(sentence))
        for place, found in enumerate(values):
            end = values[place + 1].start() if place + 1 < len(values) else len(sentence)
            start = values[place - 1].end() if place else 0
            weight = _weight(sentence, found.start(), found.end(), start, end)
            if found["word"]:
                words[found["word"]] = max(words.get(found["word"], -9.0), weight)
                aside = _ASIDE.search(sentence[: found.start()][-48:])
                favour[found["word"]] += -2 if aside else 2 if weight > 0 else 1
            else:
                before = sentence[max(0, found.start() - _NEAR) : found.start()]
                named = _part_before(before) or (_topic(earlier) if _IT.search(before) else frozenset())
                weight -= 0.0 if named else 0.25
                key = _known(settings, named or topic, _worth(found["number"]))
                settings[key] = max(settings.get(key, -9.0), weight)
        earlier = sentence
    for half in _HALF.finditer(text):
        _note_half(text, half, settings)
    return _plainest(settings, words) or _favoured(favour)


def _plainest(
    settings: dict[tuple[frozenset[str], Value], float], words: Mapping[str, float]
) -> tuple[Aim, ...]:
    """Return the values that weigh enough, one for each part."""
    best = max([*settings.values(), *words.values()], default=0.0)
    least = max(_MEANT, best - _BESIDE)
    ranked = sorted(words.items(), key=lambda pair: pair[1])
    aims = [Aim(frozenset(), word) for word, weight in ranked[-1:] if weight >= least]
    for key, weight in sorted(settings.items(), key=lambda pair: pair[1], reverse=True):
        twice = any(
            key[0] == aim.part or same_value(key[1], aim.value) for aim in aims if aim.value is not None
        )
        if weight >= least and (key[0] or not aims) and not twice:
            aims.append(Aim(key[0], key[1]))
    return tuple(aims)


def _favoured(favour: Counter[str]) -> tuple[Aim, ...]:
    """Return the word that a text comes back to in its favour, where it leads clearly."""
    ranked = [*favour.most_common(2), ("", -1)]
    clear = ranked[0][1] > 0 and ranked[0][1] - ranked[1][1] >= _LEADS
    return (Aim(frozenset(), ranked[0][0]),) if clear else ()


def _topic(text: str) -> frozenset[str]:
    """Return the part that a text names first, not as something that merely stands beside."""
    for found in _NAMED.finditer(text):
        if not text[: found.start()].endswith("with ") and words_of(found[0]):
            return words_of(found[0])
    return frozenset()


def _weight(sentence: str, start: int, end: int, floor: int, ceiling: int) -> float:
    """Weigh the value at `start`: what stands since the last value, and up to the next one, counts most."""
    near = max(0, start - _NEAR)
    before, between = sentence[near:start], sentence[max(floor, near) : start]
    after = sentence[end:ceiling]
    weight = 0.0
    changes = list(_CHANGE.finditer(between))
    onward = re.search(r"\bto ['\"]?$", before)
    if changes:
        weight += 2.0
        weight += 2.0 if _FIRST.match(sentence) else 0.0
    elif onward and _CHANGE.search(before):
        weight += 2.0  # "from A to B": A stands between
        weight += 2.0 if _FIRST.match(sentence) else 0.0
    if _LINK.search(before.rstrip("'\" ")):
        weight += 1.0
    if _HOPE.search(after[:160]):
        weight += 2.0
    elif _HOPE.search(before[-120:]):
        weight += 1.0
    told = _PAST.search(between if changes else before)
    if told and not (changes and told.start() < changes[-1].start()):
        weight -= 3.0
    if _PAST.search(after[:30]):
        weight -= 2.0
    if _STANDING.search(before[-48:]) and not onward and not _BACK.search(before):
        weight -= 3.0
    assigned = _ASSIGNED.search(before)
    if assigned and not _CHANGE.search(before[max(0, assigned.start() - 25) : assigned.start()]):
        weight -= 3.0
    if re.match(rf"['\"]? (?:to ['\"]?{_NUMBER}|to '|from\b)", sentence[end:]) or _DOUBTED.match(
        sentence[end:]
    ):
        weight -= 4.0
    return weight


def _part_before(words: str) -> frozenset[str]:
    named = [part for found in _NAMED.finditer(words) if (part := words_of(found[0]))]
    return named[-1] if named else frozenset()


def _known(
    settings: Mapping[tuple[frozenset[str], Value], float], part: frozenset[str], value: Value
) -> tuple[frozenset[str], Value]:
    return next((key for key in settings if key[0] == part and same_value(key[1], value)), (part, value))


def _note_half(text: str, half: re.Match[str], weights: dict[tuple[frozenset[str], Value], float]) -> None:
    """Give "reduce it by half" its value, from the last value said of the part."""
    part = _part_before(text[: half.end()])
    said = None
    for named in _NAMED.finditer(text[: half.end()]):
        number = re.match(rf"\s*(?:of|=|is|at|\()\s*({_NUMBER})", text[named.end() :])
        if words_of(named[0]) == part and number:
            said = _worth(number[1])
    if part and said is not None:
        weights[(part, said / 2)] = 5.0


def _worth(text: str) -> float:
    scale = {"k": 1e3, "m": 1e6, "x": 1.0, "%": 0.01}.get(text[-1].lower(), 0.0)
    number = text[:-1] if scale else text
    if "**" in number:
        base, power = (float(part) for part in number.split("**"))
        return float(base**power) if abs(base) <= 1024 and abs(power) <= 60 else 0.0
    if "/" in number:
        top, bottom = (float(part) for part in number.split("/"))
        return top / bottom if bottom else 0.0
    return float(number) * (scale or 1.0)


def _way(text: str) -> int:
    return bool(_UP.search(text)) - bool(_DOWN.search(text))
