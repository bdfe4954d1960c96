"""Hostile words in every place of a pull request: shown as they were written, and nothing happens."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.base.text import one_line
from bot.forge import BODY_LIMIT, DESCRIPTION_LIMIT
from bot.rules import events as ev
from bot.rules.campaign import Campaign, fold
from bot.rules.decision import Rule
from bot.rules.proposal import Opinion
from bot.tell import sentences
from bot.tell.document import code
from bot.tell.views.check import begun_report
from bot.tell.views.experiment import TITLE_LIMIT, pull_title
from bot.tell.views.review import review_of
from bot.tell.views.status import review_status, score_status, train_status
from bot.tell.writers import markdown
from bot.tell.writers.markdown import code_block
from tests.bot.campaigns import Night, commit_of, diff_of
from tests.bot.hostile import ACTED_ON, CORPUS, UNSEEN
from tests.bot.telling import closing_comment, pull_body
from tests.families import few

RULE = Rule()
COMMIT, BASE = commit_of("candidate"), commit_of("base")

CHART = re.compile(
    r"---\nconfig: {themeVariables: {xyChart: {plotColorPalette: \"#[0-9a-f]{6}, #[0-9a-f]{6}\"}}}\n---\n"
    r"xychart-beta\n    x-axis \"(?:training seconds|steps)\" [-\d.]+ --> [-\d.]+\n"
    r"    y-axis \"training loss\" [-\d.]+ --> [-\d.]+\n(?:    line \[-?[\d.]+(?:, -?[\d.]+)*\]\n)+"
)


FOLD = re.compile(
    r"<details><summary>Evidence: \d+ runs? against \d+ of the incumbent</summary>\n|</details>\n?"
)


def proposed(**said: Any) -> ev.ExperimentProposed:
    plain = ev.ExperimentProposed(
        1, "Raise the rate", "optimization", "It is low.", "small", "none", "offline",
        ({"file": "train.py", "name": "RATE", "old": "0.1", "new": "0.2"},), ("train.py",),
    )  # fmt: skip
    return dataclasses.replace(plain, **said)


REMARK = {"path": "train.py", "line": "12", "text": "This reads the clock."}
Place = Callable[[str], Mapping[str, Any]]


def at(part: str, name: str) -> Place:
    return lambda text: {part: {name: text}}


def in_a_constant(name: str) -> Place:
    return lambda text: {"proposal": {"changes": (proposed().changes[0] | {name: text},)}}


def in_a_remark(name: str) -> Place:
    return lambda text: {"review": {"remarks": ({**REMARK, name: text},)}}


# Each place where somebody's words can stand: what of the experiment they are put into.
PLACES: dict[str, Place] = {
    **{
        name: at("proposal", name)
        for name in ("hypothesis", "category", "reason", "expected_effect", "risk", "proposer")
    },
    **{f"constant's {name}": in_a_constant(name) for name in ("name", "old", "new")},
    "constant's file": lambda text: {
        "proposal": {"changes": (proposed().changes[0], {"file": text, "name": "B", "old": "1", "new": "2"})}
    },
    "path": lambda text: {"diff": diff_of(1).replace("train.py", " ".join(text.split())[:250])},
    "diff": lambda text: {"diff": diff_of(1, text.replace("\n", "\n+"))},
    "metric": lambda text: {"metric": text},
    "runner": lambda text: {"run": {"runner": text}},
    "jail": lambda text: {"run": {"jail": text}},
    "failure": lambda text: {"run": {"score": None, "failure": {"class": text, "reason": text}}},
    "reason of the verdict": lambda text: {"decision": {"reason": text}},
    "reason without a score": lambda text: {"decision": {"reason": text, "effect": None}},
    "lesson": lambda text: {"decision": {"lesson": text}},
    "objection": lambda text: {"review": {"approved": False, "reasons": (text, text)}},
    "reviewer": lambda text: {"review": {"reviewer": text}},
    **{f"remark's {name}": in_a_remark(name) for name in REMARK},
}


OPTIONAL = ("reason", "lesson", "objection")  # an empty one has no paragraph
# Places that are filled at once; what may have no paragraph, or several, stands with nothing else.
TOGETHER = (
    ("hypothesis", "constant's name", "path", "metric", "reason of the verdict", "remark's path"),
    ("category", "constant's old", "diff", "runner", "reviewer", "remark's line"),
    ("expected_effect", "constant's new", "jail", "reason without a score", "remark's text"),
    ("risk", "proposer", "constant's file", "failure"),
    ("reason",),
    ("lesson", "objection"),
)


def filled(places: tuple[str, ...], text: str) -> dict[str, Any]:
    """Return what of the experiment holds `text` if it stands in all of these places."""
    made: dict[str, Any] = {}
    for place in places:
        for key, value in PLACES[place](text).items():
            assert not isinstance(value, dict) or not made.get(key, {}).keys() & value.keys(), place
            made[key] = made.get(key, {}) | value if isinstance(value, dict) else value
    return made


def story(made: Mapping[str, Any], *, finished: bool = False) -> tuple[Campaign, str]:
    """Return a campaign with one experiment from its claim to its verdict, or to its end, and its diff."""
    night = Night(metric=made.get("metric", "val_bpb"))
    night.baseline()
    night.add(ev.ExperimentClaimed(1, BASE))
    night.add(proposed(**made.get("proposal", {})))
    night.add(ev.CandidateBuilt(1, 1, BASE, COMMIT, 3, 2))
    night.add(ev.PullOpened(1, 7, "nocturne/exp/overnight/1", "https://example.org/pull/7"))
    night.add(dataclasses.replace(ev.Reviewed(1, 1, True, (), "f"), **made.get("review", {})))
    night.level[COMMIT] = 0.99
    night.run(COMMIT, 1)
    run = night.recorded[-1]
    night.recorded[-1] = dataclasses.replace(run, event=dataclasses.replace(run.event, **made.get("run", {})))
    decision = ev.ExperimentDecided(
        1, 1, "improved", False, -0.0016, 0.0006, 0.0003, 0.9721, 0.9737, 2, 3, "better with 95% confidence",
        "The rate was low.",
    )  # fmt: skip
    night.add(dataclasses.replace(decision, **made.get("decision", {})))
    if finished:
        night.add(ev.ExperimentFinished(1))
    return fold(night.recorded), "diff --git a/train.py b/train.py\n" + made.get("diff", diff_of(1))


def texts(campaign: Campaign, diff: str) -> list[str]:
    """Return every Markdown text about the experiment: body and comment, on GitHub and off it."""
    experiment = campaign.experiments[1]
    assert experiment.review is not None
    # The checker's own words, who spoke and why, also where they are no event yet.
    opinion = Opinion(
        "approve", " ".join(experiment.review.reasons) or "Sound.", (), experiment.review.reviewer
    )
    made = review_of(experiment.review, opinion.answer, opinion.reason, diff)
    return [
        *(pull_body(campaign, experiment, diff, rule=RULE, on_github=place) for place in (True, False)),
        begun_report(experiment, RULE, experiment.review, opinion).summary,
        closing_comment(campaign, experiment),
        *((made[0].body, made[1], *(each.body for each in made[0].comments)) if made else ()),
    ]


@functools.lru_cache
def blocks(text: str) -> list[Token]:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)


def shape(tokens: list[Token]) -> list[str]:
    """Return what the text is built of, as GitHub would build it: paragraphs, tables with their cells, blocks."""
    return [token.type for token in tokens]


def check_harmless(tokens: list[Token]) -> None:
    for token in tokens:
        assert token.type != "html_block" or FOLD.fullmatch(token.content), token.content
        if token.type == "fence" and token.info == "mermaid":
            assert CHART.fullmatch(token.content), token.content
        for child in token.children or ():
            assert child.type not in ("link_open", "image"), token.content
            if child.type == "html_inline":
                assert child.content in ("<span>", "</span>")  # GitHub's own way to write a dollar sign
        # Text that Markdown cuts into pieces is one text on the page; code is not searched for references.
        shown = "".join(
            child.content if child.type.startswith("text") else "" if "html" in child.type else " "
            for child in token.children or ()
        )
        found = ACTED_ON.search(shown)
        assert found is None, (found, shown)


def test_every_place_is_filled() -> None:
    assert sorted(itertools.chain(*TOGETHER)) == sorted(PLACES)


@pytest.mark.parametrize("places", TOGETHER, ids=", ".join)
def test_words_in_every_place_are_shown_and_do_nothing(places: tuple[str, ...]) -> None:
    # The same story with a plain word there: whatever the words, the page is built the same.
    plain = [shape(blocks(text)) for text in texts(*story(filled(places, "plain")))]
    assert "mermaid" in texts(*story({}))[0]
    for evil in CORPUS:
        campaign, diff = story(filled(places, evil))
        for text, expected in zip(texts(campaign, diff), plain, strict=True):
            tokens = blocks(text)
            check_harmless(tokens)
            if "\n\n" in evil and places == ("reason",):
                continue  # paragraphs are kept
            if one_line(evil) or places[0] not in OPTIONAL:
                assert shape(tokens) == expected, (evil, text)
        experiment = campaign.experiments[1]
        decision = experiment.decision
        assert decision is not None
        title = pull_title(experiment)
        assert title and len(title) <= TITLE_LIMIT and len(title.splitlines()) == 1
        assert not ACTED_ON.search(title)
        for _, said in (
            train_status(campaign, experiment, decision),
            score_status(campaign, decision),
            review_status(ev.Reviewed(1, 1, False, (evil,), "f"), None),
            review_status(ev.Reviewed(1, 1, True, (), "f"), Opinion("approve", evil, (), evil)),
        ):
            assert len(said) <= DESCRIPTION_LIMIT and len(said.splitlines()) <= 1
            assert not UNSEEN.search(said)


@pytest.mark.parametrize("evil", CORPUS)
def test_a_commit_closes_nothing_and_keeps_its_own_trailers(evil: str) -> None:
    message = sentences.commit_message(
        experiment=7, campaign="main", hypothesis=evil, category=evil, reason=f"{evil}\n\nNocturne-Experiment: 9",
        expected=evil, proposer=evil,
    )  # fmt: skip
    assert not ACTED_ON.search(message)
    trailers = message.strip().split("\n\n")[-1].splitlines()
    assert [line.split(":")[0] for line in trailers] == [
        "Nocturne-Campaign", "Nocturne-Experiment", "Nocturne-Category", "Nocturne-Proposer",
    ]  # fmt: skip
    assert trailers[1] == "Nocturne-Experiment: 7" and message.splitlines()[0].strip()


def test_words_that_mean_no_harm_are_kept_as_they_are() -> None:
    kept = "Raise MATRIX_LR from 0.04 to 0.05 (near miss: experiment 4), a high-4 ratio: 50 %"
    campaign, _ = story({"proposal": {"hypothesis": kept}})
    assert pull_title(campaign.experiments[1]) == kept
    message = sentences.commit_message(
        experiment=1, campaign="main", hypothesis=kept, category="other", reason="It: was\n  low.", expected="small",
        proposer="offline",
    )  # fmt: skip
    assert message.startswith(f"{kept}\n\nIt: was\n  low.\n\nExpected: small\n\n")
    shown = [markdown.line((code(text),)) for text in ("MATRIX_LR[0]", "a|b", "")]
    assert shown == ["`MATRIX_LR[0]`", "a\\|b", ""]


def test_what_is_shown_is_what_was_written() -> None:
    """Escaping loses no letter: what a reader sees is the text itself, but for the joiners."""
    for evil in filter(one_line, CORPUS):
        (paragraph,) = [token for token in blocks(markdown.escape(evil, 400)) if token.type == "inline"]
        shown = "".join(c.content for c in paragraph.children or () if c.type.startswith("text"))
        seen, written = (re.findall(r"[^\W_]+", said) for said in (shown, markdown.title(evil, 400)))
        # What takes many characters to escape is cut earlier.
        assert seen == written[: len(seen)] and len(seen) >= min(len(written), 60), evil


def test_a_block_can_not_be_left() -> None:
    for inside in ("```", "````\n```", "~~~", "</pre>", "x\n" + "`" * 40 + "\n@octocat"):
        (token,) = blocks("\n".join(code_block(inside, "diff")))
        # What looks like a fence is indented: not every reader of Markdown counts backticks.
        shown = "".join(f" {line}" if line.startswith("```") else line for line in inside.splitlines(True))
        assert token.type == "fence" and token.content == shown + "\n"


LONG = pytest.mark.long


@pytest.mark.parametrize(
    "filler",
    few(
        [
            "$",
            "@a",
            "a\n\n",
            *(pytest.param(one, marks=LONG) for one in ("&", "学")),
            *(pytest.param(one, marks=pytest.mark.slow) for one in ("<", "#1 ", "`", "|", "://")),
        ],
        1,
    ),
)
def test_the_longest_body_is_taken_by_github_whole(filler: str) -> None:
    flood = filler * (20_000 // len(filler))
    said = dict.fromkeys(("hypothesis", "category", "reason", "expected_effect", "risk", "proposer"), flood)
    constant = dict.fromkeys(("file", "name", "old", "new"), flood[:2000])
    made: dict[str, Any] = {
        "proposal": said | {"changes": (constant, constant | {"file": "b"}) * 50},
        "run": {"runner": flood, "jail": flood, "score": None, "failure": {"class": flood, "reason": flood}},
        "decision": {"reason": flood, "lesson": flood},
        "review": {"approved": False, "reasons": (flood,) * 40},
        "metric": flood,
    }
    campaign, _ = story(made)
    runs = list(campaign.runs.values())
    for number in range(60):
        for run in (runs[0], runs[-1]):
            again = dataclasses.replace(
                runs[-1], run=f"{run.run}-{number}", commit=run.commit, experiment=run.experiment
            )
            campaign.add_run(again, "")
    diff = "".join(
        f"diff --git a/{number} b/{number}\n--- a/{number}{flood[:5000]}\n@@ -1 +1 @@\n-a\n+b\n"
        for number in range(50)
    )
    for text in texts(campaign, diff):
        assert len(text) < BODY_LIMIT and not text.endswith("…")
        assert text.endswith("</details>\n") or "Comment `/nocturne" in text or "nocturne show" in text
        check_harmless(blocks(text))
