"""What `nocturne init` asks and writes, and what `uninstall` takes away again."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.bot.repositories import CONFIG as FORMULA
from tests.bot.repositories import command_line, git, make_repository, nocturne

CONFIG = ".github/nocturne.yml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository without a commit whose origin can't be reached."""
    top = tmp_path / "repo"
    git(tmp_path, "init", "--quiet", "--template=", "--initial-branch=main", str(top))
    git(top, "remote", "add", "origin", "https://user:secret@example.org/a/b.git")
    return top


def written(folder: Path) -> object:
    return yaml.safe_load((folder / CONFIG).read_text())


def test_without_a_terminal_nothing_is_asked_and_nothing_goes_to_a_remote(folder: Path) -> None:
    said = nocturne(folder, "init").stdout
    assert "everything stays in this clone" in said and "--remote origin" in said and "secret" not in said
    assert written(folder) is None


def test_a_script_can_say_it(folder: Path) -> None:
    assert "everything stays" not in nocturne(folder, "init", "--no-remote").stdout
    assert written(folder) is None
    assert "write `remote: origin` into it" in nocturne(folder, "init", "--remote", "origin", code=2).stderr
    (folder / CONFIG).unlink()
    assert "no such remote" in nocturne(folder, "init", "--remote", "mine", code=2).stderr
    assert "contradict" in nocturne(folder, "init", "--remote", "origin", "--no-remote", code=2).stderr
    assert not (folder / CONFIG).exists()
    nocturne(folder, "init", "--remote", "origin")
    assert written(folder) == {"remote": "origin"}


def at_a_terminal(folder: Path, answer: str, *words: str) -> str:
    """Run a command whose streams are a terminal where `answer` is typed, and return what is seen there."""
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    env = os.environ | {"COLUMNS": "200"}
    process = subprocess.Popen(
        command_line(*words), cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # with which Linux says that nobody is at the other end any more
        while more := os.read(ours, 65536):
            seen += more
    os.close(ours)
    assert process.wait(timeout=60) == 0, seen
    return seen.decode()


@pytest.mark.long
@pytest.mark.parametrize(("answer", "expected"), [("y", {"remote": "origin"}), ("", None)])
def test_at_a_terminal_it_asks_once_and_says_who_will_see_it(
    folder: Path, answer: str, expected: object
) -> None:
    said = at_a_terminal(folder, answer, "init")
    assert "go to origin (https://example.org/a/b.git)" in said and "Whoever may read that repository" in said
    assert written(folder) == expected
    assert "Whoever" not in at_a_terminal(folder, answer, "init"), "the configuration says it now"


ACTION = f"acme/nocturne@{'a' * 40}"
COMMAND = (
    "evaluator: {kind: command, command: [python3, bench.py], metric: {name: loss}}\neditable: [bench.py]\n"
)


def configured(folder: Path, text: str) -> None:
    (folder / CONFIG).parent.mkdir(exist_ok=True)
    (folder / CONFIG).write_text(text)


def test_without_a_known_action_nothing_is_written(folder: Path) -> None:
    said = nocturne(folder, "init", "--github", "--action", "work/main", code=2).stderr
    assert "OWNER/NAME@COMMIT" in said and not (folder / CONFIG).exists()


def test_what_remains_to_do_fits_the_configuration(folder: Path) -> None:
    configured(folder, COMMAND + "proposer: claude\n")
    said = nocturne(folder, "init", "--github", "--action", ACTION).stdout
    assert "prepare.py" not in said and "--starter" not in said
    assert "bench.py is missing" in said and "program.md is missing" in said
    assert "the secret ANTHROPIC_API_KEY" in said and "no secret is needed" not in said
    assert "write `remote: origin` into" in said and "git push" in said and "cuts-key" not in said


def test_what_remains_to_do_for_a_task_of_the_usual_form(folder: Path) -> None:
    configured(folder, "remote: origin\nevaluator: {jail: landlock}\nslack: {channel: C0123456789}\n")
    said = nocturne(folder, "init", "--github", "--action", ACTION).stdout
    assert "prepare.py is missing" in said and "no secret is needed" in said and "bubblewrap" not in said
    assert "nocturne cuts-key | gh secret set NOCTURNE_CUTS_KEY" in said
    assert "write `remote" not in said and "slack.channel" not in said


def test_workflows_need_a_campaign_on_github(folder: Path) -> None:
    configured(folder, "remote: embedded\n" + COMMAND)
    assert "write `remote: origin`" in nocturne(folder, "init", "--github", "--action", ACTION, code=2).stderr
    assert not (folder / ".github/workflows").exists()


TRAINING = """\
import torch
for epoch in range(3):
    print('| end of epoch {:3d} | train loss {:5.2f} | valid loss {:5.2f} |'.format(epoch, 1.5, 2.5))
"""


@pytest.mark.long
def test_it_shows_the_task_that_it_found_before_it_writes(folder: Path) -> None:
    (folder / "main.py").write_text(TRAINING)
    said = at_a_terminal(folder, "n\ny", "init")
    assert said.index("main.py reports valid_loss") < said.index("Is that right?") < said.index("wrote ")
    assert "pattern: 'valid loss *" in said
    assert written(folder) == {
        "editable": ["main.py"],
        "evaluator": {
            "kind": "command",
            "command": ["python", "main.py"],
            "metric": {"name": "valid_loss", "pattern": r"valid loss *([-+.\w]+)"},
        },
    }
    (folder / CONFIG).unlink()
    assert "main.py reports valid_loss" in at_a_terminal(folder, "n\nn", "init")
    assert written(folder) is None


def test_it_says_who_measures_and_what_the_search_turns_before_anything_is_committed(folder: Path) -> None:
    (folder / "train.py").write_text(
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', default=0.1)\n"
        "p.add_argument('--seed', default=3)\na = p.parse_args()\nprint('val loss', fit(a.lr, a.seed))\n"
    )
    said = nocturne(folder, "init").stdout
    assert (
        "the score is self-reported: the command runs train.py, which candidates change -> name the" in said
    )
    assert "the offline search turns 1 thing: --lr (0.1); left alone: --seed: seed: it measures" in said
    assert "be it only `echo 'Lower val_loss.' > program.md`" in said
    (folder / CONFIG).unlink()
    (folder / "train.py").write_text("print('val loss', fit())\n")
    assert "the offline search finds nothing to turn in train.py" in nocturne(folder, "init").stdout


@pytest.mark.long
def test_it_says_what_claude_sees_and_costs_and_a_human_may_still_say_no(folder: Path) -> None:
    said = nocturne(folder, "init", "--no-remote", "--claude").stdout
    assert "other tracked files" in said and "goes to Anthropic" in said
    assert "at most 1 USD an experiment" in said and "20 USD in any 24 hours" in said
    assert written(folder) == {"proposer": "claude", "ahead": 2.0}
    assert "write `proposer: claude` into it" in nocturne(folder, "init", "--claude", code=2).stderr
    (folder / CONFIG).unlink()
    assert "Shall Claude propose?" in at_a_terminal(folder, "", "init", "--no-remote", "--claude")
    assert written(folder) is None


def test_run_says_where_everything_goes_and_what_claude_costs_before_it_asks_for_the_key(
    tmp_path: Path,
) -> None:
    top = make_repository(tmp_path / "repo", config=FORMULA + "proposer: claude\n")
    done = nocturne(top, "run", env={"ANTHROPIC_API_KEY": ""}, code=2)
    first, second, *_ = done.stdout.splitlines()
    assert first.startswith("everything stays in this clone") and "goes to Anthropic" in second
    assert "ANTHROPIC_API_KEY" in done.stderr


def test_uninstall_takes_what_init_wrote_unless_it_was_changed(folder: Path) -> None:
    nocturne(folder, "init", "--github", "--action", ACTION)
    assert written(folder) == {"remote": "origin"}
    morning, commands = (
        folder / f".github/workflows/nocturne-{name}.yml" for name in ("morning", "commands")
    )
    commands.write_text(commands.read_text() + "# mine\n")
    said = nocturne(folder, "uninstall").stdout
    assert f"would delete {CONFIG}" in said and "nocturne-commands.yml was changed" in said
    assert morning.exists()
    nocturne(folder, "uninstall", "--yes")
    assert not morning.exists() and not (folder / CONFIG).exists() and commands.exists()
    assert not (folder / ".git/nocturne").exists()
