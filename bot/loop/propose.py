"""The stage that asks for a change: a new one, a better one, one that does not crash."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bot.agents.constants import changes_between
from bot.agents.novelty import edit_beside
from bot.agents.offline.space import space_of
from bot.agents.proposers.offline import OfflineProposer
from bot.agents.protocol import Question, Revision
from bot.base.text import clean, one_line
from bot.loop.commits import (
    carry,
    editable_files,
    ensure_commit,
    kept_files,
    proposed_files,
    require_commit,
    text_of,
)
from bot.loop.context import Context, Done
from bot.loop.drafts import try_out_of
from bot.loop.gestures import link_back
from bot.loop.ideas import tell_of_passed
from bot.loop.importing import claimed_proposal
from bot.loop.library import CampaignLibrary
from bot.loop.pulls import put_report
from bot.loop.pushed import pushed_proposal
from bot.loop.start import rules_of, why_nothing
from bot.loop.steering import Steering, steering_of
from bot.rules.audits import appeal_words
from bot.rules.campaign import Campaign
from bot.rules.claims import claims_as_past
from bot.rules.decision import decision_of
from bot.rules.events import (
    Event,
    ExperimentDecided,
    ExperimentFinished,
    ExperimentProposed,
    LoopStopped,
    ProposalRevised,
)
from bot.rules.experiment import Experiment
from bot.rules.outer.reading import to_json
from bot.rules.outer.view import OFFLINE
from bot.rules.proposal import Change, Idea, Proposal
from bot.tell.views.check import sent_back_report
from bot.tell.words import doubt_words

_CLASH = "the commit does not fit the present incumbent: what landed since holds it, or clashes"
_LOG = 4_000  # characters of the log's end, where the traceback is


def propose(context: Context, campaign: Campaign, experiment: Experiment) -> Done:
    """Ask for a change: it is on the ledger, files and all, before anybody else sees it."""
    require_commit(context, experiment.claimed_on)
    files = editable_files(context, experiment.claimed_on)
    waiting = campaign.ideas.waiting() if not experiment.asked_for else []
    commit = next((idea for idea in waiting if idea.is_commit), None)
    ideas = [idea for idea in waiting if not idea.is_commit] if commit is None else []
    steered = commit is None and not experiment.asked_for
    steering = steering_of(context, campaign, experiment, files) if steered else None
    proposal: Proposal | None
    if commit is not None:
        proposal, fits = pushed_proposal(context, campaign, commit, files)
    else:
        proposal, fits = ask(context, campaign, experiment, files, ideas=ideas, steering=steering), True
    tell_of_passed(context, campaign, ideas, proposal)
    if proposal is None and experiment.ahead and _is_in_flight(campaign, experiment):
        return Done()  # the verdict that is still to come may leave something to try
    if proposal is None:
        return Done(_give_up(context, experiment, files))
    event = ExperimentProposed(
        experiment=experiment.number,
        cost_usd=proposal.cost_usd,
        input_tokens=proposal.input_tokens,
        output_tokens=proposal.output_tokens,
        idea=proposal.idea,
        outer=None if steering is None or proposal.idea is not None else to_json(steering.record()),
        author=proposal.author,
        **as_recorded(proposal, files),
    )

    def unless_others_do(fresh: Campaign) -> list[Event]:
        same = any(
            (other.proposal.changes, other.proposal.edit) == (event.changes, event.edit)
            for other in fresh.experiments.values()
            if other.proposal
            and other.claimed_on == experiment.claimed_on
            and other.number != event.experiment
        )
        twice = bool(event.changes) and same and not experiment.asked_for and event.idea is None
        gone = event.idea is not None and not fresh.ideas.known[event.idea].waits
        if twice or gone:
            return []
        return (
            [event]
            if fits
            else [event, decision_of(experiment, "inconclusive", reason=_CLASH, lesson=f"{_CLASH}.")]
        )

    return Done(files=kept_files(experiment.number, 0, proposal), anew=unless_others_do)


def _is_in_flight(campaign: Campaign, experiment: Experiment) -> bool:
    """Whether another experiment is on its way to a verdict."""
    return any(e.decision is None for e in campaign.open_experiments() if e.number != experiment.number)


def ask(
    context: Context, campaign: Campaign, experiment: Experiment, files: Mapping[str, str],
    revision: Revision | None = None, ideas: Sequence[Idea] = (), steering: Steering | None = None,
) -> Proposal | None:  # fmt: skip
    """Have the proposer's next change to `files`; with `revision` a better one of the same experiment."""
    if experiment.reverts is not None:
        return _reverting(context, campaign, experiment.reverts, files)
    if experiment.retries is not None:
        return _retrying(context, campaign, experiment.retries, files)
    program = context.git.read_blob(experiment.claimed_on, context.config.program) or b""
    claimed = claimed_proposal(context, campaign, files, ideas)
    if claimed is not None:
        return claimed
    others = [past for past in campaign.history() if past.number != experiment.number]
    gate = None if steering is None else steering.gate
    fresh = None if gate is None else gate.steer.fresh
    # An idea of a human comes before what the outer loop assigns.
    assigned = None if steering is None or ideas else steering.assigned
    if revision is not None and experiment.proposal is not None:
        assigned = experiment.proposal.proposer  # who has made it revises it, if that was another than usual
    proposer = OfflineProposer() if revision is None and assigned == OFFLINE else context.proposer
    return proposer.propose(
        Question(
            files=files,
            program=program.decode(errors="replace"),
            history=[*claims_as_past(campaign), *others],
            seed=context.config.seed,
            number=experiment.number,
            library=CampaignLibrary(context, campaign, experiment, look_at=ensure_commit, fresh=fresh),
            revision=revision,
            ideas=ideas,
            try_out=try_out_of(context, campaign, experiment),
            rules=rules_of(context, experiment.claimed_on, files),
            gate=gate,
            model=assigned if assigned in context.config.models.alternatives else None,
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


def _give_up(context: Context, experiment: Experiment, files: Mapping[str, str]) -> list[Event]:
    """Nothing is left to try: the number is given back as `lost`, and the loop ends."""
    space = space_of(files, rules_of(context, experiment.claimed_on, files))
    reason, told = why_nothing(context, space, files)
    if experiment.reverts is not None:
        reason = f"experiment {experiment.reverts} can't be taken out: later changes stand on it"
    elif experiment.retries is not None:
        reason = (
            f"experiment {experiment.retries} can't be tried again: what landed since holds it, or clashes"
        )
        link_back(context, context.ledger.known(), experiment, why_not=reason)
    events: list[Event] = [
        decision_of(experiment, "lost", reason=reason, lesson=f"{reason}."),
        ExperimentFinished(experiment.number),
    ]
    if not experiment.asked_for:
        campaign = context.ledger.known()
        detail = f"{told}; then `nocturne resume`"
        events.append(LoopStopped("exhausted", detail, len(campaign.order) + 1, campaign.commands))
    return events


def _reverting(
    context: Context, campaign: Campaign, number: int, files: Mapping[str, str]
) -> Proposal | None:
    """Return the proposal that takes a merged experiment out again; None if later changes stand on it."""
    merged = campaign.experiments[number]
    assert merged.landed is not None and merged.proposal is not None
    require_commit(context, merged.landed.commit)
    before = {path: text_of(context, merged.parent, path) for path in merged.proposal.paths}
    after = {path: text_of(context, merged.landed.commit, path) for path in merged.proposal.paths}
    undone = tuple(Change(c["file"], c["name"], old=c["new"], new=c["old"]) for c in merged.proposal.changes)
    carried = carry(base=after, changed=before, onto=files, changes=undone)
    restored = {path: text for path, text in (carried or {}).items() if text != files.get(path)}
    if not restored:
        return None
    return Proposal(
        hypothesis=f"Revert experiment {number}: {merged.title}"[:100],
        category="revert",
        reason=_why_out(campaign, number),
        expected_effect="the opposite of what it gained",
        risk="low",
        files=restored,
        changes=changes_between({path: files[path] for path in restored}, restored),
        proposer="human" if number not in campaign.doubted else "nocturne",
    )


def _why_out(campaign: Campaign, number: int) -> str:
    doubt = campaign.doubted.get(number)
    why = "A human asked to take experiment {} out" if doubt is None else "Experiment {} does not hold"
    said = why.format(number) + ("" if doubt is None else f": {doubt_words(campaign, doubt)}")
    return f"{said}. What came after it stays."


def _retrying(context: Context, campaign: Campaign, number: int, files: Mapping[str, str]) -> Proposal | None:
    """Return the proposal of an earlier experiment, put on the present incumbent; None if it doesn't fit."""
    earlier = campaign.experiments[number]
    assert earlier.proposal is not None
    require_commit(context, earlier.claimed_on)
    proposal, proposed = earlier.proposal, proposed_files(context, earlier)
    carried = carry(
        base={path: text_of(context, earlier.claimed_on, path) for path in proposed},
        changed={path: content.decode(errors="replace") for path, content in proposed.items()},
        onto=files,
        changes=[Change(**change) for change in proposal.changes],
    )
    again = {path: text for path, text in (carried or {}).items() if text != files.get(path)}
    if not again:
        return None
    said = f" (experiment {number} again)"
    larger = appeal_words(campaign, number)
    ended = f"it was {earlier.verdict}" if earlier.landed is None else "it was merged and taken out again"
    return Proposal(
        hypothesis=f"{one_line(proposal.hypothesis, 100 - len(said))}{said}",
        category=proposal.category,
        reason=f"A human asked to try experiment {number} again{larger}: {ended}.\n\n{proposal.reason}",
        expected_effect=proposal.expected_effect,
        risk=proposal.risk,
        files=again,
        changes=changes_between({path: files.get(path, "") for path in again}, again),
        proposer="human",
        author=proposal.author,
    )


def revise(context: Context, campaign: Campaign, experiment: Experiment) -> Done:
    """Ask the proposer for a better version; without one the experiment is rejected."""
    review, proposal = experiment.review, experiment.proposal
    assert review is not None and proposal is not None

    def question(files: Mapping[str, str]) -> Revision:
        return Revision(proposal.hypothesis, files, review.reasons, experiment.round)

    said = "; ".join((*review.reasons, "no better version came"))
    lesson = f"{experiment.title}: refused before training ({said})."
    rejected = decision_of(experiment, "rejected", reason=said, lesson=lesson)
    return come_back(context, campaign, experiment, question, rejected)


def come_back(
    context: Context, campaign: Campaign, experiment: Experiment,
    question: Callable[[Mapping[str, str]], Revision], otherwise: ExperimentDecided,
) -> Done:  # fmt: skip
    """Ask the proposer for another version; if none comes, what is decided is `otherwise`.

    `question` says what is asked, given the files of the version that came back.
    """
    proposal, candidate = experiment.proposal, experiment.candidate
    assert proposal is not None and candidate is not None
    require_commit(context, experiment.parent)
    ensure_commit(context, experiment)
    files = editable_files(context, experiment.parent)
    now = editable_files(context, candidate.commit)
    sent_back = {path: now[path] for path in proposal.paths if path in now}
    better = ask(context, campaign, experiment, files, question(sent_back))
    if better is None or {**files, **better.files} == now:
        return Done([otherwise])
    event = ProposalRevised(
        experiment=experiment.number,
        revision=experiment.revisions + 1,
        round=experiment.round,
        **as_recorded(better, files),
    )
    return Done([event], kept_files(experiment.number, event.revision, better))


def repair(context: Context, campaign: Campaign, experiment: Experiment) -> Done:
    """Ask the maker for a version that does not crash; without one the crash is the verdict."""
    crash, proposal, candidate = experiment.sent_back, experiment.proposal, experiment.candidate
    assert crash is not None and proposal is not None and candidate is not None
    if context.forge.shows:
        put_report(context, experiment, sent_back_report(crash))
    log = context.ledger.read_file(f"logs/{crash.run}.txt") or b""
    tail = clean(log.decode(errors="replace"))[-_LOG:]

    def question(files: Mapping[str, str]) -> Revision:
        return Revision(
            proposal.hypothesis, files, (crash.reason,), experiment.round, crash=tail or crash.reason
        )

    reason = f"{crash.reason}; no repair came"
    lesson = f"{experiment.title}: crashed ({reason})."
    crashed = decision_of(experiment, "crashed", reason=reason, lesson=lesson)
    return come_back(context, campaign, experiment, question, crashed)
