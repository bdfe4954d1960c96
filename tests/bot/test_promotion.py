"""The promotion on the local forge and on GitHub: opened, kept up to date, merged, closed, never doubled."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import pytest

from bot.errors import UserError
from bot.forge import PullRequest
from bot.git import patience
from bot.loop.promoting import keep_up, promote, promote_at_stop
from bot.loop.reconciling import reconcile
from bot.loop.start import ensure_started
from bot.loop.taking_in import take_in
from bot.rules import events as ev
from bot.rules.stopping import Stop
from tests.bot.forge_readers import readable
from tests.bot.repositories import CONFIG, git, kill_group, make_repository, nocturne, start
from tests.bot.scripted import WHEN, WINS, Loop, recorded, win
from tests.github import plumbing
from tests.github.faults import Fault
from tests.github.server import GitHub, serve

pytestmark = pytest.mark.usefixtures("people_read")

PERMISSIONS = {"contents": "write", "pull-requests": "write", "statuses": "write", "issues": "write"}
LINKED = re.compile(r"^\| \[?(\d+)", re.M)  # the experiments of a promotion's table


@dataclass
class Home:
    """A repository with a campaign that has begun, and where its pull requests are."""

    folder: Path
    top: Path
    environ: dict[str, str]
    github: GitHub | None = None

    def __post_init__(self) -> None:
        self.loop = self.again()
        ensure_started(self.loop.context)
        self.loop.context.forge.push_branch("nocturne/main", self.loop.campaign.incumbent)

    def again(self) -> Loop:
        """Return one more process on the campaign."""
        return Loop(self.top, WINS, self.environ)

    def win(self, number: int, rate: float, *, score: float, reverts: int | None = None) -> str:
        """Merge an experiment, and do what the loop does then."""
        commit = win(self.loop, number, "LEARNING_RATE", str(rate), score=score, reverts=reverts)
        keep_up(self.loop.context, self.loop.campaign)
        return commit

    def promotion(self) -> PullRequest:
        known = self.loop.campaign.promotion
        assert known is not None
        return readable(self.again().context.forge).get_pull(known.pull)

    def labels(self, number: int) -> list[str]:
        if self.github is not None:
            return sorted(self.github.repository("octo/models").contents.issues[number].labels)
        return readable(self.again().context.forge).labels(number)

    def base(self) -> str:
        if self.loop.context.remote.kind == "embedded":
            return git(self.top, "rev-parse", "main")
        return self.loop.context.forge.branch_head("main") or ""

    def merge(self, how: str) -> str:
        """Merge the promotion as a human does, and have main here; return where it is then."""
        known = self.loop.campaign.promotion
        assert known is not None
        if self.github is not None:
            human = self.github.token("octo", kind="pat")
            answer = self.again_as(human).request("PUT", f"/pulls/{known.pull}/merge", {"merge_method": how})
            assert answer["merged"]
            git(self.top, "fetch", "--quiet", str(self.github.repository("octo/models").path), "main")
            git(self.top, "merge", "--quiet", "--ff-only", "FETCH_HEAD")
        else:
            words = {"merge": ["--no-ff"], "squash": ["--squash"]}[how]
            git(self.top, "merge", "--quiet", *words, "nocturne/main")
            if how == "squash":
                git(self.top, "commit", "--quiet", "--message", "Squashed")
            if self.loop.context.remote.kind == "git":
                git(self.top, "push", "--quiet", "origin", "main")
        return git(self.top, "rev-parse", "main")

    def again_as(self, token: str):  # type: ignore[no-untyped-def]
        forge = Loop(self.top, WINS, self.environ | {"GITHUB_TOKEN": token}).context.forge
        return forge.client  # type: ignore[attr-defined]


def homes(quick: str, long: str, slow: str) -> pytest.MarkDecorator:
    """Run a test in one home with the quick tests, in another with the long ones, and in the last with the slow."""
    marked = (pytest.param(long, marks=pytest.mark.long), pytest.param(slow, marks=pytest.mark.slow))
    return pytest.mark.parametrize("home", [quick, *marked], indirect=True)


def embedded(folder: Path) -> Home:
    return Home(folder, make_repository(folder / "repo"), {})


def bare(folder: Path) -> Home:
    return Home(folder, make_repository(folder / "repo", remote=folder / "origin.git"), {})


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("github", marks=pytest.mark.long),
        pytest.param("bare", marks=pytest.mark.slow),
    ]
)
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    if request.param != "github":
        yield {"embedded": embedded, "bare": bare}[request.param](tmp_path)
        return
    with on_github(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def github_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with on_github(tmp_path, monkeypatch) as made:
        yield made


class on_github:
    """A private repository on the server, and a clone of it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(patience, "PAUSE", 0.0)
        monkeypatch.setattr("bot.forge.github_client.PAUSE", 0.0)
        self.folder, self.serving = folder, serve(folder / "github")

    def __enter__(self) -> Home:
        github = self.serving.__enter__()
        repository = github.repository("octo/models", private=True, default_branch="main")
        token = github.token("github-actions[bot]", "workflow", repository, PERMISSIONS)
        top = make_repository(self.folder / "repo", shared=True)
        git(top, "push", "--quiet", str(repository.path), "main")
        git(top, "remote", "add", "origin", f"{github.server_url}/octo/models.git")
        environ = {
            "GITHUB_API_URL": github.api_url,
            "GITHUB_SERVER_URL": github.server_url,
            "GITHUB_TOKEN": token,
        }
        return Home(self.folder, top, environ, github)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.serving.__exit__(kind, error, where)


def test_it_opens_at_the_first_merge_and_is_kept_up_to_date(home: Home) -> None:
    base = home.base()
    keep_up(home.loop.context, home.loop.campaign)
    assert home.loop.campaign.promotion is None, "nothing is confirmed yet"
    first = home.win(1, 0.002, score=1.0)
    opened = home.promotion()
    assert (opened.state, opened.head, opened.base, opened.head_sha) == (
        "open",
        "nocturne/main",
        "main",
        first,
    )
    assert re.fullmatch(r"Nocturne: loss 1\.10+ → 1\.010*, 1 change, not confirmed", opened.title), (
        opened.title
    )
    assert home.labels(opened.number) == ["nocturne", "nocturne:promotion"]
    second = home.win(2, 0.004, score=0.9)
    known = home.promotion()
    assert (known.number, known.head_sha, known.state) == (opened.number, second, "open")
    assert re.fullmatch(r"Nocturne: loss 1\.10+ → 0\.910*, 2 changes, not confirmed", known.title), (
        known.title
    )
    assert LINKED.findall(known.body) == ["1", "2"] and "Set LEARNING\\_RATE to 0.004" in known.body
    # The runs that won don't count: 0.91 after the win, 1.1 before.
    assert re.search(r"\*\*Gain, corrected for bias: better by 0\.190* ± ", known.body)
    assert "**Not confirmed yet:**" in known.body and "`nocturne confirm` does it" in known.body
    assert "- `train.py`: +1 −1" in known.body
    assert home.base() == base, "nobody moves the base branch unasked"
    before = len(recorded(home.top if home.github is None else ledger(home), ev.PromotionShown))
    keep_up(home.again().context, home.again().campaign)
    assert promote(home.again().context, merge=False).did == "unchanged"
    assert len(recorded(home.top if home.github is None else ledger(home), ev.PromotionShown)) == before == 2


def ledger(home: Home) -> Path:
    assert home.github is not None
    return home.github.repository("octo/models").path


def test_it_merges_by_fast_forward_of_what_was_measured(home: Home) -> None:
    home.win(1, 0.002, score=1.0)
    done = promote(home.again().context, merge=True)
    assert done.did == "merged" and done.pull == home.loop.campaign.promotions[0].pull
    assert home.base() == home.loop.campaign.incumbent
    assert home.promotion().state == "merged"
    if home.loop.context.remote.kind == "embedded":
        assert "LEARNING_RATE = 0.002" in (home.top / "train.py").read_text()
        assert git(home.top, "status", "--porcelain") == ""
    assert promote(home.again().context, merge=True).did == "nothing"
    assert [p.state for p in home.loop.campaign.promotions] == ["merged"]
    # A merged one is followed by a new one, which tells of the new only.
    home.win(2, 0.004, score=0.9)
    known = home.promotion()
    assert len(home.loop.campaign.promotions) == 2 and known.state == "open"
    assert LINKED.findall(known.body) == ["2"] and "1 change," in known.title


@pytest.mark.long
@pytest.mark.parametrize(
    "home",
    ["github", *(pytest.param(each, marks=pytest.mark.slow) for each in ("embedded", "bare"))],
    indirect=True,
)
def test_closed_by_a_human_it_stays_closed_until_somebody_asks(home: Home) -> None:
    home.win(1, 0.002, score=1.0)
    first = home.promotion().number
    home.again().context.forge.edit_pull(first, close=True)
    home.win(2, 0.004, score=0.9)
    home.win(3, 0.005, score=0.8)
    assert [(p.pull, p.state) for p in home.loop.campaign.promotions] == [(first, "closed")]
    promote_at_stop(home.loop.context, home.loop.campaign, Stop("experiments", "3 are done"))
    assert len(home.loop.campaign.promotions) == 1
    done = promote(home.loop.context, merge=False)
    assert done.did == "opened" and done.pull is not None and done.pull > first
    assert LINKED.findall(home.promotion().body) == ["1", "2", "3"]
    assert readable(home.again().context.forge).get_pull(first).state == "closed"
    home.win(4, 0.006, score=0.7)
    assert home.promotion().number == done.pull and "4 changes," in home.promotion().title


@pytest.mark.parametrize(
    ("home", "how"),
    [
        ("embedded", "squash"),
        ("bare", "merge"),
        ("github", "rebase"),  # a way of GitHub's alone
        pytest.param("github", "squash", marks=pytest.mark.slow),
        pytest.param("github", "merge", marks=pytest.mark.long),
        pytest.param("embedded", "merge", marks=pytest.mark.slow),
        pytest.param("bare", "squash", marks=pytest.mark.slow),
    ],
    indirect=["home"],
)
def test_after_a_humans_merge_the_next_one_shows_only_what_is_new(home: Home, how: str) -> None:
    home.win(1, 0.002, score=1.0)
    merged = home.merge(how)
    taken = take_in(home.loop.context, reconcile(home.loop.context)).incumbent
    assert git(home.top, "merge-base", "--is-ancestor", merged, taken) == ""
    second = home.win(2, 0.004, score=0.9)
    known = home.promotion()
    assert LINKED.findall(known.body) == ["2"] and known.state == "open" and known.head_sha == second
    assert git(home.top, "diff", "--name-only", f"main...{second}") == "train.py"
    assert "+LEARNING_RATE = 0.004" in git(home.top, "diff", f"main...{second}")
    if home.github is not None:
        assert [p.state for p in home.loop.campaign.promotions] == ["merged", "open"]


@pytest.mark.long
@pytest.mark.parametrize(
    "home",
    ["github", *(pytest.param(each, marks=pytest.mark.slow) for each in ("embedded", "bare"))],
    indirect=True,
)
def test_reverted_changes_are_left_out(home: Home) -> None:
    home.win(1, 0.002, score=1.0)
    home.win(2, 0.004, score=0.9)
    home.win(3, 0.002, score=0.9, reverts=2)
    known = home.promotion()
    assert LINKED.findall(known.body) == ["1"] and "taken out again, so not counted: 2." in known.body
    home.win(4, 0.001, score=0.9, reverts=1)
    assert home.promotion().state == "closed"
    assert [p.state for p in home.loop.campaign.promotions] == ["empty"]
    home.win(5, 0.003, score=0.8)
    assert LINKED.findall(home.promotion().body) == ["5"] and home.promotion().state == "open"


@homes("embedded", "github", "bare")
def test_nothing_untested_is_merged(home: Home) -> None:
    home.win(1, 0.002, score=1.0)
    base, context = home.base(), home.loop.context
    mine = context.git.commit_files(home.loop.campaign.incumbent, {"notes.md": b"By hand"}, "By hand", WHEN)
    context.forge.push_branch("nocturne/main", mine)
    with pytest.raises(UserError, match="moves at this moment"):
        promote(home.again().context, merge=True)
    reconcile(context)
    with pytest.raises(UserError, match="is not measured yet"):
        promote(home.again().context, merge=True)
    assert home.base() == base and home.promotion().state == "open"


@homes("github", "embedded", "bare")
def test_a_base_that_moved_is_not_overtaken(home: Home) -> None:
    home.win(1, 0.002, score=1.0)
    (home.top / "README.md").write_text("New\n")
    git(home.top, "add", "--all")
    git(home.top, "commit", "--quiet", "--message", "By hand")
    if home.github is not None:
        git(home.top, "push", "--quiet", str(ledger(home)), "main")
    elif home.loop.context.remote.kind == "git":
        git(home.top, "push", "--quiet", "origin", "main")
    with pytest.raises(UserError, match="the next experiment takes them in and measures them"):
        promote(home.again().context, merge=True)
    assert home.promotion().state == "open"


def configured(tmp_path: Path, text: str) -> Home:
    return Home(tmp_path, make_repository(tmp_path / "repo", config=f"{CONFIG}promotion: {text}\n"), {})


def test_only_where_somebody_asks(tmp_path: Path) -> None:
    home = configured(tmp_path, "{open: asked}")
    home.win(1, 0.002, score=1.0)
    promote_at_stop(home.loop.context, home.loop.campaign, Stop("goal", "reached"))
    assert home.loop.campaign.promotions == []
    said = nocturne(home.top, "promote").stdout
    assert "is open: 1 change, not confirmed" in said
    home.win(2, 0.004, score=0.9)
    assert "2 changes," in home.promotion().title


def test_the_bot_merges_where_the_configuration_says_so(tmp_path: Path) -> None:
    home = configured(tmp_path, "{merge: bot}")
    home.win(1, 0.002, score=1.0)
    base = home.base()
    for reason in ("crashes", "baseline", "paused"):
        promote_at_stop(home.loop.context, home.loop.campaign, Stop(reason, "no"))
        assert home.base() == base
    promote_at_stop(home.loop.context, home.loop.campaign, Stop("experiments", "1 is done"))
    assert (
        home.base() == base and "the promotion waits: head and baseline were not run side" in home.loop.said
    )
    running = replace(home.loop.context, may_run=True)
    promote_at_stop(running, home.loop.campaign, Stop("experiments", "1 is done"))
    assert home.base() == home.loop.campaign.incumbent == git(home.top, "rev-parse", "main")
    assert len(home.loop.campaign.side_by_side) == 4 and "main is at " in home.loop.said


def test_what_is_in_the_way_in_the_own_clone_is_said(tmp_path: Path) -> None:
    home = embedded(tmp_path)
    home.win(1, 0.002, score=1.0)
    (home.top / "train.py").write_text("# mine\n")
    said = nocturne(home.top, "promote", "--merge", code=2).stderr
    assert "main can't be moved forward to" in said and "commit or stash" in said and said.count("\n") == 1
    git(home.top, "checkout", "--quiet", "train.py")
    git(home.top, "checkout", "--quiet", "-b", "other")
    assert "is merged" in nocturne(home.top, "promote", "--merge").stdout
    assert git(home.top, "rev-parse", "main") == home.loop.campaign.incumbent
    assert "LEARNING_RATE = 0.001" in (home.top / "train.py").read_text()


PROTECTED = """#!/bin/sh
while read old new ref; do
  [ "$ref" != refs/heads/main ] || { echo "protected branch hook declined"; exit 1; }
done
"""


def test_a_protected_base_ends_in_one_line_and_loses_nothing(tmp_path: Path) -> None:
    home = bare(tmp_path)
    home.win(1, 0.002, score=1.0)
    hook = tmp_path / "origin.git/hooks/pre-receive"
    hook.write_text(PROTECTED)
    hook.chmod(0o755)
    said = nocturne(home.top, "promote", "--merge", code=2).stderr
    assert (
        "main was not moved" in said and "merge local:nocturne/main by hand" in said and said.count("\n") == 1
    )
    assert home.promotion().state == "open" and home.loop.campaign.promotions[-1].state == "open"
    hook.unlink()
    assert promote(home.again().context, merge=True).did == "merged"


def test_a_failing_promotion_does_not_end_the_loop(tmp_path: Path) -> None:
    home = bare(tmp_path)
    git(tmp_path / "origin.git", "update-ref", "-d", "refs/heads/main")
    home.win(1, 0.002, score=1.0)
    assert (
        "the promotion waits: the remote has no branch main: push it by `git push origin main`"
        in home.loop.said
    )
    git(home.top, "push", "--quiet", "origin", "main")
    keep_up(home.loop.context, home.loop.campaign)
    assert home.promotion().state == "open"


# Kills and failures

DIES = """#!/bin/sh
[ -f "$GIT_DIR/pushes-left" ] || exit 0
left=$(($(cat "$GIT_DIR/pushes-left") - 1))
echo $left > "$GIT_DIR/pushes-left"
[ $left -gt 0 ] || kill -9 0
"""


@pytest.mark.long
@pytest.mark.parametrize("hook", ["post-receive", "pre-receive"])
def test_killed_at_each_push_it_is_opened_and_merged_once(tmp_path: Path, hook: str) -> None:
    home = bare(tmp_path)
    win(home.loop, 1, "LEARNING_RATE", "0.002", score=1.0)
    origin = tmp_path / "origin.git"
    (origin / "hooks" / hook).write_text(DIES)
    (origin / "hooks" / hook).chmod(0o755)
    deaths, pushes = 0, 1
    for _ in range(20):
        (origin / "pushes-left").write_text(str(pushes))
        process = start(home.top, "promote", "--merge")
        try:
            process.communicate(timeout=60)
        finally:
            kill_group(process)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        deaths += 1
        pushes = 1 if hook == "post-receive" else pushes + 1
    (origin / "pushes-left").unlink()
    assert process.returncode == 0 and deaths >= (4 if hook == "post-receive" else 3)
    assert [p.state for p in home.loop.campaign.promotions] == ["merged"]
    assert len(recorded(home.top, ev.PromotionOpened)) == len(recorded(home.top, ev.PromotionEnded)) == 1
    assert git(origin, "rev-parse", "main") == home.loop.campaign.incumbent


KINDS: tuple[Callable[[], Fault] | Fault, ...] = (
    Fault.before, Fault.after, Fault.bad_gateway, Fault.forbidden(retry_after=0), Fault.reset,
)  # fmt: skip


@pytest.mark.long
def test_each_call_to_github_may_fail(github_home: Home) -> None:
    home, github = github_home, github_home.github
    assert github is not None
    win(home.loop, 1, "LEARNING_RATE", "0.002", score=1.0)
    start_at = github.faults.count
    keep_up(home.loop.context, home.loop.campaign)
    opening = github.faults.count - start_at
    number, walked = 2, 0
    for kind in KINDS:
        for index in range(opening):
            github.faults.at(index, kind)  # type: ignore[arg-type]
            home.win(number, round(0.002 + number / 10_000, 6), score=1.0 - number / 1000)
            github.faults.at(index, kind)  # type: ignore[arg-type]
            keep_up(home.again().context, home.again().campaign)
            number, walked = number + 1, walked + 1
            if number > 8:
                break
    contents = github.repository("octo/models").contents
    promotions = [issue for issue in contents.issues.values() if issue.pull and issue.pull.base == "main"]
    assert len(promotions) == 1 and walked >= 5
    assert [p.pull for p in home.loop.campaign.promotions] == [promotions[0].number]


@pytest.mark.long
def test_what_it_costs(github_home: Home) -> None:
    home, github = github_home, github_home.github
    assert github is not None
    costs = []
    for number in (1, 2, 3):
        win(home.loop, number, "LEARNING_RATE", f"0.00{number + 1}", score=1.0 - number / 10)
        before = len(github.calls)
        keep_up(home.loop.context, home.loop.campaign)
        costs.append(
            [f"{call.method} {call.path.rpartition('/models')[2]}" for call in github.calls[before:]]
        )
    number = home.promotion().number
    assert costs[1] == costs[2] == [f"PATCH /issues/{number}"], costs
    assert len(costs[0]) <= 5, costs  # looked for, opened, labelled; and two labels coloured, once for ever
    before = len(github.calls)
    keep_up(home.again().context, home.again().campaign)
    assert github.calls[before:] == [], "an experiment that does not merge costs nothing"
    assert plumbing.is_ancestor(github.repository("octo/models").path, "main", "nocturne/main")
