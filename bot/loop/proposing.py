"""The stages up to a commit that can be tested: propose, build, and rebase on a newer incumbent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot import words
from bot.agents.constants import changes_between
from bot.agents.novelty import edit_beside
from bot.agents.offline.space import space_of
from bot.agents.protocol import Question, Revision
from bot.errors import UserError
from bot.loop.carry import carry
from bot.loop.context import Context
from bot.loop.files import editable_files
from bot.loop.ideas import tell_of_passed
from bot.loop.library import CampaignLibrary
from bot.loop.measure import require_commit
from bot.loop.search_space import rules_of, why_nothing
from bot.loop.trying_out import try_out_of
from bot.rules.campaign import Campaign, Experiment
from bot.rules.events import (
    CandidateBuilt,
    Event,
    ExperimentFinished,
    ExperimentProposed,
    LoopStopped,
)
from bot.rules.outcome import decision_of
from bot.rules.proposal import Change, Idea, Proposal
from bot.text import one_line

MAX_ROUNDS = 3
ATTEMPTS = 5


def propose(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Ask for a change and write it to the ledger, files and all, before anybody else sees it."""
    require_commit(context, experiment.claimed_on)
    files = editable_files(context, experiment.claimed_on)
    for _ in range(ATTEMPTS):
        ideas = campaign.ideas.waiting() if experiment.reverts is None else []
        proposal = ask(context, campaign, experiment, files, ideas=ideas)
        tell_of_passed(context, campaign, ideas, proposal)
        if proposal is None:
            _give_up(context, experiment, files)
            return
        campaign = _record(context, experiment, proposal, files)
        if campaign.experiments[experiment.number].proposal is not None:
            return
    raise UserError(
        f"other loops proposed the same as experiment {experiment.number}, {ATTEMPTS} times in a row: run fewer"
        " loops at once, or widen what may be changed"
    )


def ask(
    context: Context, campaign: Campaign, experiment: Experiment, files: Mapping[str, str],
    revision: Revision | None = None, ideas: Sequence[Idea] = (),
) -> Proposal | None:  # fmt: skip
    """Have the proposer's next change to `files`; with `revision` a better one of the same experiment."""
    if experiment.reverts is not None:
        return _reverting(context, campaign, experiment.reverts, files)
    if experiment.retries is not None:
        return _retrying(context, campaign, experiment.retries, files)
    program = context.git.read_blob(experiment.claimed_on, context.config.program) or b""
    others = [past for past in campaign.history() if past.number != experiment.number]
    return context.proposer.propose(
        Question(
            files=files,
            program=program.decode(errors="replace"),
            history=others,
            seed=context.config.seed,
            number=experiment.number,
            library=CampaignLibrary(context, campaign, experiment, look_at=ensure_commit),
            revision=revision,
            ideas=ideas,
            try_out=try_out_of(context, campaign, experiment),
            rules=rules_of(context, experiment.claimed_on, files),
        )
    )


def as_recorded(proposal: Proposal, files: Mapping[str, str]) -> dict[str, Any]:
    """Return what the events of a proposal and of its revisions say of it; `files` are the incumbent's."""
    return {
        "hypothesis": proposal.hypothesis,
        "category": proposal.category,
        "reason": proposal.reason,
        "expected_effect": proposal.expected_effect,
        "risk": proposal.risk,
        "proposer": proposal.proposer,
        "changes": tuple({k: str(v) for k, v in vars(change).items()} for change in proposal.changes),
        "paths": tuple(sorted(proposal.files)),
        "edit": edit_beside(files, proposal.files, proposal.changes),
    }


def _record(
    context: Context, experiment: Experiment, proposal: Proposal, files: Mapping[str, str]
) -> Campaign:
    """Write the proposal down, unless another loop wrote the same one meanwhile."""
    event = ExperimentProposed(
        experiment=experiment.number,
        cost_usd=proposal.cost_usd,
        input_tokens=proposal.input_tokens,
        output_tokens=proposal.output_tokens,
        idea=proposal.idea,
        **as_recorded(proposal, files),
    )

    def make(campaign: Campaign) -> list[ExperimentProposed]:
        same = any(
            (other.proposal.changes, other.proposal.edit) == (event.changes, event.edit)
            for other in campaign.experiments.values()
            if other.proposal
            and other.claimed_on == experiment.claimed_on
            and other.number != event.experiment
        )
        twice = bool(event.changes) and same and not experiment.asked_for and event.idea is None
        gone = event.idea is not None and not campaign.ideas.known[event.idea].waits
        return [] if twice or gone or campaign.experiments[event.experiment].proposal is not None else [event]

    return context.ledger.append(make, lambda _: kept_files(experiment.number, 0, proposal))


def kept_files(number: int, revision: int, proposal: Proposal) -> dict[str, bytes]:
    """Return the files of a proposal as the ledger keeps them, by path."""
    return {_kept(number, revision, path): text.encode() for path, text in proposal.files.items()}


def _kept(number: int, revision: int, path: str) -> str:
    """Where the ledger keeps a proposed file."""
    return f"revisions/{number:06d}-{revision}/{path}" if revision else f"experiments/{number:06d}/{path}"


def _give_up(context: Context, experiment: Experiment, files: Mapping[str, str]) -> None:
    """Nothing is left to try: the number is given back as `lost`, and the loop ends."""
    space = space_of(files, rules_of(context, experiment.claimed_on, files))
    reason, told = why_nothing(context, space, files)
    if experiment.reverts is not None:
        reason = f"experiment {experiment.reverts} can't be taken out: later changes stand on it"
    elif experiment.retries is not None:
        reason = (
            f"experiment {experiment.retries} can't be tried again: what landed since holds it, or clashes"
        )
    events: list[Event] = [
        decision_of(experiment, "lost", reason=reason, lesson=f"{reason}."),
        ExperimentFinished(experiment.number),
    ]
    if not experiment.asked_for:
        campaign = context.ledger.known()
        detail = f"{told}; then `nocturne resume`"
        events.append(LoopStopped("exhausted", detail, len(campaign.order) + 1, campaign.commands))
    context.ledger.append(lambda c: [] if c.experiments[experiment.number].finished_at else events)


def _reverting(
    context: Context, campaign: Campaign, number: int, files: Mapping[str, str]
) -> Proposal | None:
    """Return the proposal that takes a merged experiment out again; None where later changes stand on it."""
    merged = campaign.experiments[number]
    assert merged.landed is not None and merged.proposal is not None
    require_commit(context, merged.landed.commit)
    before = {path: _text(context, merged.parent, path) for path in merged.proposal.paths}
    after = {path: _text(context, merged.landed.commit, path) for path in merged.proposal.paths}
    undone = tuple(Change(c["file"], c["name"], old=c["new"], new=c["old"]) for c in merged.proposal.changes)
    carried = carry(context.git, base=after, changed=before, onto=files, changes=undone)
    restored = {path: text for path, text in (carried or {}).items() if text != files.get(path)}
    if not restored:
        return None
    return Proposal(
        hypothesis=f"Revert experiment {number}: {merged.title}"[:100],
        category="revert",
        reason=f"A human asked to take experiment {number} out. What came after it stays.",
        expected_effect="the opposite of what it gained",
        risk="low",
        files=restored,
        changes=changes_between({path: files[path] for path in restored}, restored),
        proposer="human",
    )


def _retrying(context: Context, campaign: Campaign, number: int, files: Mapping[str, str]) -> Proposal | None:
    """Return the proposal of an earlier experiment, put on the present incumbent; None where it doesn't fit."""
    earlier = campaign.experiments[number]
    assert earlier.proposal is not None
    require_commit(context, earlier.claimed_on)
    proposal, proposed = earlier.proposal, _proposed_files(context, earlier)
    carried = carry(
        context.git,
        base={path: _text(context, earlier.claimed_on, path) for path in proposed},
        changed={path: content.decode(errors="replace") for path, content in proposed.items()},
        onto=files,
        changes=[Change(**change) for change in proposal.changes],
    )
    again = {path: text for path, text in (carried or {}).items() if text != files.get(path)}
    if not again:
        return None
    said = f" (experiment {number} again)"
    ended = f"it was {earlier.verdict}" if earlier.landed is None else "it was merged and taken out again"
    return Proposal(
        hypothesis=f"{one_line(proposal.hypothesis, 100 - len(said))}{said}",
        category=proposal.category,
        reason=f"A human asked to try experiment {number} again: {ended}.\n\n{proposal.reason}",
        expected_effect=proposal.expected_effect,
        risk=proposal.risk,
        files=again,
        changes=changes_between({path: files.get(path, "") for path in again}, again),
        proposer="human",
    )


def build(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Make the commit under test: the incumbent's tree plus the proposed files, and nothing else."""
    assert experiment.proposal is not None
    proposed = _proposed_files(context, experiment)
    _commit_candidate(
        context, experiment, parent=experiment.parent, files=proposed, round=experiment.round + 1
    )


def _proposed_files(context: Context, experiment: Experiment) -> dict[str, bytes]:
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


def rebase(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Put the change on the new incumbent, to be measured again; close it where it doesn't fit any more."""
    assert experiment.candidate is not None and experiment.proposal is not None
    ensure_commit(context, experiment)
    old, target = experiment.candidate, campaign.incumbent
    paths = experiment.proposal.paths
    onto = {path: _text(context, target, path) for path in paths}
    files = carry(
        context.git,
        base={path: _text(context, old.parent, path) for path in paths},
        changed={path: _text(context, old.commit, path) for path in paths},
        onto=onto,
        changes=[Change(**change) for change in experiment.proposal.changes],
    )
    if files is None or files == onto or experiment.carried + 1 >= MAX_ROUNDS:
        reason = f"the incumbent changed under it {MAX_ROUNDS} times"
        if files is None:
            reason = "the incumbent changed under it and the two don't fit together"
        elif files == onto:
            reason = "what landed meanwhile already holds this change"
        event = decision_of(
            experiment, "inconclusive", reason=reason, lesson=f"{experiment.title}: {reason}."
        )
        context.ledger.append(lambda c: [event] if not c.experiments[experiment.number].finished_at else [])
        return
    _commit_candidate(context, experiment, parent=target, files=_bytes(files), round=old.round + 1)


def _commit_candidate(
    context: Context, experiment: Experiment, *, parent: str, files: Mapping[str, bytes | None], round: int
) -> None:
    proposal = experiment.proposal
    assert proposal is not None
    message = words.commit_message(
        experiment=experiment.number, campaign=context.name, hypothesis=proposal.hypothesis,
        category=proposal.category, reason=proposal.reason, expected=proposal.expected_effect,
        proposer=proposal.proposer,
    )  # fmt: skip
    allowed = {path: content for path, content in files.items() if path in context.config.editable}
    when = datetime.fromisoformat(experiment.claimed_at)
    commit = context.git.commit_files(parent, allowed, message, when)
    added, removed = context.git.numstat(parent, commit)
    event = CandidateBuilt(experiment.number, round, parent, commit, added, removed, experiment.revisions)
    context.ledger.append(lambda c: [event] if c.experiments[experiment.number].round < round else [])


def ensure_commit(context: Context, experiment: Experiment) -> None:
    """Have the commit under test in this clone, rebuilt from the ledger where another machine made it."""
    assert experiment.candidate is not None and experiment.proposal is not None
    if context.git.resolve(experiment.candidate.commit) is not None:
        return
    if experiment.pull is not None:
        context.forge.fetch_pulls([experiment.pull.pull])
    # A revision may not have been pushed yet, and the pull request show the round before it.
    unseen = experiment.pull is None or experiment.candidate.revision == experiment.revisions > 0
    if unseen and not experiment.carried_over and context.git.resolve(experiment.candidate.commit) is None:
        files = {
            path: context.ledger.read_file(_kept(experiment.number, experiment.candidate.revision, path))
            for path in experiment.proposal.paths
        }
        parent, round = experiment.candidate.parent, experiment.candidate.round
        _commit_candidate(context, experiment, parent=parent, files=files, round=round)
    require_commit(context, experiment.candidate.commit)


def _text(context: Context, commit: str, path: str) -> str:
    return (context.git.read_blob(commit, path) or b"").decode(errors="replace")


def _bytes(files: Mapping[str, str]) -> dict[str, bytes | None]:
    return {path: text.encode() for path, text in files.items()}
