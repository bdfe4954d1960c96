"""The maker and the checker that a campaign's configuration asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Literal

from bot.agents.claude.budget import Budget
from bot.agents.claude.client import Claude
from bot.agents.claude.conversation import Listener
from bot.agents.claude.proposer import ClaudeProposer
from bot.agents.claude.reviewer import ClaudeReviewer
from bot.agents.claude.role import ModelRole
from bot.agents.claude.settings import caps, prices, unpriced
from bot.agents.claude.transcripts import conversations
from bot.agents.protocol import Proposer
from bot.loop.context import Context
from bot.loop.library import project_skills
from bot.redact import Redactor

Role = Literal["proposer", "reviewer"]


def with_claude(context: Context, fallback: Proposer, environ: Mapping[str, str]) -> Context:
    """Return `context` with the agents of its configuration, `fallback` where a model does not answer.

    Raises UserError where a model is asked for and no key is there.
    """
    config = context.config
    project_skills(context)  # a mistake in one shall be said now, not after the first runs
    claude = Claude(environ, note=context.display.note)
    missing = unpriced(config)
    if missing is not None:
        context.display.note(missing)
    made: Callable[[Role, str], ModelRole] = partial(_role, context, claude, environ)
    if config.proposer == "claude":
        maker = ClaudeProposer(made("proposer", config.models.proposer), fallback, context.display.note)
        context = replace(context, proposer=maker)
    if config.reviewer == "claude":
        checker = ClaudeReviewer(made("reviewer", config.models.reviewer), context.display.note)
        context = replace(context, reviewer=checker)
    return context


def _role(context: Context, claude: Claude, environ: Mapping[str, str], role: Role, model: str) -> ModelRole:
    redact = Redactor(environ)
    transcripts = conversations(context.git.common_dir, context.name, environ, redact)

    def budget(experiment: int) -> Budget:
        return Budget(
            experiment=experiment,
            role=role,
            caps=caps(context.config),
            state=context.ledger.refresh,
            record=lambda called: context.ledger.append(lambda _: [called]),
            prices=prices(context.config),
        )

    def listener(experiment: int, conversation: str) -> Listener:
        return transcripts.begin(experiment, role, conversation)

    return ModelRole(claude, model, budget, listener, redact, context.config.models.effort)
