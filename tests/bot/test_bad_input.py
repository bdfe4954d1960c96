"""What users get wrong, and what machines do to them: one clear line each, exit code 2, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bot.repositories import CONFIG, events, git, make_repository, nocturne, status

ROOT = Path(__file__).parents[2]
TRAIN_CONFIG = "evaluator: {budget: {kind: steps, amount: 2}}\n"


def refused(folder: Path, *words: str, env: dict[str, str] | None = None) -> str:
    """Run a command that must be refused, and return the one line it said."""
    said = nocturne(folder, *words, code=2, env=env).stderr.strip()
    assert said.startswith("nocturne: ")
    assert "\n" not in said, said
    return said


def test_no_git_repository(tmp_path: Path) -> None:
    assert "is not a git repository: run `git init`" in refused(
        tmp_path, "run", env={"GIT_CEILING_DIRECTORIES": "/"}
    )


def test_repository_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    assert "git commit" in refused(tmp_path, "run")


def test_dirty_tree(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    (folder / "train.py").write_text("LEARNING_RATE = 0.5\n")
    assert "train.py: changes are not committed; commit or stash them" in refused(folder, "run")
    git(folder, "checkout", "--quiet", "train.py")
    (folder / "score.py").write_text("print('METRIC loss=0')\n")
    assert "score.py: changes are not committed" in refused(folder, "run")


@pytest.mark.long
def test_other_dirty_files_are_nobodys_business(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", files={"notes.txt": "a\n"})
    (folder / "notes.txt").write_text("b\n")
    nocturne(folder, "run", "-n", "1")
    assert (folder / "notes.txt").read_text() == "b\n"


def test_missing_train_py(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    git(folder, "rm", "--quiet", "train.py")
    git(folder, "commit", "--quiet", "--message", "Remove")
    assert "train.py is missing in" in refused(folder, "run")
    (folder / "train.py").write_text("LEARNING_RATE = 1\n")
    assert "train.py is not committed on main: run `git add train.py && git commit`" in refused(folder, "run")


def test_missing_prepare_py(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=TRAIN_CONFIG)
    assert "prepare.py is missing in" in refused(folder, "run")


@pytest.mark.long
def test_missing_program(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config="program: aims.md\n" + CONFIG)
    said = refused(folder, "run")
    assert "aims.md is missing in" in said and "under `program:` in .github/nocturne.yml" in said
    assert said.strip().removeprefix("nocturne: ") in " ".join(
        nocturne(folder, "doctor", "--quick", code=1).stdout.split()
    )


@pytest.mark.parametrize(
    "train",
    [
        "SEED = 3\nPATH = 'x'\nuse(SEED, PATH)\n",
        *(pytest.param(text, marks=pytest.mark.slow) for text in ("import os\n", "def f(): pass\n")),
    ],
)
def test_nothing_to_turn_is_said_before_anything_is_paid_and_is_no_experiment(
    tmp_path: Path, train: str
) -> None:
    folder = make_repository(tmp_path / "repo", files={"train.py": train})
    for command in (("run", "-n", "1"), ("iterate",), ("propose",)):
        said = refused(folder, *command)
        assert "the offline search finds nothing to turn in train.py" in said
        assert "`turn:`" in said and "ANTHROPIC_API_KEY" in said
    assert git(folder, "for-each-ref", "--format=%(refname)", "refs/heads/nocturne").strip() == ""
    doctor = " ".join(nocturne(folder, "doctor", "--quick", code=1).stdout.split())
    assert " ".join(said.split()).removeprefix("nocturne: ") in doctor
    assert "lost" not in nocturne(folder, "status").stdout


@pytest.mark.long
def test_a_campaign_that_began_is_refused_likewise_and_goes_on_when_there_is_something(
    tmp_path: Path,
) -> None:
    folder = make_repository(
        tmp_path / "repo",
        files={"train.py": "SEED = 3\nuse = SEED\n", "score.py": "print('METRIC loss=1')\n"},
    )
    refused(folder, "run", "-n", "1")
    (folder / ".github/nocturne.yml").write_text(CONFIG + "turn: [SEED]\n")
    git(folder, "commit", "--quiet", "--all", "--message", "Turn it")
    assert "SEED from 3 to" in nocturne(folder, "run", "-n", "1").stdout
    (folder / ".github/nocturne.yml").write_text(CONFIG)
    git(folder, "commit", "--quiet", "--all", "--message", "Leave it")
    assert "finds nothing to turn in train.py" in refused(folder, "run", "-n", "1")
    assert status(folder)["experiments"]["lost"] == 0


def test_turn_and_leave_that_name_nothing(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=CONFIG + "leave: [LERNING_RATE]\n")
    said = refused(folder, "run")
    assert (
        ".github/nocturne.yml: leave: `LERNING_RATE` names nothing in train.py: did you mean `LEARNING_RATE`?"
        in said
    )
    assert "did you mean `LEARNING_RATE`?" in nocturne(folder, "doctor", "--quick", code=1).stdout


def test_train_py_that_does_not_parse(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", files={"train.py": "a = 1\nb = = 2\n"})
    assert "train.py: line 2 does not parse (invalid syntax): fix it and commit" in refused(folder, "run")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("editabel: [train.py]\n", ".github/nocturne.yml: editabel: unknown key, did you mean `editable`?"),
        ("seed: many\n", ".github/nocturne.yml: seed: should be a valid integer, not 'many'"),
        ("base: nowhere\n", ".github/nocturne.yml: base: there is no branch 'nowhere'"),
        ("remote: nowhere\n", "remote: nowhere: no such remote"),
        ("seed: [\n", ".github/nocturne.yml: line 2: not valid YAML"),
    ],
)
def test_wrong_configuration(tmp_path: Path, config: str, said: str) -> None:
    folder = make_repository(tmp_path / "repo", config=config)
    assert said in refused(folder, "run")


def test_configuration_that_is_not_committed(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    git(folder, "rm", "--quiet", "--cached", ".github/nocturne.yml")
    git(folder, "commit", "--quiet", "--message", "Forget")
    assert ".github/nocturne.yml is not committed: run `git add" in refused(folder, "run")


@pytest.mark.parametrize("url", ["/nowhere/at/all.git", "https://127.0.0.1:9/x.git", "file:///nowhere.git"])
def test_unreachable_remote(tmp_path: Path, url: str) -> None:
    folder = make_repository(tmp_path / "repo", shared=True)
    git(folder, "remote", "add", "origin", url)
    assert "the remote origin" in refused(folder, "run")


@pytest.mark.long
def test_remote_that_goes_away_in_the_night_loses_nothing(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", remote=tmp_path / "origin.git")
    nocturne(folder, "run", "-n", "1")
    (tmp_path / "origin.git").rename(tmp_path / "away.git")
    refused(folder, "run", "-n", "1")
    (tmp_path / "away.git").rename(tmp_path / "origin.git")
    nocturne(folder, "run", "-n", "1")
    assert status(folder)["experiments"]["total"] == 2


def in_small_file_system(tmp_path: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a mount namespace of its own; `$SMALL` is an empty file system of 6 MB."""
    alone = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*alone, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("neither root nor a user namespace to mount a small file system")
    small = tmp_path / "small"
    small.mkdir()
    env = os.environ | {"SMALL": str(small), "TMPDIR": str(tmp_path)}
    env["NOCTURNE"] = f"{sys.executable} -I -m bot"
    return subprocess.run(
        [*alone, "sh", "-ec", f"mount -t tmpfs -o size=6m tmpfs $SMALL\n{script}"], cwd=tmp_path, env=env,
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


@pytest.mark.long
def test_unwritable_folder(tmp_path: Path) -> None:
    make_repository(tmp_path / "repo")
    script = "cp -r repo $SMALL/repo; mount -o remount,ro $SMALL; cd $SMALL/repo; exec $NOCTURNE run"
    done = in_small_file_system(tmp_path, script)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and "nocturne: " in done.stderr, done.stderr
    assert "give this user write permission" in done.stderr


@pytest.mark.long
def test_ledger_whose_last_line_is_cut(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", remote=tmp_path / "origin.git")
    nocturne(folder, "run", "-n", "1")
    kept = len(events(folder))
    git(folder, "worktree", "add", "--quiet", "--detach", str(tmp_path / "ledger"), "nocturne/ledger")
    segment = tmp_path / "ledger/main/events/000001.jsonl"
    segment.write_text(segment.read_text()[:-40])
    git(tmp_path / "ledger", "commit", "--quiet", "--all", "--message", "Cut")
    git(tmp_path / "ledger", "push", "--quiet", "origin", "HEAD:nocturne/ledger")
    done = nocturne(folder, "run", "-n", "1")
    assert "cut off" in done.stdout
    assert status(folder)["experiments"]["total"] == 2
    assert len(events(folder)) >= kept
    assert any(event["kind"] == "ledger_mended" for event in events(folder))


@pytest.mark.long
def test_ledger_objects_damaged_on_the_only_disk_are_one_line_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Repository and local forge share the files of objects; a remote has its own, see `test_repair`."""
    folder = make_repository(tmp_path / "repo")
    nocturne(folder, "run", "-n", "1")
    before = events(folder)
    bare = folder / ".git/nocturne/forge.git"
    tip = git(bare, "rev-parse", "nocturne/ledger")
    loose = bare / "objects" / tip[:2] / tip[2:]
    whole = loose.read_bytes()
    loose.chmod(0o644)
    loose.write_bytes(b"")
    said = nocturne(folder, "run", "-n", "1", code=2).stderr.strip()
    assert "\n" not in said and "restore it from another clone, or see `git fsck`" in said
    for home in (bare, folder / ".git"):
        place = home / "objects" / tip[:2] / tip[2:]
        place.unlink(missing_ok=True)
        place.write_bytes(whole)
    nocturne(folder, "run", "-n", "1")
    assert [e["key"] for e in events(folder)][: len(before)] == [e["key"] for e in before]


@pytest.mark.long
def test_repository_with_folders_named_like_ours(tmp_path: Path) -> None:
    trap = "raise SystemExit('the wrong package was imported')\n"
    files = {
        f"{name}/{file}": trap for name in ("bot", "evaluator") for file in ("__init__.py", "__main__.py")
    }
    files |= {"yaml.py": trap, "pydantic.py": trap, "numpy.py": trap}
    folder = make_repository(tmp_path / "repo", files=files)
    script = Path(sys.executable).parent / "nocturne"
    done = subprocess.run(
        [str(script), "run", "-n", "1"], cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "wrong package" not in done.stdout + done.stderr
    assert status(folder)["experiments"]["total"] == 1


@pytest.mark.long
def test_no_torch(tmp_path: Path) -> None:
    """An environment of its own without torch: our packages and what they need, by path."""
    made = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True, timeout=60)
    site = next((made / "lib").glob("python3*")) / "site-packages"
    installed = Path(next(path for path in sys.path if path.endswith("site-packages")))
    for entry in installed.iterdir():
        if not entry.name.startswith(("torch", "__pycache__", "_nocturne", "nocturne")):
            (site / entry.name).symlink_to(entry)
    (site / "nocturne.pth").write_text(f"{ROOT}\n")
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    nocturne(folder, "init", "--starter")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Start")
    done = subprocess.run(
        [str(made / "bin/python"), "-I", "-m", "bot", "run"], cwd=folder, capture_output=True, text=True,
        timeout=120, check=False, env=os.environ | {"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    assert "none was found with torch and numpy" in done.stderr and len(done.stderr.strip().splitlines()) == 1


@pytest.mark.long
def test_full_disk_while_appending_and_after(tmp_path: Path) -> None:
    make_repository(tmp_path / "repo")
    script = """
cp -r repo $SMALL/repo; cd $SMALL/repo
$NOCTURNE run -n 1
dd if=/dev/zero of=$SMALL/filler bs=4k 2>/dev/null || true
code=0; $NOCTURNE run -n 1 2>$TMPDIR/full.err || code=$?
rm $SMALL/filler
$NOCTURNE run -n 1
$NOCTURNE status --json >$TMPDIR/after.json
exit $code
"""
    done = in_small_file_system(tmp_path, script)
    said = (tmp_path / "full.err").read_text().strip()
    assert done.returncode == 2, done.stdout + done.stderr + said
    assert "space" in said and len(said.splitlines()) == 1, said
    assert json.loads((tmp_path / "after.json").read_text())["experiments"]["total"] == 2


@pytest.mark.parametrize(
    "words",
    [("run", "--until", "25:00"), ("run", "-n", "0"), ("show",), ("show", "x"), ("frobnicate",), ()],
)
def test_wrong_command_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = nocturne(tmp_path, *words, code=2)
    assert "usage: nocturne" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "7"), "there is no experiment 7"), (("train",), "no experiment waits for train"),
        (("decide", "7"), "there is no experiment 7"), (("revert", "7"), "there is no experiment 7"),
        (("run", "--campaign", "other"), "there is no campaign 'other'"), (("pause",), "has not begun"),
        (("report", "--html", "/nowhere/r.html"), "can't write"),
    ],
)  # fmt: skip
def test_asking_for_what_is_not_there(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    folder = make_repository(tmp_path / "repo")
    if words[0] in ("train", "decide", "revert"):
        git(folder, "commit", "--quiet", "--allow-empty", "--message", "x")
    assert said in refused(folder, *words)


@pytest.mark.long
def test_metric_that_changes_under_a_campaign(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    nocturne(folder, "run", "-n", "1")
    (folder / ".github/nocturne.yml").write_text(
        CONFIG.replace("name: loss", "name: gain, direction: maximize")
    )
    git(folder, "commit", "--quiet", "--all", "--message", "Turn round")
    assert "evaluator.metric: campaign 'main' measures loss (minimized)" in refused(folder, "run")


@pytest.mark.parametrize(
    ("version", "missing", "said"),
    [
        ((3, 9), "", "is too old, 3.10 or newer is needed"),
        ((3, 12), "venv", "the module venv is missing: apt install python3-venv"),
        ((3, 12), "", ""),
    ],
)
def test_prerequisites_are_checked_before_anything_is_installed(
    tmp_path: Path, version: tuple[int, int], missing: str, said: str
) -> None:
    """A stand-in for an older Python, or for Debian's without venv: it answers what the check asks."""
    fake = tmp_path / "python3"
    fake.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        f'  --version) echo "Python {version[0]}.{version[1]}.1" ;;\n'
        f"  *version_info*) exit {int(version < (3, 10))} ;;\n"
        f"  *venv*) exit {int(missing == 'venv')} ;;\n"
        "esac\n"
    )
    fake.chmod(0o755)
    done = subprocess.run(
        ["sh", str(ROOT / ".github/check-prerequisites.sh"), str(fake)], capture_output=True, text=True,
        check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == (2 if said else 0)
    assert said in done.stderr and len(done.stderr.strip().splitlines()) == (1 if said else 0)


def test_missing_git_and_python_are_named(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()

    def check(python: str) -> str:
        command = ["/bin/sh", str(ROOT / ".github/check-prerequisites.sh"), python]
        done = subprocess.run(command, env={"PATH": str(tools)}, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        return done.stderr

    assert "git is missing: apt install git" in check("python3")
    (tools / "git").symlink_to(shutil.which("git") or "/usr/bin/git")
    assert "python3.99 is missing: apt install python3 python3-venv" in check("python3.99")


def test_a_jail_that_can_not_be_unpacked_is_asked_for(tmp_path: Path) -> None:
    """Outside Debian and Ubuntu the set-up can't fetch bubblewrap: it says so before it installs anything."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, path in {"git": shutil.which("git"), "python3": sys.executable}.items():
        (tools / name).symlink_to(path or "")
    done = subprocess.run(
        ["/bin/sh", str(ROOT / ".github/check-prerequisites.sh"), "python3"],
        env={"PATH": str(tools)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "nocturne: bubblewrap is missing: install the package bubblewrap, for example dnf install bubblewrap"
    ]
