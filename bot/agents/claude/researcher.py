"""Claude as the researcher of the outer loop: one conversation that ends with a mechanism which passes the checks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.agents.claude.failures import NoAnswer
from bot.agents.claude.prompts import Block, lasting, text_block
from bot.agents.claude.settings import ModelRole, campaign_role
from bot.agents.claude.tools import Answer, Tool, fields, text
from bot.agents.protocol import Study, Written
from bot.agents.quoting import RULE, quoted
from bot.agents.registry import Setup
from bot.base.text import clean, one_line
from bot.rules.outer import reading, view
from bot.rules.outer.checks import MOST_BYTES, Check, failure, given

NAME = re.compile(r"[a-z][a-z0-9_]{2,30}")
_RATIONALE = 2_000  # characters
_WHY = 160
_INSTRUCTIONS = f"""\
You improve how an automated research loop searches. It proposes one change to some files per experiment, measures it \
against the incumbent, and merges what is better. Above it stand mechanisms: small pieces of search code that steer \
which change is proposed next. Find where this search is stuck, and write one new mechanism that gets it out.

Work in four steps. Explore: what does the trace show, in numbers (repeats, one category, one direction, constants \
never touched, near misses, crashes, time since the last gain)? Critique: why do the mechanisms at hand not fix that? \
Specify: one rule, in a sentence, with when it acts and when it stops. Generate: write it, have it checked, hand it in.

A mechanism is one file of Python with two functions at its top:

    def steer(view: dict) -> dict        # what steers the next experiment; {{}} leaves it alone
    def screen(view: dict, draft: dict) -> str | None    # why a proposal is sent back, None if it is taken

`view`, `draft` and the answers are the dataclasses below as JSON; `view["seed"]` is a number to draw from, and \
`view["past"]` has the newest experiments as far as they fit. Each call is a fresh process in a jail with the \
standard library and numpy: no state, no files, no network, no threads, 2 seconds, 64 kB in and out. The same view \
must give the same answer. Nothing it says reaches scores, verdicts or the ledger. It goes on trial against no \
mechanism, a plain restart and a random kick; one that changes no proposal is dead after three blocks of five \
experiments, and one that does not pay retires. So act if the search is stuck and leave it alone otherwise; end each \
advice after a few experiments; refuse hardly anything that may land.

How to work: `check_mechanism` tells whether a draft passes (it is run on the history). Hand in by `write_mechanism`; \
plain text reaches nobody. What fails a check comes back with the reason, a few times at most.

{RULE}"""


@dataclass(frozen=True)
class ClaudeResearcher:
    """The outer loop's mind. `role` says which model, within which caps."""

    role: ModelRole

    def research(self, study: Study) -> Written | str:
        """Return a mechanism that passes the checks, or why there is none."""
        drafts = _Drafts(study)
        try:
            written = self.role.ask(
                study.number, _system(), drafts.tools(), "write_mechanism", _opening(study), _task(study)
            )
        except NoAnswer as error:
            return one_line(str(error), _WHY)
        assert isinstance(written, Written)
        return written


def make(setup: Setup) -> ClaudeResearcher:
    """Return the researcher of a campaign. Raises UserError if no key is there."""
    return ClaudeResearcher(campaign_role(setup, "researcher", setup.config.models.researcher))


@dataclass(frozen=True)
class _Drafts:
    """Drafts of one mechanism: a file in, the checks or the mechanism out."""

    study: Study
    known: dict[str, tuple[Check, ...]] = field(default_factory=dict)

    def tools(self) -> list[Tool]:
        source = text("The whole file: Python with steer(view) and screen(view, draft).")
        return [
            Tool(
                "check_mechanism",
                "Runs a draft in its jail on the history of this campaign: whether it parses, answers, answers the same"
                " twice, and lets pass what landed.",
                fields({"source": source}),
                self._check,
            ),
            Tool(
                "write_mechanism",
                "Hands the mechanism in. Ends your part.",
                fields(
                    {
                        "name": text("What it is called: a short word of small letters, digits and _."),
                        "rationale": text(
                            "For a human who reads the pull request: what the trace shows, in numbers, why the"
                            " mechanisms at hand do not fix it, and the rule that does. Three to eight sentences."
                        ),
                        "source": source,
                    }
                ),
                self._hand_in,
            ),
        ]

    def _check(self, asked: Mapping[str, Any]) -> Answer:
        checks = self._checks(asked["source"])
        lines = [f"{each.name}: {'passed' if each.why is None else f'failed, {each.why}'}" for each in checks]
        return Answer(quoted("\n".join(lines), "the checks"), is_error=failure(checks) is not None)

    def _hand_in(self, asked: Mapping[str, Any]) -> Answer:
        name, rationale = asked["name"], clean(asked["rationale"]).strip()[:_RATIONALE]
        if not NAME.fullmatch(name):
            return _back("name is 3 to 31 small letters, digits and _, and begins with a letter")
        if name in self.study.taken:
            return _back(f"there is a mechanism {name} already")
        if not rationale:
            return _back("rationale is empty")
        checks = self._checks(asked["source"])
        why = failure(checks)
        if why is not None:
            return _back(why)
        return Answer("Taken.", result=Written(name, rationale, asked["source"], checks))

    def _checks(self, source: str) -> tuple[Check, ...]:
        if source not in self.known:
            self.known[source] = self.study.check(source)
        return self.known[source]


def _back(why: str) -> Answer:
    return Answer(f"It came back: {one_line(why, 600)}.", is_error=True, returned=True)


def _system() -> list[Block]:
    sources = [Path(module.__file__ or "").read_text(encoding="utf-8") for module in (view, reading)]
    interface = "\n\n".join(f"```python\n{source}```" for source in sources)
    return [
        text_block(_INSTRUCTIONS),
        lasting(text_block(f"# The interface\n\nHow answers are read and checked:\n\n{interface}")),
    ]


def _opening(study: Study) -> list[Block]:
    """Return what changes least first: the mechanisms at hand, then their worth, then the trace."""
    sources = "\n\n".join(
        quoted(each.source, f"mechanism {each.name}", MOST_BYTES) for each in study.mechanisms
    )
    worth = "\n".join(f"{each.name}: {each.worth}" for each in study.mechanisms)
    trace = json.dumps(given(study.view, study.seed), ensure_ascii=False)
    return [
        lasting(text_block(f"# The mechanisms at hand\n\n{sources}")),
        text_block(f"# What they were measured to be worth\n\n{quoted(worth, 'the trial')}"),
        text_block(f"# The trace: what `view` is now\n\n{quoted(trace, 'the view', MOST_BYTES + 1)}"),
    ]


def _task(study: Study) -> str:
    return f"Write a mechanism for the search from experiment {study.view.number} on."
