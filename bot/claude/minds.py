"""The maker and the checker that a campaign's configuration asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Literal

from bot.agents.protocol import Proposer
from bot.claude.client import Claude
from bot.claude.conversation import Listener
from bot.claude.line import Line
from bot.claude.proposer import ClaudeProposer
from bot.claude.reviewer import ClaudeReviewer
from bot.claude.settings import caps, prices, unpriced
from bot.claude.spending import Purse
from bot.claude.transcript import conversations
from bot.loop.desk import Desk
from bot.loop.library import project_skills
from bot.redact import Redactor

Role = Literal["proposer", "reviewer"]


def with_claude(desk: Desk, fallback: Proposer, environ: Mapping[str, str]) -> Desk:
    """Return `desk` with the agents of its configuration, `fallback` where a model does not answer.

    Raises UserError where a model is asked for and no key is there.
    """
    config = desk.config
    project_skills(desk)  # a mistake in one shall be said now, not after the first runs
    claude = Claude(environ, note=desk.display.note)
    missing = unpriced(config)
    if missing is not None:
        desk.display.note(missing)
    made: Callable[[Role, str], Line] = partial(_line, desk, claude, environ)
    if config.proposer == "claude":
        maker = ClaudeProposer(made("proposer", config.models.proposer), fallback, desk.display.note)
        desk = replace(desk, proposer=maker)
    if config.reviewer == "claude":
        checker = ClaudeReviewer(made("reviewer", config.models.reviewer), desk.display.note)
        desk = replace(desk, reviewer=checker)
    return desk


def _line(desk: Desk, claude: Claude, environ: Mapping[str, str], role: Role, model: str) -> Line:
    redact = Redactor(environ)
    transcripts = conversations(desk.git.common_dir, desk.name, environ, redact)

    def purse(experiment: int) -> Purse:
        return Purse(
            experiment=experiment,
            role=role,
            caps=caps(desk.config),
            state=desk.ledger.refresh,
            record=lambda called: desk.ledger.append(lambda _: [called]),
            prices=prices(desk.config),
        )

    def listener(experiment: int, conversation: str) -> Listener:
        return transcripts.begin(experiment, role, conversation)

    return Line(claude, model, purse, listener, redact, desk.config.models.effort)
