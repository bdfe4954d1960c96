"""What README and docs show is true: each command in a block is run, or named here with the reason why not.

Pages for a first night are typed on the bundled task (`test_readme.py`) and on the shape of autoresearch
(`test_real_repositories.py`), `console` blocks, which show what is answered too, by `test_first_hour.py`; all others
here, on a task that needs no torch.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bot.commands.cli import parser
from bot.config import parse
from bot.config.docs import reference
from evaluator.cli import main as evaluate
from tests.bot.repositories import events, git, make_repository, nocturne

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
BY_HAND = {"README.md", "docs/getting-started.md", "docs/repositories.md"}  # see above
NOT_RUN = {
    "make demo": "trains for minutes; `nocturne demo` is run by test_demo.py",
    "make test": "is what runs this",
    "make lint": "is the beginning of what runs this",
    "nocturne demo": "is run by test_demo.py",
    "pip install path/to/nocturne": "reaches a package index; the action installs itself in tests/actions",
    "nocturne-evaluator score .": "trains; tests/evaluator/test_training.py runs it",
}
ACTION = "nocturne/nocturne@" + "1" * 40
SHORTER = {  # what is typed in place of what the page shows, so that it ends soon and needs no clone from GitHub
    "--until 07:00": "--until 07:00 -n 1",
    "-n 5": "-n 1",
    "--github --runners 2": f"--github --runners 2 --action {ACTION}",
    "--github three": f"--github three --action {ACTION}",
    "show 3": "show 1",
    "gh secret set NOCTURNE_CUTS_KEY": "grep -Eqx '[0-9a-f]{64}'",
}
THREE_LINES = "From autoresearch in three lines"

each_page = pytest.mark.parametrize("page", PAGES, ids=NAMES)


def blocks(text: str, *languages: str) -> list[str]:
    return re.findall(rf"```(?:{'|'.join(languages)})\n(.*?)```", text, re.S)


def commands(page: Path) -> list[str]:
    """Return the lines that a page shows to be typed, without their comments."""
    lines = [line for block in blocks(page.read_text(), "sh") for line in block.splitlines()]
    bare = [re.sub(r"(^|\s+)#.*", "", line).strip() for line in lines]
    return [line for line in bare if line]


def section(text: str, title: str) -> str:
    """Return what stands below the heading `title`, up to the next one of its level."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def type_it(folder: Path, line: str, *, timeout: float = 240, shell: bool = True) -> str:
    """Run one line in a shell as a user would, and see that it ends well. Without `shell` a plain command of ours runs
    in the test's own process, and its trainings with it."""
    if not shell and line.startswith("nocturne ") and not set(line) & set("|&;<>$()"):
        return nocturne(folder, *shlex.split(line)[1:]).stdout
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-ec", line],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in BY_HAND and commands(ROOT / name)])
def test_what_a_page_shows_is_run(name: str, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", remote=tmp_path / "origin.git")
    for key, value in {"user.name": "T", "user.email": "t@example.org", "push.default": "current"}.items():
        git(folder, "config", key, value)
    for line in commands(ROOT / name):
        if line in NOT_RUN:
            continue
        for shown, typed in SHORTER.items():
            line = line.replace(shown, typed)
        if "approve 3" in line:
            landed = [event["experiment"] for event in events(folder) if event["kind"] == "experiment_landed"]
            line = line.replace("3", str(landed[0]))
        type_it(folder, line, shell=False)


def test_what_is_not_run_is_little_and_shown_somewhere() -> None:
    shown = {line for page in PAGES for line in commands(page)}
    assert set(NOT_RUN) <= shown
    first_nights = {line for name in sorted(BY_HAND) for line in commands(ROOT / name)}
    typed = set(commands(ROOT / "README.md")) | set(commands(ROOT / "docs/repositories.md"))
    assert first_nights <= typed


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


@each_page
def test_files_and_rooms_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text()
    for path in re.findall(r"`((?:bot|evaluator|tests|docs)/[\w./-]+)`", text):
        there = (ROOT / path).parent if "NAME" in path else ROOT / path
        assert there.exists(), path
    for block in blocks(text, "text"):
        for room in re.findall(r"(?<![\w/])(\w+)/", block):
            assert any((ROOT / above / room).is_dir() for above in (".", "bot", "evaluator", "tests")), room


def test_the_readme_and_the_contents_lead_to_each_page() -> None:
    contents = (ROOT / "docs/README.md").read_text()
    for name in NAMES:
        if name.startswith("docs/") and name != "docs/README.md":
            assert f"({name.removeprefix('docs/')})" in contents, name
    assert "(docs/README.md)" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.stem != "CHANGELOG"], ids=lambda page: page.name
)
def test_commands_in_the_text_are_ones_that_we_have(page: Path) -> None:
    flat = " ".join(re.sub(r"```.*?```", "", page.read_text(), flags=re.S).split())
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"`make ([a-z-]+)", flat)) <= targets
    for line in re.findall(r"`nocturne ([^`]+)`", flat):
        words = line.replace("[", "").replace("]", "").replace("COMMAND", "status")
        for placeholder, value in (("YYYY-MM-DD", "2026-11-30"), ("HH:MM", "07:00"), (r"\bN\b", "1")):
            words = re.sub(placeholder, value, words)
        if "--help" not in words and "--version" not in words:
            parser().parse_args(shlex.split(words))
    for verb in re.findall(r"`nocturne-evaluator ([a-z]+)", flat):
        with pytest.raises(SystemExit) as ended:
            evaluate([verb, "--help"])
        assert ended.value.code == 0


def test_every_verb_is_told_of() -> None:
    verbs = next(action.choices for action in parser()._actions if isinstance(action.choices, dict))
    text = (ROOT / "docs/commands.md").read_text().partition("\n## In comments")[0]
    named = set(re.findall(r"nocturne ([a-z-]+)", text)) | set(re.findall(r"`([a-z]+)[ `]", text))
    assert set(verbs) <= named


@each_page
def test_configurations_are_valid(page: Path) -> None:
    text = page.read_text()
    for block in blocks(text, "yaml") + re.findall(r"^\| `((?:editable|evaluator): [^`]+)` \|", text, re.M):
        campaign = "optimizer" if "campaigns:" in block else None
        assert parse(block, campaign=campaign)[0] == (campaign or "main"), block


def test_the_reference_of_the_configuration_is_the_committed_one() -> None:
    assert (ROOT / "docs/configuration.md").read_text() == reference(), "run `make schema`"


def test_messages_that_troubleshooting_explains_are_said() -> None:
    sources = [path for folder in ("bot", "evaluator") for path in (ROOT / folder).rglob("*.py")]
    said = "\n".join(path.read_text() for path in [*sources, *(ROOT / ".github").glob("*.sh")])
    rows = re.findall(r"^\| (.+?) \| .+ \|$", (ROOT / "docs/troubleshooting.md").read_text(), re.M)
    quoted = [text for row in rows for text in re.findall(r"`([^`/]+)`", row)]
    assert len(quoted) > 10
    for text in quoted:
        assert all(part.strip() in said for part in text.split("…")), text


def test_shapes_that_the_page_names_are_there() -> None:
    from tests.benchmarks.repositories.catalogue import SHAPES

    text = (ROOT / "docs/repositories.md").read_text()
    names = {shape.name for shape in SHAPES}
    for chosen in re.findall(r'ONLY="([^"]+)"', text):
        assert set(chosen.split()) <= names
    assert "shapes of thirty repositories" in text
    assert len(SHAPES) == 30


def test_three_lines_are_three() -> None:
    for text in (
        section((ROOT / "docs/repositories.md").read_text(), THREE_LINES),
        section((ROOT / "README.md").read_text(), "Add it to your repository"),
    ):
        lines = blocks(text, "sh")[0].strip().splitlines()
        assert len(lines) == 3
        assert lines[0].startswith("pip install ")
