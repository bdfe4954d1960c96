"""Reads the file: every mistake ends in one line that names file, key and fix."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bot.config.keys import Config, ConfigFile
from bot.config.yaml_text import load
from bot.errors import UserError

CONFIG_PATH = ".github/nocturne.yml"
RESERVED_NAMES = ("ledger", "exp")
_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_UNSAFE = re.compile(r"[^\w./+=-]|^-$")  # what a list in one line must quote
Model = TypeVar("Model", bound=BaseModel)


def parse(text: str, *, campaign: str | None = None, source: str = CONFIG_PATH) -> tuple[str, Config]:
    """Return the name and configuration of the campaign that `text` (YAML) describes.

    `campaign` is needed if the file names several. Raises UserError with file, key and fix.
    """
    data = _load(text, source)
    whole = _validate(ConfigFile, data, source, "")
    campaigns = whole.campaigns
    for name in campaigns:
        if name in RESERVED_NAMES:
            raise UserError(f"{source}: campaigns.{name}: this name is taken by Nocturne, choose another")
    if not campaigns:
        if campaign not in (None, "main"):
            raise UserError(f"{source}: there is no campaign {campaign!r}: name it under `campaigns:`")
        return "main", _validate(Config, {k: v for k, v in data.items() if k != "campaigns"}, source, "")
    names = ", ".join(sorted(campaigns))
    if campaign is None and len(campaigns) > 1:
        raise UserError(f"{source}: several campaigns ({names}): choose one with --campaign NAME")
    chosen = campaign or next(iter(campaigns))
    if chosen not in campaigns:
        raise UserError(f"{source}: there is no campaign {chosen!r}, there are: {names}")
    shared = {key: value for key, value in data.items() if key != "campaigns"}
    merged = _merge(shared, campaigns[chosen] or {})
    return chosen, _validate(Config, merged, source, f"campaigns.{chosen}.")


def campaigns(text: str, *, source: str = CONFIG_PATH) -> list[str]:
    """Return the names of the campaigns that `text` (YAML) describes, sorted; "main" if it names none."""
    named = _load(text, source).get("campaigns")
    names = sorted(named) if isinstance(named, dict) and named else ["main"]
    parse(text, campaign=names[0], source=source)
    return names


def front_matter(model: type[Model], text: str, source: str) -> tuple[Model, str]:
    """Return what the head of a Markdown file says between its `---` lines, and the text below it.

    Without a head all is default. Raises UserError with file, key and fix.
    """
    found = _FRONT.match(text)
    if found is None and text.startswith("---"):
        raise UserError(f"{source}: front matter begins with --- and never ends: add a line --- below it")
    if found is None:
        return model(), text
    where = f"{source}: front matter"
    return _validate(model, _load(found[1], where, above=1), where, ""), text[found.end() :]


def _load(text: str, source: str, above: int = 0) -> dict[str, Any]:
    """Read YAML that stands below so many lines; nothing has no keys."""
    data = load(text, source, above)
    if data is not None and not isinstance(data, dict):
        raise UserError(f"{source}: holds a {type(data).__name__}, expected `key: value` lines")
    return data or {}


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _validate(model: type[Model], data: Mapping[str, Any], source: str, prefix: str) -> Model:
    try:
        return model.model_validate(_plain(data))
    except ValidationError as error:
        raise UserError(f"{source}: {prefix}{_say(model, error)}") from None


def _plain(value: Any) -> Any:
    """YAML reads `2026-11-30` as a date and integers for floats: give pydantic's strict mode what was meant."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return (
        value.isoformat(timespec="minutes")
        if hasattr(value, "hour")
        else (value.isoformat() if hasattr(value, "isoformat") else value)
    )


def _say(model: type[BaseModel], error: ValidationError) -> str:
    """Put the first mistake into one line: key, what is wrong, the fix."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"] if not str(part).startswith("function-")]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        known = _keys_at(model, path[:-1])
        close = difflib.get_close_matches(path[-1], known, n=1)
        fix = f"did you mean `{close[0]}`?" if close else f"known keys: {', '.join(known)}"
        return f"{key}: unknown key, {fix}"
    given = first.get("input")
    if first["type"] == "string_pattern_mismatch":
        wanted = first["ctx"]["pattern"]
        return f"{key}: should match {wanted!r}, not {given!r}: {_description(model, path)}"
    message = re.sub(r"^(Input|Value error,) ?", "", first["msg"]).strip()
    whole = first["type"] == "value_error" and isinstance(given, list)  # the message names the item
    shown = "" if whole or isinstance(given, (dict, BaseModel)) else f", not {given!r}"
    if first["type"] == "list_type" and isinstance(given, str):
        words = given.split() if path[-1] in ("command", "produce", "launch") else [given]
        shown += (
            f": write [{', '.join(json.dumps(word) if _UNSAFE.search(word) else word for word in words)}]"
        )
    return f"{key}: {message}{shown}" if key else f"{message}{shown}"


def _description(model: type[BaseModel], path: Sequence[str]) -> str:
    """Return what the documentation says of a key."""
    for part in path[:-1]:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    about = model.model_fields.get(path[-1])
    return " ".join(
        (about.description if about is not None and about.description else "see `nocturne init`").split()
    )


def _keys_at(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    for part in path:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        model = annotation
    return list(model.model_fields)
