"""Settings in YAML. Only the characters of a value are touched, so comments, anchors and layout stay."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from bot.agents.formats.site import (
    MAX_ELEMENTS,
    Site,
    behind,
    last_part,
    literal_value,
    number_literal,
    switched,
)

LONGEST = 200_000  # characters: the reader takes a second for so many
_DEEPEST = 40
_COMMENT = re.compile(r"[ \t,\]}]*[ \t]#+[ \t]*([^\r\n]*)")
# What YAML 1.1 takes for a float: without the point or the sign of the exponent it would be a text.
_FLOAT = re.compile(r"[-+]?(?:\d[\d_]*)\.[\d_]*(?:[eE][-+]\d+)?|[-+]?\.\d[\d_]*(?:[eE][-+]\d+)?")


def read(text: str) -> list[Site]:
    """Return the numbers, switches and texts of `text` with dotted names: `model.n_layer`, `betas[0]`."""
    if len(text) > LONGEST:
        return []
    try:
        roots = [root for root in yaml.compose_all(text, Loader=yaml.SafeLoader) if root is not None]
        return [
            site
            for place, root in enumerate(roots)
            for site in _sites(text, root, f"[{place}]" if len(roots) > 1 else "", set(), 0)
        ]
    except (yaml.YAMLError, RecursionError, ValueError):
        return []


def spell(literal: str, now: str) -> str:
    """Return a Python literal as YAML writes it, in the manner of what stands there now."""
    value = literal_value(literal)
    if isinstance(value, bool):
        return switched(value, now)
    if isinstance(value, str):
        if now[:1] in "'\"":
            quote = now[0]
            return quote + (value.replace("'", "''") if quote == "'" else value) + quote
        return value
    if isinstance(value, int):
        return literal if re.fullmatch(r"-?[\d_]+", literal) else str(value)
    plain = literal if number_literal(literal) else repr(value)
    return _as_float(plain) if _FLOAT.fullmatch(now) or not number_literal(now) else plain


def _as_float(plain: str) -> str:
    """Write a float so that every version of YAML takes it for one: `5e-05` as `5.0e-05`."""
    if _FLOAT.fullmatch(plain):
        return plain
    mantissa, _, exponent = plain.lower().partition("e")
    mantissa += "" if "." in mantissa else ".0"
    if not exponent:
        return mantissa
    return f"{mantissa}e{exponent if exponent[0] in '+-' else '+' + exponent}"


def _sites(text: str, node: yaml.Node, name: str, seen: set[int], depth: int) -> Iterator[Site]:
    if id(node) in seen or depth > _DEEPEST:
        return  # an alias: it was read where its anchor stands
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                inner = f"{name}.{key.value}" if name else key.value
                yield from _sites(text, value, inner, seen, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        if len(node.value) <= MAX_ELEMENTS:
            for place, value in enumerate(node.value):
                yield from _sites(text, value, f"{name}[{place}]", seen, depth + 1)
    elif isinstance(node, yaml.ScalarNode) and name:
        start, end = node.start_mark.index, node.end_mark.index
        literal = _literal(node, text[start:end])
        if literal is not None:
            yield Site(name, start, end, literal, last_part(name), comment=behind(_COMMENT, text, end))


def _literal(node: yaml.ScalarNode, written: str) -> str | None:
    kind = node.tag.rpartition(":")[2]
    if written.startswith(("!", "&")):
        return None  # a tag or an anchor belongs to what stands there
    if node.style in ("'", '"'):
        return repr(node.value) if re.fullmatch(r"[\w.+-]*", node.value) else None
    if node.style is not None:
        return None
    if kind == "bool":
        return str(node.value.lower() in ("true", "yes", "on"))
    if kind == "int" and re.fullmatch(r"[-+]?[1-9]\d*(?:_\d+)*|0", written):
        return written.removeprefix("+")
    if kind in ("int", "float", "str") and number_literal(written):
        return number_literal(written)
    if kind == "str" and re.fullmatch(r"[A-Za-z][\w.+-]*", written):
        return repr(written)
    return None
