"""One role of a model, and what all roles share: a budget, a transcript, and bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.agents.claude.budget import Budget
from bot.agents.claude.client import Claude, Effort
from bot.agents.claude.conversation import Conversation, Listener
from bot.agents.claude.replies import Block
from bot.agents.claude.tool_loop import Patience, ToolLoop
from bot.agents.claude.tools import Tool

MAX_TOKENS = 24_000  # of one answer, what the model thinks before it included


@dataclass(frozen=True)
class ModelRole:
    """How one role asks its model. `budget` and `listener` are made for each conversation; `redact` takes
    credentials out of what is sent."""

    claude: Claude
    model: str
    budget: Callable[[int], Budget]
    listener: Callable[[int, str], Listener | None]
    redact: Callable[[str], str]
    effort: Effort | None = None
    patience: Patience = field(default_factory=Patience)

    def ask(
        self, experiment: int, system: Sequence[Mapping[str, Any]], tools: Sequence[Tool], final: str,
        opening: Sequence[Block], text: str,
    ) -> Any:  # fmt: skip
        """Hold one conversation about an experiment until the tool `final` has its result.

        Raises NoAnswer if none comes, UserError if a human has to fix something.
        """
        budget = self.budget(experiment)
        conversation = Conversation(
            self.claude,
            model=self.model,
            system=[self._safe(block) for block in system],
            tools=[tool.offered() for tool in tools],
            budget=budget,
            max_tokens=MAX_TOKENS,
            effort=self.effort,
            listener=self.listener(experiment, budget.conversation),
        )
        loop = ToolLoop(conversation, tools, final, self.patience, self.redact)
        return loop.until_result(self.redact(text), [self._safe(block) for block in opening])

    def _safe(self, block: Mapping[str, Any]) -> Block:
        return {**block, "text": self.redact(str(block["text"]))}
