"""Whether a candidate is the incumbent's tree plus editable files, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from bot.loop.context import Context
from bot.rules.campaign import Campaign
from bot.rules.scope import FileChange, violations


def objections(
    context: Context, campaign: Campaign, commit: str, *, parent: str | None = None, named: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return why `commit` may not be run as a candidate, one line each; nothing where it may.

    None means that the tree of `commit` is, object for object, the tree of an incumbent with the contents of
    editable files replaced. `parent` is the incumbent that the ledger names; without it git's word is taken.
    The paths `named` by a proposal count as changed: its own list can accuse it, never excuse it.
    """
    tree, parents = context.git.tree_and_parents(commit)
    base = parents[0] if parents else ""
    if len(parents) != 1 or base not in campaign.incumbents or parent not in (None, base):
        return ("the candidate is not one commit on top of the incumbent",)
    editable = context.config.editable
    changes = context.git.file_changes(base, commit)
    changed = {change.path for change in changes}
    unseen = sorted(path for path in named if path not in editable and path not in changed)
    claimed = [FileChange(path, "M", "100644", "100644", "", "") for path in unseen]
    reasons = violations([*changes, *claimed], editable)
    # A hand-made tree may hide empty folders, a name twice or an odd mode from its diff, not from its own name.
    if not reasons and tree != context.git.tree_with(base, commit, editable):
        return ("the candidate's tree holds more than its diff shows",)
    return reasons
