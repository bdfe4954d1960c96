"""Looking while it runs: the screen, the served page, two experiments beside each other, and the best one."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.base.pace import Pace
from bot.base.serving import address_of, server
from bot.errors import UserError
from bot.loop.progress import FILE, POINTS, STALE, ProgressFile, progress_of
from bot.tell.figures.campaign import figures
from bot.tell.page import report_html
from bot.tell.views.watch import watching
from tests.bot.campaigns import NOW, SIGMA, night_of
from tests.bot.repositories import events, git, make_repository, nocturne
from tests.bot.scripted import WINS, Loop
from tests.bot.telling import screen


def test_the_progress_of_the_run_in_hand_is_small_and_nothing_rests_on_it(tmp_path: Path) -> None:
    (tmp_path / "abc-1").mkdir()
    file = ProgressFile(tmp_path, "abc-1", "Raise DEPTH (run 1)")
    assert progress_of(tmp_path) is None
    for step in range(1, 1000):
        file.take(
            {"event": "progress", "fraction": step / 1000, "seconds": step / 10, "loss": 5 - step / 500}
        )
    file.take({"event": "scoring"})
    seen = progress_of(tmp_path)
    assert seen is not None and seen.title == "Raise DEPTH (run 1)" and seen.is_scoring
    assert len(seen.losses) <= POINTS and seen.losses[0] > seen.losses[-1]
    assert seen.seconds_left is None
    path = tmp_path / "abc-1" / FILE
    assert path.stat().st_size < 3000
    for broken in ("{", "[]", '{"run": 1}', '{"run": "a", "title": "b", "losses": ["x"]}'):
        path.write_text(broken)
        assert progress_of(tmp_path) is None
    old = time.time() - STALE - 1
    os.utime(path, (old, old))
    assert progress_of(tmp_path) is None
    file.end()
    assert not path.exists() and progress_of(tmp_path / "nowhere") is None


def test_the_time_left_is_that_of_the_clock_on_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget of four CPU seconds on a machine that has other things to do takes forty."""
    now = 1000.0
    monkeypatch.setattr("bot.base.pace.time.monotonic", lambda: now)
    pace = Pace()
    assert pace.left(0.1) is None, "the start may have taken any time"
    now += 10
    assert pace.left(0.11) is None
    assert pace.left(0.35) == pytest.approx(26.0)
    now += 26
    assert pace.left(1.0) is None


@pytest.mark.parametrize("experiments", [0, 4, 300])
def test_the_screen_fits_however_long_the_night_is(experiments: int) -> None:
    known = figures(night_of(experiments, hostile=False).campaign(), now=NOW, prior_sigma=SIGMA)
    losses = [5 - step / 100 for step in range(POINTS)]
    text = screen(
        watching(known, title="Halve the batch", fraction=0.25, left=90.0, losses=losses, width=100), 100
    )
    assert "Now: Halve the batch\n━━━━━" in text and "25 %, about 90 s of training left" in text
    assert "Training loss █" in text and "5.000 → 4.410" in text and "Next: " in text
    assert len(text.splitlines()) <= 34, text
    assert "nothing trains on this machine" in screen(watching(known, title=None), 100)


def test_watch_and_its_kind_read_and_write_nothing(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo")
    Loop(top, WINS).run(2)
    before, count = git(top, "rev-parse", "nocturne/ledger"), len(events(top))
    shown = nocturne(top, "watch", "--once").stdout
    assert "Now: nothing trains on this machine." in shown and "Next: " in shown
    best = json.loads(nocturne(top, "show", "best", "--json").stdout)
    assert best["landed"] and best["number"] in (1, 2)
    beside = nocturne(top, "diff", "baseline", "best").stdout
    assert f"the baseline and experiment {best['number']}" in beside and "+LEARNING_RATE = " in beside
    assert "± is a 90 % interval" in beside
    assert "The code is the same." in nocturne(top, "diff", "best", "best").stdout
    assert "there is no experiment 9" in nocturne(top, "diff", "1", "9", code=2).stderr
    assert "'x' is no experiment" in nocturne(top, "diff", "1", "x", code=2).stderr
    assert "--serve: 'nine' is no address" in nocturne(top, "report", "--serve", "nine", code=2).stderr
    assert (git(top, "rev-parse", "nocturne/ledger"), len(events(top))) == (before, count)


def test_there_may_be_no_best_experiment(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo")
    Loop(top, []).run(1)
    assert "no experiment's" in nocturne(top, "show", "best", code=2).stderr


@contextmanager
def served(pages: list[str]) -> Iterator[int]:
    with server("127.0.0.1", 0, lambda: (f"v{len(pages)}", pages[-1])) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made.server_port
        finally:
            made.shutdown()
            thread.join()


def ask(
    port: int, path: str, method: str = "GET", host: str | None = None
) -> tuple[int, str, dict[str, str]]:
    there = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    there.request(method, path, headers={"Host": host or f"127.0.0.1:{port}"})
    answer = there.getresponse()
    return answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.getheaders()}


def test_the_served_page_follows_the_campaign_and_only_answers_reads() -> None:
    known = figures(night_of(4).campaign(), now=NOW, prior_sigma=SIGMA)
    pages = [report_html(known, version="v1")]
    with served(pages) as port:
        code, text, headers = ask(port, "/")
        assert code == 200 and text == pages[0] and headers["cache-control"] == "no-store"
        assert "connect-src 'self'" in text and 'data-version="v1"' in text
        assert ask(port, "/version")[:2] == (200, "v1")
        pages.append("news")
        assert ask(port, "/version")[:2] == (200, "v2") and ask(port, "/")[1] == "news"
        for path in ("/../etc/passwd", "/x"):
            assert ask(port, path)[0] == 404
        for method in ("POST", "PUT", "DELETE"):
            assert ask(port, "/", method)[0] == 501
        assert ask(port, "/", "HEAD")[:2] == (200, "")
        assert ask(port, "/", host="evil.example")[0] == 403, "a name that was made to lead here"
        assert ask(port, "/", host=f"localhost:{port}")[0] == 200
        with pytest.raises(UserError, match="name another port"):
            server("127.0.0.1", port, lambda: ("", ""))
    assert "connect-src 'none'" in report_html(known), "the page in a file asks nobody"


def test_addresses() -> None:
    assert address_of("80") == ("127.0.0.1", 80) and address_of("0.0.0.0:81") == ("0.0.0.0", 81)
    assert address_of("[::1]:82") == ("::1", 82)
    for wrong in ("x", "1:2:x", "70000"):
        with pytest.raises(ValueError, match="is no address"):
            address_of(wrong)
