"""The agents of a campaign's configuration, made for one process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.agents.registry import Setup, make_proposer, make_researcher, make_reviewer
from bot.loop.context import Context
from bot.loop.hosting import Host
from bot.loop.library import project_skills


def with_agents(context: Context, environ: Mapping[str, str]) -> Context:
    """Return `context` with the agents of its configuration. Raises UserError if one of them can't work here."""
    config, ledger = context.config, context.ledger
    setup = Setup(
        campaign=context.name,
        config=config,
        environ=environ,
        folder=context.git.common_dir,
        state=ledger.refresh,
        record=lambda called: ledger.append(lambda _: [called]),
        note=context.display.note,
        skills=lambda: project_skills(context),
    )
    reviewer = make_reviewer(config.reviewer, setup)
    researcher = None
    if config.outer == "generated":
        Host(config.evaluator.jail).require()
        researcher = make_researcher(setup)
    proposer = make_proposer(config.proposer, setup)
    return replace(context, proposer=proposer, reviewer=reviewer, researcher=researcher)
