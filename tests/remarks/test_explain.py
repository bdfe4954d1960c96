"""The explanation and the standing as text: complete, and harmless whatever the agents wrote."""

from __future__ import annotations

import re

import pytest

from bot.forge import BODY_LIMIT
from bot.rules import events as ev
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.tell.figures.campaign import figures
from tests.bot.campaigns import HOSTILE, NOW, Night
from tests.bot.telling import closing_comment, explanation, standing

RULE = Rule()
# What GitHub would act on, looked for in text as it is shown.
ACTED_ON = re.compile(r"@\w|#\d|(?<!\u200d)://|(?<!\\)\]\(|(?<!\\)!\[|(?i:<script|<img|<!--)")
VERDICTS: tuple[ev.Verdict, ...] = ("improved", "discarded", "inconclusive", "crashed", "rejected", "lost")


def night(words: str = "Raise the rate") -> Campaign:
    told = Night()
    told.baseline()
    for number, verdict in enumerate(VERDICTS, start=1):
        told.experiment(number, verdict, f"{words} {number}")
    told.experiment(len(VERDICTS) + 1, "improved", words, finish=False)
    return told.campaign()


@pytest.mark.parametrize("number", range(1, len(VERDICTS) + 1))
def test_every_verdict_is_explained(number: int) -> None:
    campaign, verdict = night(), VERDICTS[number - 1]
    said = explanation(campaign, campaign.experiments[number], RULE)
    assert f"### Experiment {number}: Raise the rate {number}" in said
    for part in (
        "**Why it was tried.**",
        "**How it was judged.**",
        "**What became of it.**",
        "Runs and cost",
    ):
        assert said.count(part) == 1, part
    refused = verdict == "rejected"
    assert ("refused before a second of training by scope and review by rule" in said) == refused
    assert (f"Hence **{verdict}**" in said) != refused
    assert ("It is merged as" in said) == (verdict == "improved")
    decision = campaign.experiments[number].decision
    assert decision is not None
    assert ("the difference is" in said) == (decision.effect is not None)


def test_what_a_model_rejects_is_not_laid_to_the_rules() -> None:
    told = Night()
    told.experiment(1, "rejected", "Raise the rate", finish=False)
    told.add(ev.Reviewed(1, 1, False, ("It was tried.",), "f", reviewer="claude-opus-5-5"))
    told.add(
        ev.ExperimentDecided(1, 1, "rejected", False, None, None, None, None, None, 0, 0, "It was tried.", "")
    )
    told.add(ev.ExperimentFinished(1))
    campaign = told.campaign()
    rejected = campaign.experiments[1]
    said = explanation(campaign, rejected, RULE), closing_comment(campaign, rejected)
    assert "refused before a second of training by the review of claude-opus-5-5: It was tried." in said[0]
    assert "**Refused before training** by the review of claude-opus-5-5:" in said[1]
    assert not any("by rule" in text for text in said)


def test_an_open_one_says_what_it_waits_for() -> None:
    campaign = night()
    said = explanation(campaign, campaign.experiments[len(VERDICTS) + 1], RULE)
    assert "Not yet: it has 2 runs" in said and "merges from 3.5 sigma on after one run" in said
    assert "It is still open." in said


@pytest.mark.parametrize("words", HOSTILE)
def test_nobody_s_words_do_anything(words: str) -> None:
    campaign = night(words)
    texts = [explanation(campaign, e, RULE) for e in campaign.experiments.values()]
    texts.append(standing(figures(campaign, now=NOW)))
    for text in texts:
        without_ours = re.sub(r"\[(?:Experiment )?\d+\]\(https://example\.org/pull/\d+\)", "", text)
        assert not ACTED_ON.search(without_ours), ACTED_ON.search(without_ours)
        assert len(text) < BODY_LIMIT


def test_a_long_night_fits() -> None:
    campaign = night("w|<@" * 4000)
    for experiment in campaign.experiments.values():
        assert len(explanation(campaign, experiment, RULE)) < BODY_LIMIT
    assert len(standing(figures(campaign, now=NOW))) < BODY_LIMIT
