"""What people share of a campaign: the labelled staircase, what was merged against the baseline, and the picture."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from PIL import Image

from bot.rules import events as ev
from bot.tell.charts.labels import labels_of
from bot.tell.charts.raster import progress_png, share_png
from bot.tell.charts.svg import frame_of, progress_svg
from bot.tell.figures.campaign import Figures, figures
from bot.tell.figures.net import Net
from bot.tell.page import page_data, report_html
from bot.tell.words import where_words
from tests.bot.campaigns import NOW, SIGMA, Night, commit_of, diff_of, night_of


def seen(night: Night, unread: int | None = None) -> Figures:
    return figures(night.campaign(), now=NOW, prior_sigma=SIGMA, max_unread=unread)


def turning(
    night: Night, number: int, name: str, old: str, new: str, verdict: ev.Verdict = "improved"
) -> None:
    """Make an experiment that moves one constant."""
    begun = len(night.recorded)
    night.experiment(number, verdict, f"Set {name} to {new}")
    for place, recorded in enumerate(night.recorded[begun:], begun):
        if isinstance(recorded.event, ev.ExperimentProposed):
            change = {"file": "train.py", "name": name, "old": old, "new": new}
            night.recorded[place] = replace(recorded, event=replace(recorded.event, changes=(change,)))


def test_what_was_merged_is_told_against_the_baseline() -> None:
    night = Night()
    night.baseline()
    turning(night, 1, "RATE", "0.1", "0.2")
    turning(night, 2, "DEPTH", "8", "9", "discarded")
    turning(night, 3, "RATE", "0.2", "0.4")
    turning(night, 4, "WIDTH", "64", "128")
    turning(night, 5, "WIDTH", "128", "64")
    night.experiment(6, "improved", "Rewrite the loop")
    of = seen(night)
    assert of.merged.constants == (Net("train.py", "RATE", "0.1", "0.4", (1, 3)),)
    assert of.merged.beside == (6,)
    page = report_html(replace(of, whole_diff=diff_of(1)))
    assert page.index('id="merged"') < page.index('id="reading-title"') and 'id="whole-diff"' in page
    assert re.search(r"<code>RATE</code></td><td><code>0.1</code></td><td><code>0.4</code>", page)
    assert page_data(replace(of, whole_diff=diff_of(1)))["wholeDiff"] == diff_of(1)
    assert 'id="merged"' not in report_html(seen(Night()))


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("size", [(1120, 400), (400, 360)])
@pytest.mark.parametrize("experiments", [4, 30, 300])
def test_steps_are_labelled_within_the_picture_over_no_run_and_not_over_each_other(
    experiments: int, size: tuple[int, int], direction: ev.Direction
) -> None:
    of = seen(night_of(experiments, hostile=False, direction=direction))
    frame = frame_of(of, *size)
    labels = labels_of(of, frame)
    steps = [stair for stair in of.staircase if stair.experiment is not None]
    assert min(len(steps), 2) <= len(labels) <= len(steps)
    boxes = []
    for label in labels:
        left = label.x if label.anchor == "start" else label.x - 7 * len(label.text)
        assert left >= frame.left and left + 7 * len(label.text) <= frame.right
        assert frame.top <= label.y <= frame.bottom
        boxes.append((left, left + 7 * len(label.text), label.y))
    for place, one in enumerate(boxes):
        for other in boxes[place + 1 :]:
            assert one[1] <= other[0] or other[1] <= one[0] or abs(one[2] - other[2]) >= 12
        for dot in of.dots:
            if dot.score is not None:
                x, y = frame.x.at(dot.place), frame.y.at(dot.score)
                assert not (one[0] < x < one[1] and one[2] - 10 < y < one[2])
    text = progress_svg(of)
    assert all(f">{label.text}</text>" in text for label in labels_of(of, frame_of(of, 1040, 400)))


def test_the_axis_counts_experiments() -> None:
    night = Night()
    night.baseline(3)
    night.experiment(1, "lost", "Gone")
    night.experiment(2, "improved", "Yes")
    of = seen(night)
    assert [(dot.place, dot.experiment) for dot in of.dots] == [
        (0, None), (0, None), (0, None), (2, 2), (2, 2), (2.5, None),
    ]  # fmt: skip
    assert [(stair.place, stair.experiment) for stair in of.staircase] == [(0, None), (2, 2)]
    assert "experiments, in the order they began" in progress_svg(of)


def test_what_is_held_has_a_look_of_its_own() -> None:
    night = night_of(2, hostile=False)
    commit = commit_of("held")
    night.add(ev.ExperimentClaimed(3, night.incumbent))
    night.add(ev.ExperimentProposed(3, "Wait", "batch", "Because", "small", "low", "offline"))
    night.add(ev.CandidateBuilt(3, 1, night.incumbent, commit, 3, 2))
    night.add(ev.PullOpened(3, 103, "nocturne/3", "https://example.org/pull/103"))
    night.add(ev.Reviewed(3, 1, True, (), "f"))
    night.run(commit, 3, score=0.99)
    night.add(
        ev.ExperimentDecided(3, 1, "improved", True, -0.003, 0.001, SIGMA, 0.99, 0.993, 1, 2, "better", "")
    )
    night.add(ev.LandingHeld(3, 1, 1, 0))
    of = seen(night, unread=0)
    assert [row.look for row in of.rows] == ["improved", "discarded", "held"]
    text = progress_svg(of)
    assert 'class="dots held"' in text and "held for a reader" in text
    assert page_data(of)["rows"][-1]["look"] == "held"


def test_dead_branches_hang_on_the_incumbent_that_they_were_tried_on() -> None:
    page = report_html(seen(night_of(30, hostile=False)))
    lineage = page[page.index('id="lineage"') : page.index('id="curves"')]
    assert lineage.count('<ul class="branches">') == 3  # nothing but the winner was tried on the baseline
    branches = re.findall(r'<a class="try (\w+)" href="#e(\d+)"', lineage)
    assert sorted(int(number) for _, number in branches) == [n for n in range(2, 31) if n not in (11, 21)]
    assert "improved" not in {look for look, _ in branches}


def test_a_picture_to_share_has_title_gain_and_chart() -> None:
    of = replace(seen(night_of(12, hostile=False)), repository="octo/repo")
    assert where_words(of) == "octo/repo · 1x H100 · 2026-03-08 21:00 to 2026-03-09 00:22 UTC"
    assert f'<p class="where">{where_words(of)}</p>' in report_html(of)
    picture = Image.open(io.BytesIO(share_png(of)))
    assert (picture.format, picture.size) == ("PNG", (2400, 1260))
    other = Image.open(io.BytesIO(share_png(replace(of, repository="octo/other"))))
    # Only the first line differs: the rest is drawn from the figures.
    assert picture.crop((0, 120, 2400, 1260)).tobytes() == other.crop((0, 120, 2400, 1260)).tobytes()
    assert picture.crop((0, 0, 2400, 120)).tobytes() != other.crop((0, 0, 2400, 120)).tobytes()
    colours = picture.getcolors(2400 * 1260) or []
    green = sum(many for many, (red, green, _) in colours if green > red + 60)  # type: ignore[misc]
    assert green > 5_000, "gain and staircase"


@pytest.mark.parametrize("draw", [share_png, progress_png])
def test_a_picture_of_nothing_says_what_to_do(draw: object) -> None:
    assert callable(draw)
    picture = Image.open(io.BytesIO(draw(seen(Night()))))
    assert len(picture.getcolors(picture.width * picture.height) or []) > 10
    assert "nocturne run measures the baseline" in progress_svg(seen(Night()))
