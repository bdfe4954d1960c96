"""What each model takes, and what it answers with 400.

From the models' pages and "Troubleshooting thinking" (https://platform.claude.com/docs/en/models,
https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting) as of November 2026. Where they
say nothing, the stricter of two readings stands here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

EFFORTS = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True)
class Rules:
    """The rules of one model; lengths in tokens."""

    context: int = 1_000_000
    max_output: int = 128_000
    least_cached: int = 1024
    thinking: tuple[str, ...] = ("adaptive",)
    thinks: bool = True
    """Whether it thinks where the request says nothing."""
    most_effort_unthinking: str | None = "high"
    efforts: tuple[str, ...] = EFFORTS
    forced_tools: bool = False
    prefill: bool = False
    sampling: bool = False
    bound: bool = True
    """Whether its thinking only counts within the conversation that it was thought in."""


_5_5 = Rules()
_5 = replace(_5_5, thinking=("adaptive", "disabled"), bound=False, forced_tools=True)
_4_6 = replace(
    _5, thinking=("adaptive", "enabled", "disabled"), thinks=False, most_effort_unthinking=None, sampling=True
)
_4_5 = Rules(
    context=200_000, max_output=64_000, thinking=("enabled", "disabled"), thinks=False, bound=False, efforts=(),
    most_effort_unthinking=None, forced_tools=True, prefill=True, sampling=True,
)  # fmt: skip

MODELS: dict[str, Rules] = {
    "claude-fable-5-2": replace(_5_5, least_cached=512),
    "claude-fable-5-1": replace(_5_5, least_cached=512),
    "claude-fable-5": replace(_5_5, least_cached=512, bound=False, forced_tools=True),
    "claude-opus-5-5": replace(_5_5, least_cached=512),
    "claude-opus-5": replace(_5, least_cached=512),
    "claude-opus-4-8": replace(_5, thinks=False, most_effort_unthinking=None),
    "claude-opus-4-7": replace(_5, thinks=False, most_effort_unthinking=None, least_cached=4096),
    "claude-opus-4-6": replace(_4_6, least_cached=4096),
    "claude-opus-4-5": replace(_4_5, least_cached=4096, efforts=("low", "medium", "high")),
    "claude-opus-4-5-20251101": replace(_4_5, least_cached=4096, efforts=("low", "medium", "high")),
    "claude-sonnet-5-5": replace(_5_5, thinking=("adaptive", "between_tools")),
    "claude-sonnet-5": _5,
    "claude-sonnet-4-6": replace(_4_6, least_cached=2048),
    "claude-sonnet-4-5": _4_5,
    "claude-sonnet-4-5-20250929": _4_5,
    "claude-haiku-5-5": replace(_5_5, least_cached=512, thinking=("adaptive", "disabled"), forced_tools=True),
    "claude-haiku-4-5": replace(_4_5, least_cached=4096),
    "claude-haiku-4-5-20251001": replace(_4_5, least_cached=4096),
}
