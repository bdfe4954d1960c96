"""What the maker and the checker share: a model, a purse, a transcript, and bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.claude.client import Block, Claude, Effort
from bot.claude.conversation import Conversation, Listener
from bot.claude.spending import Purse
from bot.claude.talk import Patience, Talk
from bot.claude.tools import Tool

MAX_TOKENS = 24_000  # of one answer, what the model thinks before it included


@dataclass(frozen=True)
class Line:
    """How one role talks to its model. `purse` and `listener` are made for each conversation; `redact` takes
    credentials out of what is sent."""

    claude: Claude
    model: str
    purse: Callable[[int], Purse]
    listener: Callable[[int, str], Listener | None]
    redact: Callable[[str], str]
    effort: Effort | None = None
    patience: Patience = field(default_factory=Patience)

    def talk(
        self, experiment: int, system: Sequence[Mapping[str, Any]], tools: Sequence[Tool], final: str,
        opening: Sequence[Block], text: str,
    ) -> Any:  # fmt: skip
        """Hold one conversation about an experiment until the tool `final` has its result.

        Raises NoAnswer where none comes, UserError where a human has to mend something.
        """
        purse = self.purse(experiment)
        conversation = Conversation(
            self.claude,
            model=self.model,
            system=[self._safe(block) for block in system],
            tools=[tool.offered() for tool in tools],
            purse=purse,
            max_tokens=MAX_TOKENS,
            effort=self.effort,
            listener=self.listener(experiment, purse.conversation),
        )
        talk = Talk(conversation, tools, final, self.patience, self.redact)
        return talk.until_result(self.redact(text), [self._safe(block) for block in opening])

    def _safe(self, block: Mapping[str, Any]) -> Block:
        return {**block, "text": self.redact(str(block["text"]))}
