"""`proposer: offline`: the search over the constants of the editable files."""

from __future__ import annotations

from bot.agents.protocol import Question
from bot.agents.registry import Setup
from bot.rules.proposal import Proposal


class OfflineProposer:
    """The offline search behind the proposer's protocol."""

    searches = True

    def propose(self, question: Question) -> Proposal | None:
        """Return the search's next step; None for a revision, because there is no wording of values to improve."""
        if question.revision is not None:
            return None
        from bot.agents.offline.search import (
            propose,  # half a second of imports that most commands don't need
        )

        return propose(
            question.files,
            question.history,
            seed=question.seed,
            number=question.number,
            ideas=question.ideas,
            rules=question.rules,
            gate=question.gate,
        )


def make(_setup: Setup) -> OfflineProposer:
    return OfflineProposer()
