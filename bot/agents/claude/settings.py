"""From the configuration to a role of a campaign: model, caps, prices, transcripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bot.agents.claude.budget import Budget, Caps
from bot.agents.claude.client import Claude, Effort
from bot.agents.claude.conversation import Conversation, Listener
from bot.agents.claude.prices import TokenUsage, cost_usd
from bot.agents.claude.replies import Block
from bot.agents.claude.tool_loop import Patience, ToolLoop
from bot.agents.claude.tools import Tool
from bot.agents.claude.transcripts import conversations
from bot.agents.registry import Setup
from bot.base.redact import Redactor
from bot.config import Config

MAX_TOKENS = 24_000  # of one answer, what the model thinks before it included


def caps(config: Config) -> Caps:
    """Return the caps of `models` and `stop` for the roles that work on experiments."""
    return Caps(
        experiment_usd=config.models.experiment_usd,
        night_usd=config.models.night_usd,
        campaign_usd=config.stop.cost_usd,
        experiment_tokens=config.models.experiment_tokens,
    )


def research_caps(config: Config) -> Caps:
    """Return the caps for the researcher, who works on no experiment."""
    return replace(caps(config), experiment_usd=None, researcher_usd=config.models.researcher_usd)


def unpriced(config: Config, model: str) -> str | None:
    """Return a sentence on a model whose price nobody knows, None if it is known."""
    if cost_usd(model, TokenUsage(), config.models.prices) is not None:
        return None
    return (
        f"the price of {model} is not known: tokens are counted, and no cap of money holds;"
        " give it under models.prices"
    )


def campaign_role(setup: Setup, role: Literal["proposer", "reviewer", "researcher"], model: str) -> ModelRole:
    """Return a role of a campaign, paid within its caps. Raises UserError if no key is there, or a skill is wrong."""
    setup.skills()  # a mistake in one shall be said now, not after the first runs
    config, redact = setup.config, Redactor(setup.environ)
    transcripts = conversations(setup.folder, setup.campaign, setup.environ, redact)
    claude = Claude(setup.environ, note=setup.note)
    missing = unpriced(config, model)
    if missing is not None:
        setup.note(missing)

    def budget(experiment: int) -> Budget:
        if role == "researcher":
            return Budget(None, role, research_caps(config), setup.state, setup.record, config.models.prices)
        return Budget(experiment, role, caps(config), setup.state, setup.record, config.models.prices)

    def listener(experiment: int, conversation: str) -> Listener:
        return transcripts.begin(experiment, role, conversation)

    return ModelRole(claude, model, budget, listener, redact, config.models.effort, note=setup.note)


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
    note: Callable[[str], None] = lambda _: None
    noted: set[str] = field(default_factory=set)

    def note_once(self, said: str, why: str) -> None:
        """Tell a human of an answer that did not come, the first time that it is for this reason."""
        if why not in self.noted:
            self.noted.add(why)
            self.note(said)

    def ask(
        self, experiment: int, system: Sequence[Mapping[str, Any]], tools: Sequence[Tool], final: str,
        opening: Sequence[Block], text: str,
    ) -> Any:  # fmt: skip
        """Hold one conversation about an experiment until the tool `final` has its result.

        Raises NoAnswer if none comes.
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
