"""What people do by hand in a campaign, and what must come of each gesture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from tests.bot.gesture_campaign import Act, Humans, Moments, Row, at_work, of_own

# Learning rates, a batch size, a change that is closed and retried.
Round = tuple[list[str], str, dict[str, str]]
Check = Callable[[Campaign, Humans, Experiment], tuple[bool, str]]


@dataclass(frozen=True)
class Gesture:
    """One gesture: who, in words what, at which moment, how, and what must come of it."""

    who: str
    words: str
    moment: str
    act: Act
    came: Check


def likes(humans: Humans, who: str, experiment: Experiment) -> None:
    path = f"/issues/{humans.pull(experiment).number}/reactions"
    humans.rest(who, "POST", path, {"content": "+1"})


def ended(campaign: Campaign, humans: Humans, experiment: Experiment) -> tuple[bool, str]:
    state = humans.pull(experiment).state
    over = experiment.verdict in (
        "rejected",
        "discarded",
        "inconclusive",
    )  # the last two by what was measured
    no = over and experiment.landed is None and state == "closed"
    return no and "**Merged**" not in humans.comments(experiment), f"{experiment.verdict}, {state}"


def tried(campaign: Campaign, humans: Humans, experiment: Experiment) -> tuple[bool, str]:
    """What was pushed onto it became an experiment of its own, credited to its author."""
    ours = [
        e
        for e in campaign.experiments.values()
        if e.proposal is not None and e.proposal.idea is not None and e.finished_at is not None
        and f"pull request of experiment {experiment.number}." in e.proposal.reason
    ]  # fmt: skip
    if len(ours) != 1 or ours[0].candidate is None:
        return False, f"{len(ours)} experiments"
    said = humans.loop.context.git.run(["log", "-1", "--format=%B", ours[0].candidate.commit]).decode()
    credited = "Co-authored-by: Alice Liddell <alice@example.org>" in said
    told = (
        f"idea {ours[0].proposal.idea}" in humans.comments(experiment).lower() if ours[0].proposal else False
    )
    return credited and told, f"experiment {ours[0].number}: {ours[0].verdict}"


def pushed(campaign: Campaign, humans: Humans, experiment: Experiment) -> tuple[bool, str]:
    one, other = ended(campaign, humans, experiment), tried(campaign, humans, experiment)
    return one[0] and other[0], f"{one[1]}; {other[1]}"


def taken_out(campaign: Campaign, humans: Humans, experiment: Experiment) -> tuple[bool, str]:
    out = [e.number for e in campaign.landed() if e.reverts == experiment.number]
    return len(out) == 1 and "takes it out again" in humans.comments(
        experiment
    ), f"merged, taken out by {out}"


def retried(campaign: Campaign, humans: Humans, experiment: Experiment) -> tuple[bool, str]:
    again = [e for e in campaign.experiments.values() if e.retries == experiment.number]
    linked = (
        len(again) == 1 and again[0].pull is not None and again[0].pull.url in humans.comments(experiment)
    )
    state = humans.pull(experiment).state
    return linked and state == "closed", f"experiment {[e.number for e in again]}, {state}"


def unheard(campaign: Campaign, humans: Humans, experiment: Experiment) -> tuple[bool, str]:
    """Nothing was written down, and the experiment came to an end of its own."""
    said = [given for given in campaign.said.values() if given.experiment == experiment.number]
    return not said and experiment.verdict != "rejected", f"not heard: {experiment.verdict}"


def not_again(campaign: Campaign, humans: Humans, experiment: Experiment) -> tuple[bool, str]:
    again = [e.number for e in campaign.experiments.values() if e.retries == experiment.number]
    return not again, f"not heard: experiments {again}"


def kept(campaign: Campaign, humans: Humans, experiment: Experiment) -> tuple[bool, str]:
    issue, said = humans.pull(experiment), humans.comments(experiment)
    texts = (issue.title, issue.body) == ("My title", "My text")
    whole = "The whole report" in said and f"**{experiment.verdict}**: " in said
    labels = set(issue.labels) == {"nocturne", f"nocturne:{experiment.verdict}", "mine"}
    answered = "Put on by hand, and taken off: nocturne:crashed" in said
    return texts and whole and labels and answered, f"kept: {texts}; labels {', '.join(sorted(issue.labels))}"


def read(campaign: Campaign, humans: Humans, experiment: Experiment) -> tuple[bool, str]:
    return experiment.number in campaign.read, "read" if experiment.number in campaign.read else "unread"


def unread(campaign: Campaign, humans: Humans, experiment: Experiment) -> tuple[bool, str]:
    heard, said = read(campaign, humans, experiment)
    return not heard, f"not heard: {said}"


def left_off(campaign: Campaign, humans: Humans, experiment: Experiment) -> tuple[bool, str]:
    """The label that was taken off stays off, and the experiment is what it was."""
    labels = humans.pull(experiment).labels
    return (
        "nocturne:improved" not in labels and experiment.landed is not None,
        f"labels {', '.join(sorted(labels))}",
    )


def unlabel(humans: Humans, experiment: Experiment) -> None:
    left = [name for name in humans.pull(experiment).labels if name != "nocturne:improved"]
    humans.rest("alice", "PATCH", f"/issues/{humans.pull(experiment).number}", {"labels": left})


def edit(humans: Humans, experiment: Experiment) -> None:
    number = humans.pull(experiment).number
    humans.rest("alice", "PATCH", f"/pulls/{number}", {"title": "My title", "body": "My text"})
    humans.label("alice", experiment, "nocturne:crashed")
    humans.label("alice", experiment, "mine")


def script(
    rates: list[str], size: str, other: dict[str, str]
) -> list[tuple[dict[str, str], list[Gesture], list[tuple[int, Gesture]]]]:
    """Return the proposals of one round: constants, what is done to each, and what is done to earlier ones (so many
    places back) while it is thought of. `rates` are six learning rates, each better than the one before, as is
    `size` as a batch size; `other` is a change that still fits at the end."""

    def values(place: int) -> dict[str, str]:
        return {"LEARNING_RATE": rates[place]}

    closing: Act = lambda h, e: h.close("alice", e)  # noqa: E731
    return [
        (other, [Gesture("alice", "closes it", "training", closing, ended)], []),
        (
            values(0),
            [
                Gesture(
                    "alice", "deletes its branch", "training", lambda h, e: h.delete_branch("alice", e), ended
                )
            ],
            [],
        ),
        (
            values(1),
            [
                Gesture(
                    "alice",
                    "pushes a commit onto it",
                    "training",
                    lambda h, e: h.push(e, "WEIGHT_DECAY", "0.2"),
                    pushed,
                )
            ],
            [],
        ),
        (values(2), [Gesture("alice", "closes it", "scored", closing, ended)], []),
        (values(3), [Gesture("alice", "closes it", "landing", closing, taken_out)], []),
        (
            values(4),
            [
                Gesture(
                    "alice",
                    "puts nocturne:rejected on",
                    "training",
                    lambda h, e: h.label("alice", e, "nocturne:rejected"),
                    ended,
                )
            ],
            [],
        ),
        (values(5), [Gesture("alice", "edits texts, puts labels on", "training", edit, kept)], []),
        (
            {"BATCH_SIZE": size},
            [
                Gesture("tom", "closes it", "training", lambda h, e: h.close("tom", e), unheard),
                Gesture(
                    "tom",
                    "puts nocturne:rejected on",
                    "scored",
                    lambda h, e: h.label("tom", e, "nocturne:rejected"),
                    unheard,
                ),
            ],
            [],
        ),
        (
            {"LEARNING_RATE": "0.0001"},
            [
                Gesture(
                    "alice",
                    "pushes a commit onto it",
                    "scored",
                    lambda h, e: h.push(e, "DROPOUT", "0.25"),
                    tried,
                )
            ],
            [
                (8, Gesture("alice", "reopens it", "thinking", lambda h, e: h.reopen("alice", e), retried)),
                (7, Gesture("tom", "reopens it", "thinking", lambda h, e: h.reopen("tom", e), not_again)),
                (
                    2,
                    Gesture(
                        "alice",
                        "gives it a thumbs-up",
                        "after landing",
                        lambda h, e: likes(h, "alice", e),
                        read,
                    ),
                ),
            ],
        ),
        (
            {"LEARNING_RATE": "0.00011"},
            [],
            [
                (
                    2,
                    Gesture(
                        "alice",
                        "reviews it",
                        "after landing",
                        lambda h, e: h.rest(
                            "alice",
                            "POST",
                            f"/pulls/{h.pull(e).number}/reviews",
                            {"event": "COMMENT", "body": "Read."},
                        ),
                        read,
                    ),
                ),
                (2, Gesture("alice", "takes nocturne:improved off", "after landing", unlabel, left_off)),
                (
                    1,
                    Gesture(
                        "rita",
                        "gives it a thumbs-up",
                        "after its end",
                        lambda h, e: likes(h, "rita", e),
                        unread,
                    ),
                ),
            ],
        ),
    ]


def play(folder: Path, rounds: Sequence[Round]) -> tuple[list[Row], Campaign, Humans]:
    """Run a campaign in which all of it is done, once in each round; return what came of each gesture."""
    values: list[dict[str, str]] = []
    moments, done = Moments(), list[tuple[Row, Gesture]]()

    def acting(gesture: Gesture) -> Act:
        def act(humans: Humans, experiment: Experiment) -> None:
            done.append((humans.does(gesture.who, gesture.words, gesture.moment, experiment), gesture))
            gesture.act(humans, experiment)

        return act

    for proposals in (each for each_round in rounds for each in script(*each_round)):
        constants, own, earlier = proposals
        values.append(constants)
        place = len(values)
        for gesture in own:
            getattr(moments, gesture.moment)[place] = acting(gesture)
        if earlier:

            def thinking(
                humans: Humans, place: int = place, earlier: list[tuple[int, Gesture]] = earlier
            ) -> None:
                for back, gesture in earlier:
                    known = humans.loop.context.ledger.known()
                    acting(gesture)(humans, of_own(known, place - back))

            moments.thinking[place] = thinking
    with at_work(folder, values, moments) as humans:
        humans.loop.run(None, is_the_end=True)
        campaign = humans.loop.campaign
        for row, gesture in done:
            row.heard, row.came = gesture.came(campaign, humans, campaign.experiments[row.experiment])
        return humans.rows, campaign, humans
