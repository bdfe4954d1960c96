"""The commits under test: built from what the ledger keeps, carried to a newer incumbent, held to their scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from bot.agents.constants import constants_of, rewrite, same_value
from bot.errors import UserError
from bot.git.merging import merge_file
from bot.loop.context import Context, Done
from bot.rules.ahead import is_stale
from bot.rules.campaign import Campaign
from bot.rules.decision import decision_of
from bot.rules.events import CandidateBuilt, Verdict
from bot.rules.experiment import Experiment
from bot.rules.proposal import Change, Proposal
from bot.rules.scope import FileChange, violations
from bot.tell import sentences

MAX_ROUNDS = 3


def kept_files(number: int, revision: int, proposal: Proposal) -> dict[str, bytes]:
    """Return the files of a proposal as the ledger keeps them, by path."""
    return {_kept(number, revision, path): text.encode() for path, text in proposal.files.items()}


def _kept(number: int, revision: int, path: str) -> str:
    """Where the ledger keeps a proposed file."""
    return f"revisions/{number:06d}-{revision}/{path}" if revision else f"experiments/{number:06d}/{path}"


def build(context: Context, campaign: Campaign, experiment: Experiment) -> Done:
    """Make the commit under test: the incumbent's tree plus the proposed files, and nothing else."""
    proposed = proposed_files(context, experiment)
    return Done([_candidate(context, experiment, experiment.parent, proposed, experiment.round + 1)])


def proposed_files(context: Context, experiment: Experiment) -> dict[str, bytes]:
    """Return the files of an experiment's proposal, as the ledger keeps them."""
    assert experiment.proposal is not None
    proposed: dict[str, bytes] = {}
    for path in experiment.proposal.paths:
        kept = _kept(experiment.number, experiment.revisions, path)
        content = context.ledger.read_file(kept)
        if content is None:
            raise UserError(f"the ledger lacks {kept}: restore the ledger branch")
        proposed[path] = content
    return proposed


def rebase(context: Context, campaign: Campaign, experiment: Experiment) -> Done:
    """Put the change on the new incumbent, to be measured again; close it where it doesn't fit any more."""
    assert experiment.candidate is not None and experiment.proposal is not None
    ensure_commit(context, experiment)
    old, target = experiment.candidate, campaign.incumbent
    paths = experiment.proposal.paths
    onto = {path: text_of(context, target, path) for path in paths}
    files = carry(
        base={path: text_of(context, old.parent, path) for path in paths},
        changed={path: text_of(context, old.commit, path) for path in paths},
        onto=onto,
        changes=[Change(**change) for change in experiment.proposal.changes],
    )
    if files is None or files == onto or experiment.carried + 1 >= MAX_ROUNDS:
        reason = f"the incumbent changed under it {MAX_ROUNDS} times"
        if files is None:
            reason = "the incumbent changed under it and the two don't fit together"
        elif files == onto:
            reason = "what landed meanwhile already holds this change"
        lesson = f"{experiment.title}: {reason}."
        # What was never measured may come again, unless it is there already.
        verdict: Verdict = "lost" if is_stale(campaign, experiment) and files != onto else "inconclusive"
        return Done([decision_of(experiment, verdict, reason=reason, lesson=lesson)])
    carried = {path: text.encode() for path, text in files.items()}
    return Done([_candidate(context, experiment, target, carried, old.round + 1)])


def _candidate(
    context: Context, experiment: Experiment, parent: str, files: Mapping[str, bytes | None], round: int
) -> CandidateBuilt:
    """Write the commit under test, and return the event that says so."""
    proposal = experiment.proposal
    assert proposal is not None
    message = sentences.commit_message(
        experiment=experiment.number, campaign=context.name, hypothesis=proposal.hypothesis,
        category=proposal.category, reason=proposal.reason, expected=proposal.expected_effect,
        proposer=proposal.proposer, author=proposal.author,
    )  # fmt: skip
    allowed = {path: content for path, content in files.items() if path in context.config.editable}
    when = datetime.fromisoformat(experiment.claimed_at)
    commit = context.git.commit_files(parent, allowed, message, when)
    added, removed = context.git.numstat(parent, commit)
    return CandidateBuilt(experiment.number, round, parent, commit, added, removed, experiment.revisions)


def ensure_commit(context: Context, experiment: Experiment) -> None:
    """Have the commit under test in this clone, rebuilt from the ledger where another machine made it."""
    assert experiment.candidate is not None and experiment.proposal is not None
    if context.git.resolve(experiment.candidate.commit) is not None:
        return
    if experiment.pull is not None:
        context.forge.fetch_pulls([experiment.pull])
    # A revision may not have been pushed yet, and the pull request show the round before it.
    unseen = experiment.pull is None or experiment.candidate.revision == experiment.revisions > 0
    if unseen and not experiment.carried_over and context.git.resolve(experiment.candidate.commit) is None:
        files = {
            path: context.ledger.read_file(_kept(experiment.number, experiment.candidate.revision, path))
            for path in experiment.proposal.paths
        }
        _candidate(context, experiment, experiment.candidate.parent, files, experiment.candidate.round)
    require_commit(context, experiment.candidate.commit)


def text_of(context: Context, commit: str, path: str) -> str:
    return (context.git.read_blob(commit, path) or b"").decode(errors="replace")


def editable_files(context: Context, commit: str) -> dict[str, str]:
    """Return the editable files of a commit as text; those that it lacks are left out."""
    found: dict[str, str] = {}
    for path in context.config.editable:
        content = context.git.read_blob(commit, path)
        if content is not None:
            try:
                found[path] = content.decode()
            except UnicodeDecodeError:
                raise UserError(f"{path}: is not UTF-8 text: save it as UTF-8 and commit it") from None
    return found


def require_commit(context: Context, commit: str) -> None:
    """Have a commit of the campaign in this clone. Raises UserError if it is nowhere to be found."""
    if context.git.resolve(commit) is None:
        context.git.fetch(context.remote.name_or_url, [f"refs/heads/{context.branch}"])
    if context.git.resolve(commit) is None:
        raise UserError(
            f"commit {commit[:12]} of campaign {context.name!r} is nowhere to be found: push it again from the"
            " clone that made it"
        )


def carry(
    *, base: Mapping[str, str], changed: Mapping[str, str], onto: Mapping[str, str],
    changes: Sequence[Change],
) -> dict[str, str] | None:  # fmt: skip
    """Return the files of `onto` with what turned `base` into `changed`; None if that doesn't fit.

    A change that is nothing but constants is carried by name, since two of them in neighbouring lines would
    look like a conflict to a merge by lines; everything else is merged by lines.
    """
    by_name = _by_constants(base=base, changed=changed, onto=onto, changes=changes)
    if by_name is not None:
        return by_name
    carried: dict[str, str] = {}
    for path, text in changed.items():
        merged = merge_file(base.get(path, "").encode(), onto.get(path, "").encode(), text.encode())
        if merged is None:
            return None
        carried[path] = merged.decode()
    return carried


def _by_constants(
    *, base: Mapping[str, str], changed: Mapping[str, str], onto: Mapping[str, str], changes: Sequence[Change]
) -> dict[str, str] | None:
    """Return `onto` with the constants set, None if the change is more than that or somebody was there."""
    carried: dict[str, str] = {}
    for path, text in changed.items():
        mine = [change for change in changes if change.file == path]
        if not mine or path not in onto or path not in base:
            return None
        new = {change.local: change.new for change in mine}
        if not new.keys() <= _values(path, base[path]).keys() or _rewritten(path, base[path], new) != text:
            return None
        values = _values(path, onto[path])
        if not all(c.local in values and same_value(values[c.local], c.old) for c in mine):
            return None
        landed = _rewritten(path, onto[path], new)
        if landed is None:
            return None
        carried[path] = landed
    return carried


def _values(path: str, text: str) -> dict[str, str]:
    """Return the literals of one file by their names in it."""
    return {constant.local: constant.literal for constant in constants_of({path: text})}


def _rewritten(path: str, text: str, new: Mapping[str, str]) -> str | None:
    """Return the file with new values, None if it can't spell one of them."""
    try:
        return rewrite(text, new, path)
    except ValueError:
        return None


def objections(
    context: Context, campaign: Campaign, commit: str, *, parent: str | None = None, named: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return why `commit` may not be run as a candidate, one line each; nothing if it may.

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
