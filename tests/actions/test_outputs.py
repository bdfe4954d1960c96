"""What steps tell the runner of GitHub Actions: outputs, summary, log commands; and what can't be slipped in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.github.files import SUMMARY_LIMIT, add_summary, command, harmless, set_outputs
from tests.bot.repositories import CONFIG, make_repository, nocturne


def read_outputs(path: Path) -> dict[str, str]:
    """Read a file of outputs as the runner does."""
    found, lines = {}, path.read_text().splitlines()
    while lines:
        name, _, mark = lines.pop(0).partition("<<")
        end = lines.index(mark)
        found[name] = "\n".join(lines[:end])
        lines = lines[end + 1 :]
    return found


@pytest.mark.parametrize("value", ["plain", "two\nlines", "end-0\nstop<<x", "a<<b\nb\nc=d", "", "ünïcödé ::"])
def test_an_output_is_one_output_whatever_it_holds(tmp_path: Path, value: str) -> None:
    environ = {"GITHUB_OUTPUT": str(tmp_path / "out")}
    set_outputs(environ, {"before": True, "text": value})
    set_outputs(environ, {"after": 1})
    assert read_outputs(tmp_path / "out") == {"before": "true", "text": value, "after": "1"}


@pytest.mark.parametrize(
    "text", ["::set-output name=x::y", "  ::stop-commands::now", "a\n::error::b", "##[error]x", "x ##[group]"]
)
def test_no_text_is_a_command(text: str) -> None:
    shown = harmless(text)
    assert not re.search(r"(?m)^\s*::", shown) and "##[" not in shown
    line = command("notice", text, title="a: b, c")
    assert "\n" not in line and line.startswith("::notice title=a%3A b%2C c::")


def test_a_summary_stays_within_its_limit(tmp_path: Path) -> None:
    environ = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    for _ in range(40):
        add_summary(environ, "x" * 50_000)
    size = (tmp_path / "summary").stat().st_size
    assert SUMMARY_LIMIT - 100_000 < size < SUMMARY_LIMIT


def test_one_iteration_tells_its_story(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=CONFIG)
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "out"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    said = nocturne(folder, "iterate", env=environ).stdout
    told = read_outputs(tmp_path / "out")
    assert (told["experiment"], told["pull-request"], told["stop"]) == ("1", "1", "")
    assert told["verdict"] in ("improved", "discarded", "inconclusive") and float(told["score"]) > 0
    summary = (tmp_path / "summary").read_text()
    assert summary.startswith("## Experiment 1: ") and f"**{told['verdict']}**: " in summary
    assert said.count("::group::") == said.count("::endgroup::") >= 3
    assert (
        f"::notice title=Nocturne::1  {'merged' if told['verdict'] == 'improved' else told['verdict']}"
        in said
    )


def test_a_mistake_is_an_annotation(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config="nonsense: 1\n")
    done = nocturne(folder, "iterate", env={"GITHUB_ACTIONS": "true"}, code=2)
    assert done.stdout.startswith("::error title=Nocturne::.github/nocturne.yml: nonsense: unknown key")


def test_there_is_no_next_run_outside_of_github(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    assert "not on GitHub" in nocturne(folder, "next", code=2).stderr
