"""The checker's remarks as reviews of the pull request: on the lines they are about, or in words."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from bot.git import Git
from bot.loop.context import open_context
from bot.loop.jobs import propose_next
from bot.rules.events import Reviewed
from bot.rules.proposal import Opinion, Remark
from bot.tell.display import PlainDisplay
from bot.tell.views.review import lines_shown, review_of
from tests.bot.repositories import CONFIG, TRAIN, git, make_repository, nocturne
from tests.bot.test_revising import Checker, Maker
from tests.github.server import serve

LONG = TRAIN + "".join(f"LINE_{number} = {number}\n" for number in range(8, 60))
PERMISSIONS = dict.fromkeys(("contents", "pull-requests", "statuses", "issues", "checks"), "write")
HOSTILE = "Ask @octocat; closes #1 <!-- x --> [a](http://evil.example) `b`\nand | more"


def reviewed(*remarks: tuple[str, int, str]) -> Reviewed:
    told = tuple({"path": path, "line": str(line), "text": text} for path, line, text in remarks)
    return Reviewed(1, 2, True, (), "f", reviewer="a checker", remarks=told)


def test_the_lines_that_a_diff_shows(tmp_path: Path) -> None:
    before, after = LONG.splitlines(), LONG.splitlines()
    after[29:31] = [
        "++ b/other.py",
        "-- a/other.py",
        "@@ -1,9 +1,9 @@",
    ]  # content that looks like a diff's own
    before[49] = "++ b/other.py"
    folder = make_repository(tmp_path / "repo", files={"train.py": "\n".join(before)})
    (folder / "train.py").write_text("\n".join(after))
    (folder / "new.py").write_text("A = 1\nB = 2")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Change")
    shown = lines_shown(Git.open(folder).diff("HEAD~1", "HEAD"))
    assert shown == {"new.py": {1, 2}, "train.py": {*range(27, 36), *range(48, 55)}}
    assert lines_shown("") == {}


def test_remarks_beside_the_diff_are_told_in_words_and_all_of_them_disarmed() -> None:
    diff = "--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-A = 1\n+A = 2\n"
    event = reviewed(("train.py", 1, HOSTILE), ("train.py", 40, "beside it"), ("odd`name.py", 1, HOSTILE))
    made = review_of(event, "approve", HOSTILE, diff)
    assert made is not None
    review, instead = made
    assert review.key == "review/2"
    assert [(each.path, each.line) for each in review.comments] == [("train.py", 1)]
    assert "- `train.py` line 40: beside it" in review.body and "line 1" in review.body.split("odd")[1]
    assert instead.count("\n- ") == 3
    for text in (review.body, instead, *(each.body for each in review.comments)):
        for acted_on in ("@octocat", "#1", "<!--", "[a](http", "http://"):
            assert acted_on not in text, text
    assert review_of(reviewed(), "approve", "Fine.", diff) is None


@pytest.mark.long
@pytest.mark.timeout(120)
def test_a_revised_experiment_has_a_review_for_each_round(tmp_path: Path) -> None:
    first, second = LONG.replace("DROPOUT = 0.2", "DROPOUT = 0.1"), LONG.replace("0.001", "0.004")
    revise = Opinion("revise", "Halve it.", (Remark("train.py", 4, "too far"),), "a checker")
    approve = Opinion("approve", "Sound.", (Remark("train.py", 50, "unused"),), "a checker")
    with serve(tmp_path / "github") as github:
        repository = github.repository("octo/models", private=True, default_branch="main")
        token = github.token("github-actions[bot]", "workflow", repository, PERMISSIONS)
        folder = make_repository(tmp_path / "repo", config=CONFIG, files={"train.py": LONG}, shared=True)
        git(folder, "push", "--quiet", str(repository.path), "main")
        git(folder, "remote", "add", "origin", f"{github.server_url}/{repository.full_name}.git")
        environ = {
            "GITHUB_API_URL": github.api_url, "GITHUB_SERVER_URL": github.server_url, "GITHUB_TOKEN": token,
        }  # fmt: skip
        context = open_context(folder, None, PlainDisplay(io.StringIO()), environ, Maker(first, second))
        assert propose_next(replace(context, reviewer=Checker(revise, approve))) == 1
        bodies = [each.body for each in repository.contents.reviews.values()]
        lines = [(each.path, each.line, each.body) for each in repository.contents.review_comments.values()]
        assert lines == [("train.py", 4, "too far")]
        assert "asks for a revision: Halve it." in bodies[0] and "too far" not in bodies[0]
        assert "finds it sound: Sound." in bodies[1] and "`train.py` line 50: unused" in bodies[1]
        commits = [each.commit for each in repository.contents.reviews.values()]
        assert len(set(commits)) == len(bodies) == 2
        reading = [
            call.path for call in github.calls if call.path.endswith("/reviews") and call.method == "GET"
        ]
        assert reading == []  # whoever opened the pull request knows what is there


def test_without_github_show_tells_them(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", files={"train.py": LONG})
    opinion = Opinion("reject", "It was tried.", (Remark("train.py", 4, "too far"),), "a checker")
    context = open_context(
        folder, None, PlainDisplay(io.StringIO()), {}, Maker(LONG.replace("DROPOUT = 0.2", "DROPOUT = 0.1"))
    )
    assert propose_next(replace(context, reviewer=Checker(opinion))) == 1
    said = nocturne(folder, "show", "1").stdout
    assert "\nreview (review/1):\n" in said and "\ntrain.py, line 4:\ntoo far\n" in said
