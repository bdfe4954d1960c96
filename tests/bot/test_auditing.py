"""The promotion and the audits of what it carries: audited before, stopped by them, and free again after a revert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from bot.config import Evaluator
from bot.errors import UserError
from bot.loop.auditing import lineage
from bot.loop.context import Context
from bot.loop.promoting import keep_up, promote, promote_at_stop
from bot.loop.render import figures_of
from bot.loop.start import ensure_started
from bot.rules import events as ev
from bot.rules.audits import lineage_of
from bot.rules.campaign import Campaign
from bot.rules.schedule import MeasureIncumbent, Standing, incumbent_step, next_replicate, run_id
from bot.rules.stopping import Limits, Stop
from bot.tell.cautions import warnings
from bot.tell.document import Document
from bot.tell.views.promotion import _audited, _stopped
from bot.tell.writers import markdown
from tests.bot.repositories import git, make_repository
from tests.bot.scripted import Loop, win
from tests.bot.test_audits import CLEAN, HIT, LARGE

pytestmark = pytest.mark.usefixtures("people_read")


class Trained(Loop):
    """A campaign of the formula's task, whose configuration says that it trains a model: so its runs are audited."""

    def __init__(self, folder: Path) -> None:
        super().__init__(make_repository(folder / "repo"))
        ensure_started(self.context)
        self.context.forge.push_branch("nocturne/main", self.campaign.incumbent)
        config = self.context.config.model_copy(update={"evaluator": Evaluator()})
        self.context: Context = replace(self.context, config=config)

    def audited(self, found: Mapping[str, float], *, refused: bool = False) -> Campaign:
        """Record one more run of the head, and do what the loop does then."""
        campaign = self.campaign
        head, place = campaign.incumbent, next_replicate(campaign, campaign.incumbent)
        failure = (
            {"class": "refused", "reason": "asked again, it is gone", "defence": "audit"} if refused else None
        )
        run = ev.RunFinished(
            run_id(head, place), head, place, place, None, None if refused else 0.9, failure, {}, "f", "bubblewrap",
            "test", 1.0, 1.0, audit=dict(found),
        )  # fmt: skip
        after = self.context.ledger.append(lambda _: [run])
        keep_up(self.context, after)
        return self.campaign

    def win(self, number: int, rate: str, *, reverts: int | None = None) -> str:
        commit = win(self, number, "LEARNING_RATE", rate, score=1.0 - number / 100, reverts=reverts)
        keep_up(self.context, self.campaign)
        return commit


@pytest.fixture
def loop(tmp_path: Path) -> Trained:
    return Trained(tmp_path)


def base(loop: Trained) -> str:
    return git(loop.top, "rev-parse", "main")


def test_the_base_moves_only_to_a_head_that_was_audited_with_ten_times_the_probes(loop: Trained) -> None:
    commit, before = loop.win(1, "0.002"), base(loop)
    with pytest.raises(
        UserError, match=r"not audited yet as before a promotion: `nocturne run -n 1` does it"
    ):
        promote(loop.context, merge=True)
    loop.audited(CLEAN)
    with pytest.raises(UserError, match="not audited yet"):
        promote(loop.context, merge=True)
    assert base(loop) == before
    loop.audited(LARGE)
    assert promote(loop.context, merge=True).did == "merged" and base(loop) == commit


def test_a_promotion_tells_of_the_audit_once_it_is_made(loop: Trained) -> None:
    loop.win(1, "0.002")
    known = loop.campaign.promotion
    assert known is not None and known.audit == "none" and "not audited yet" in said(_audited, loop)
    campaign = loop.audited(LARGE)
    assert campaign.promotion is not None and campaign.promotion.turn > known.turn
    assert campaign.promotion.audit == run_id(campaign.incumbent, 4)
    told = said(_audited, loop)
    assert "asked again at 10,240 positions**, 10 times as many" in told and "All 1 audit" in told
    assert said(_stopped, loop) == ""
    turn = campaign.promotion.turn
    again = loop.audited(CLEAN)
    assert again.promotion is not None and again.promotion.turn == turn, (
        "nothing new is told of the head's audit"
    )


def said(view: object, loop: Trained) -> str:
    assert callable(view)
    document: Document = view(lineage(loop.context, loop.campaign))
    return markdown.write(document).strip()


def test_a_lineage_that_fails_opens_no_promotion_and_names_merge_and_way_out(loop: Trained) -> None:
    loop.context = replace(
        loop.context,
        config=loop.context.config.model_copy(
            update={"promotion": loop.context.config.promotion.model_copy(update={"open": "asked"})}
        ),
    )
    loop.win(1, "0.002")
    loop.audited(LARGE)
    loop.win(2, "0.004")
    for _ in range(6):
        loop.audited(CLEAN | HIT, refused=True)
    done = promote(loop.context, merge=False)
    assert done.did == "nothing" and loop.campaign.promotion is None
    assert (
        "the audits of the head stop the promotion: asked again at 6,144 positions in 6 audits" in done.text
    )
    assert "merged experiments 2; `nocturne revert 2` takes the last of them out" in done.text


def test_an_open_promotion_is_stopped_says_so_everywhere_and_goes_on_after_the_revert(loop: Trained) -> None:
    loop.win(1, "0.002")
    loop.audited(LARGE)
    loop.win(2, "0.004")
    before = base(loop)
    campaign = loop.audited(LARGE | HIT | {"far": 9}, refused=True)
    assert campaign.promotion is not None and campaign.promotion.audit.endswith(" refused")
    told = said(_stopped, loop)
    assert (
        told.startswith("**Don't merge this.**") and "asked again, it is gone" in told and "revert 2" in told
    )
    assert said(_audited, loop) == ""
    found = warnings(figures_of(loop.context, campaign, at=datetime(2026, 3, 2, tzinfo=timezone.utc)))
    assert any(each.startswith("The audits of the head stop the promotion") for each in found)
    with pytest.raises(UserError, match="may have come with merged experiments 2"):
        promote(loop.context, merge=True)
    bot = loop.context.config.model_copy(
        update={"promotion": loop.context.config.promotion.model_copy(update={"merge": "bot"})}
    )
    promote_at_stop(replace(loop.context, config=bot), loop.campaign, Stop("experiments", "done"))
    assert base(loop) == before and "the promotion waits: the audits of the head stop" in loop.said
    head = loop.win(3, "0.002", reverts=2)
    assert not lineage_of(loop.campaign, 0.001).refused
    loop.audited(LARGE)
    assert promote(loop.context, merge=True).did == "merged" and base(loop) == head


def test_a_command_that_measures_has_no_audit_and_is_promoted_without(tmp_path: Path) -> None:
    loop = Loop(make_repository(tmp_path / "repo"))
    ensure_started(loop.context)
    loop.context.forge.push_branch("nocturne/main", loop.campaign.incumbent)
    commit = win(loop, 1, "LEARNING_RATE", "0.002", score=0.9)
    assert lineage(loop.context, loop.campaign) is None
    assert promote(loop.context, merge=True).did == "merged"
    assert git(loop.top, "rev-parse", "main") == commit


def step(campaign: Campaign, audits: bool = False) -> object:
    moment = datetime(2026, 3, 2, tzinfo=timezone.utc)
    standing = Standing("me", moment, "test", "f", Limits(), 2, 10, lambda holder: False, audits=audits)
    return incumbent_step(campaign, standing)


def test_a_head_that_lacks_its_audit_is_measured_for_it_and_not_for_ever(loop: Trained) -> None:
    loop.win(1, "0.002")
    assert step(loop.campaign) is None, "it was measured since it won"
    wanted = step(loop.campaign, audits=True)
    assert isinstance(wanted, MeasureIncumbent) and wanted.why == "its audit before a promotion"
    assert step(loop.audited(LARGE), audits=True) is None
    loop.win(2, "0.004")
    for place in (4, 5):
        assert isinstance(step(loop.campaign, audits=True), MeasureIncumbent)
        head = loop.campaign.incumbent
        failed = ev.RunFinished(
            run_id(head, place), head, place, place, None, None, {"class": "timeout", "reason": "late"}, {}, "f",
            "bubblewrap", "test", 1.0, 1.0,
        )  # fmt: skip
        loop.context.ledger.append(lambda _, run=failed: [run])  # type: ignore[misc]
    assert step(loop.campaign, audits=True) is None, "a head that fails twice is a human's matter"
