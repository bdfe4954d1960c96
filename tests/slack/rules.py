"""Slack's rules for blocks and messages. https://docs.slack.dev/reference/block-kit/blocks"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

MOST_TEXT = 40_000  # https://docs.slack.dev/changelog/2018-truncating-really-long-messages
MOST_BLOCKS = 50
# https://github.com/slackapi/bolt-js/issues/2509
MOST_IN_ALL = 13_000
_FILE = re.compile(r"^F[A-Z0-9]{8,}$")
_URL = re.compile(r"https?://\S+")


class Invalid(Exception):
    """What Slack objects to, with the JSON pointer of the place."""


def check_blocks(blocks: Any, has_file: Callable[[str], bool]) -> None:
    """Raise `Invalid` for blocks that Slack would refuse. `has_file` says whether a file can be shown."""
    if not isinstance(blocks, list):
        raise Invalid("must be an array [json-pointer:/blocks]")
    if len(blocks) > MOST_BLOCKS:
        raise Invalid(f"no more than {MOST_BLOCKS} items allowed [json-pointer:/blocks]")
    seen: set[str] = set()
    for number, block in enumerate(blocks):
        where = f"/blocks/{number}"
        if not isinstance(block, dict) or block.get("type") not in _BLOCKS:
            raise Invalid(
                f"unsupported type: {block.get('type') if isinstance(block, dict) else block} {where}"
            )
        name = block.get("block_id")
        if name is not None and (not isinstance(name, str) or len(name) > 255 or name in seen):
            raise Invalid(f"invalid block_id [json-pointer:{where}/block_id]")
        seen.add(name or f"#{number}")
        _BLOCKS[block["type"]](block, where, has_file)


def too_long(blocks: Any) -> bool:
    """Whether blocks are refused for their length in sum."""
    return len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":"))) > MOST_IN_ALL


def check_metadata(metadata: Any) -> str | None:
    """Return Slack's error for a message's metadata, None where it is good."""
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        return "invalid_metadata_format"
    if not isinstance(metadata.get("event_type"), str) or not re.fullmatch(
        r"\w[\w.]*", metadata["event_type"]
    ):
        return "invalid_metadata_schema"
    return "metadata_too_large" if len(json.dumps(metadata)) > 8192 else None


def _keys(thing: Mapping[str, Any], where: str, *allowed: str) -> None:
    for key in thing:
        if key not in allowed:
            raise Invalid(f"no more keys allowed: {key} [json-pointer:{where}]")


def _text(thing: Any, where: str, most: int, *kinds: str) -> None:
    if not isinstance(thing, dict) or thing.get("type") not in (kinds or ("plain_text", "mrkdwn")):
        raise Invalid(f"unsupported text type [json-pointer:{where}]")
    own = "emoji" if thing["type"] == "plain_text" else "verbatim"
    _keys(thing, where, "type", "text", own)
    if not isinstance(thing.get("text"), str) or not thing["text"]:
        raise Invalid(f"must be more than 0 characters [json-pointer:{where}/text]")
    if len(thing["text"]) > most:
        raise Invalid(f"must be less than {most + 1} characters [json-pointer:{where}/text]")
    if own in thing and not isinstance(thing[own], bool):
        raise Invalid(f"must be a boolean [json-pointer:{where}/{own}]")


def _header(block: Mapping[str, Any], where: str, _: Any) -> None:
    _keys(block, where, "type", "text", "block_id")
    _text(block.get("text"), f"{where}/text", 150, "plain_text")


def _section(block: Mapping[str, Any], where: str, has_file: Any) -> None:
    _keys(block, where, "type", "text", "fields", "accessory", "block_id", "expand")
    if "text" not in block and "fields" not in block:
        raise Invalid(f"missing required field: text [json-pointer:{where}]")
    if "text" in block:
        _text(block["text"], f"{where}/text", 3000)
    if "fields" in block:
        fields = block["fields"]
        if not isinstance(fields, list) or not 1 <= len(fields) <= 10:
            raise Invalid(f"no more than 10 items allowed [json-pointer:{where}/fields]")
        for number, field in enumerate(fields):
            _text(field, f"{where}/fields/{number}", 2000)
    if "accessory" in block:
        _element(block["accessory"], f"{where}/accessory", has_file)


def _context(block: Mapping[str, Any], where: str, has_file: Any) -> None:
    _keys(block, where, "type", "elements", "block_id")
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= 10:
        raise Invalid(f"no more than 10 items allowed [json-pointer:{where}/elements]")
    for number, element in enumerate(elements):
        place = f"{where}/elements/{number}"
        if isinstance(element, dict) and element.get("type") == "image":
            _image(element, place, has_file)
        else:
            _text(element, place, 3000)


def _image(block: Mapping[str, Any], where: str, has_file: Callable[[str], bool]) -> None:
    _keys(block, where, "type", "image_url", "slack_file", "alt_text", "title", "block_id")
    if not isinstance(block.get("alt_text"), str) or not 1 <= len(block["alt_text"]) <= 2000:
        raise Invalid(f"missing required field: alt_text [json-pointer:{where}]")
    if ("image_url" in block) == ("slack_file" in block):
        raise Invalid(f"one of image_url and slack_file [json-pointer:{where}]")
    if "image_url" in block and not (_URL.fullmatch(block["image_url"]) and len(block["image_url"]) <= 3000):
        raise Invalid(f"invalid url [json-pointer:{where}/image_url]")
    if "slack_file" in block:
        file = block["slack_file"].get("id", "")
        if not _FILE.match(file):
            raise Invalid(
                f"input must match regex pattern: ^[F][A-Z0-9]{{8,}}$ [json-pointer:{where}/slack_file/id]"
            )
        if not has_file(file):
            raise Invalid(f"invalid slack file [json-pointer:{where}/slack_file]")
    if "title" in block:
        _text(block["title"], f"{where}/title", 2000, "plain_text")


def _actions(block: Mapping[str, Any], where: str, has_file: Any) -> None:
    _keys(block, where, "type", "elements", "block_id")
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= 25:
        raise Invalid(f"no more than 25 items allowed [json-pointer:{where}/elements]")
    for number, element in enumerate(elements):
        _element(element, f"{where}/elements/{number}", has_file)


def _element(element: Any, where: str, has_file: Any) -> None:
    kind = element.get("type") if isinstance(element, dict) else None
    if kind == "image":
        _image(element, where, has_file)
        return
    if kind != "button":
        raise Invalid(f"unsupported type: {kind} [json-pointer:{where}]")
    _keys(element, where, "type", "text", "url", "value", "style", "action_id", "accessibility_label")
    _text(element.get("text"), f"{where}/text", 75, "plain_text")
    if "url" in element and not (_URL.fullmatch(element["url"]) and len(element["url"]) <= 3000):
        raise Invalid(f"invalid url [json-pointer:{where}/url]")
    if len(element.get("value", "")) > 2000 or element.get("style", "primary") not in ("primary", "danger"):
        raise Invalid(f"invalid button [json-pointer:{where}]")


def _divider(block: Mapping[str, Any], where: str, _: Any) -> None:
    _keys(block, where, "type", "block_id")


_BLOCKS: Mapping[str, Callable[[Mapping[str, Any], str, Callable[[str], bool]], None]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "image": _image,
    "actions": _actions,
    "divider": _divider,
}
