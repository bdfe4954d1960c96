"""What was said to a model and by it, as Markdown for a human, without credentials.

Kept in the clone's nocturne folder, never in git; in a workflow also where the job uploads it from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.base.process import in_actions
from bot.base.text import Clean, fenced, literal, one_line
from bot.errors import UserError

if TYPE_CHECKING:  # who only reads transcripts needs no client
    from bot.agents.claude.replies import Reply

ARTIFACT_FOLDER = "nocturne-conversations"
KEPT = 200
_LONGEST_PART = 40_000  # characters of one block that are kept


def folder_of(common_dir: Path, campaign: str) -> Path:
    """Return the folder of a campaign's transcripts in the clone whose git folder is `common_dir`."""
    return common_dir / "nocturne" / campaign / "conversations"


def conversations_of(common_dir: Path, campaign: str, experiment: int) -> list[str]:
    """Return the transcripts of an experiment that this clone has, oldest first."""
    found = folder_of(common_dir, campaign).glob(f"{experiment:06d}-*.md")
    paths = sorted(found, key=lambda path: path.stat().st_mtime_ns)
    return [path.read_text(encoding="utf-8", errors="replace") for path in paths]


def transcripts_of(common_dir: Path, campaign: str) -> dict[int, list[str]]:
    """Return all transcripts that this clone has by experiment, each one's oldest first."""
    found = folder_of(common_dir, campaign).glob("*.md")
    numbers = {int(path.name[:6]) for path in found if re.match(r"\d{6}-", path.name)}
    return {number: conversations_of(common_dir, campaign, number) for number in sorted(numbers)}


class Conversations:
    """The folder with a campaign's transcripts."""

    def __init__(self, folder: Path, *, redact: Callable[[str], Clean], also: Path | None = None) -> None:
        self.folder = folder
        self._also = also
        self._redact = redact

    def begin(self, experiment: int, role: str, conversation: str) -> Transcript:
        """Return a new transcript, and give the space of the oldest ones back."""
        name = f"{experiment:06d}-{role}-{conversation}.md"
        paths = [place / name for place in (self.folder, self._also) if place is not None]
        for path in paths:
            _ready(path.parent)
        _prune(self.folder)
        return Transcript(paths, f"Experiment {experiment}: {role}", self._redact)


def conversations(
    common_dir: Path, campaign: str, environ: Mapping[str, str], redact: Callable[[str], Clean]
) -> Conversations:
    """Return the transcripts' folder of `campaign` in the clone whose git folder is `common_dir`."""
    temporary = environ.get("RUNNER_TEMP")
    also = Path(temporary) / ARTIFACT_FOLDER if temporary and in_actions(environ) else None
    return Conversations(folder_of(common_dir, campaign), redact=redact, also=also)


class Transcript:
    """One conversation, written part by part, so that what was said survives whatever ends it."""

    def __init__(self, paths: Sequence[Path], title: str, redact: Callable[[str], Clean]) -> None:
        self._paths = paths
        self._redact = redact
        self._write([f"# {title}"])

    def system(self, model: str, blocks: Sequence[Mapping[str, Any]], tools: Sequence[str]) -> None:
        lines = [
            f"Model: {self._word(model, 128)}. Tools: {', '.join(tools) or 'none'}.",
            "",
            "## Instructions",
            "",
        ]
        for block in blocks:
            lines += [*self._quoted(str(block.get("text", ""))), ""]
        self._write(lines)

    def said(self, content: Sequence[Mapping[str, Any]]) -> None:
        lines = ["## Nocturne", ""]
        for block in content:
            if block["type"] == "tool_result":
                failed = ", which failed" if block.get("is_error") else ""
                lines += [f"Result of {self._word(block['tool_use_id'], 80)}{failed}:", ""]
                lines += [*self._quoted(str(block.get("content", ""))), ""]
            else:
                lines += [*self._quoted(str(block.get("text", ""))), ""]
        self._write(lines)

    def answered(self, reply: Reply) -> None:
        lines = ["## Claude", ""]
        for block in reply.content:
            if block["type"] == "thinking" and block.get("thinking"):
                lines += ["Thinking, in the provider's summary:", "", *self._quoted(block["thinking"]), ""]
            elif block["type"] == "text":
                lines += [*self._quoted(block["text"]), ""]
            elif block["type"] == "tool_use":
                lines += [f"Calls {self._word(block['name'], 64)} ({self._word(block['id'], 80)}):", ""]
                lines += [*self._quoted(_legible(block["input"])), ""]
        used = reply.usage
        lines.append(
            f"Ended with {self._word(reply.stop_reason, 40)}; {used.prompt_tokens:,} tokens read,"
            f" {used.cache_read_tokens:,} of them from the cache; {used.output_tokens:,} written."
        )
        self._write(lines)

    def note(self, text: str) -> None:
        """Write down what happened besides talk: a failure, a fallback, a verdict."""
        self._write([f"*{self._word(text, 500)}*"])

    def _quoted(self, text: str) -> list[str]:
        said = self._redact(text)
        if len(said) > _LONGEST_PART:
            said = Clean(f"{said[:_LONGEST_PART]}\n… {len(said) - _LONGEST_PART:,} more characters")
        return fenced(Clean(said.removesuffix("\n")), "text")

    def _word(self, text: object, limit: int) -> str:
        return literal(Clean(one_line(self._redact(str(text)), limit)))

    def _write(self, lines: Sequence[str]) -> None:
        for path in self._paths:
            try:
                with path.open("a", encoding="utf-8", errors="replace") as file:
                    file.write("\n".join(lines).rstrip("\n") + "\n\n")
            except OSError as error:
                raise UserError(
                    f"{path}: can't write ({error.strerror}): free space or fix the rights"
                ) from None


def _legible(given: Mapping[str, Any]) -> str:
    """Return a tool's input so that program text in it stands on its own lines."""
    parts = []
    for name, value in given.items():
        if isinstance(value, str):
            said = value
        else:
            said = json.dumps(value, ensure_ascii=False, indent=1).replace("\\n", "\n")
        parts.append(f"{name}:\n{said}" if "\n" in said else f"{name}: {said}")
    return "\n".join(parts)


def _ready(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: can't write ({error.strerror}): free space or fix the rights") from None


def _prune(folder: Path) -> None:
    kept = sorted(folder.glob("*.md"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for old in kept[KEPT:]:
        old.unlink(missing_ok=True)
