"""What paths mean: those of a command's words, of `data` and `read`, and of what git ignores in the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.evaluator import forked
from tests.evaluator.runs import Outcome
from tests.families import few

BENCH = """\
import json, os, pathlib, sys
def text(path):
    try: return pathlib.Path(path).read_text()
    except OSError as error: return type(error).__name__
told = {word: text(word) for word in sys.argv[1:]}
told["words"] = [text(word) for word in sys.argv[1:]]
told["here"] = sorted(str(path) for path in pathlib.Path(".").rglob("*"))
told["own"] = text(__file__).count("def text")
told["data"] = [text(path) for path in os.environ["NOCTURNE_DATA"].split(":") if path]
print("TOLD", json.dumps(told))
print("METRIC value=1")
"""
JAILS = ("bubblewrap", pytest.param("none", marks=pytest.mark.long))


def measured(
    repo: Path, *words: str, home: Path | None = None, cwd: Path | None = None, **more: Any
) -> Outcome:
    """Run a command of kind `command` on `repo`."""
    given = {
        "kind": "command",
        "command": [*words],
        "metric": {"name": "value"},
        "timeout_seconds": 60,
        **more,
    }
    env = {**os.environ, **({"HOME": str(home)} if home else {})}
    for name in ("XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE"):
        env.pop(name, None)
    asked = ["score", str(repo), "--json", "--settings", "-"]
    done = forked.run(asked, said=json.dumps(given), env=env, timeout=120, cwd=cwd)
    if "no jail can be made" in done.stderr:
        pytest.skip(done.stderr)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return Outcome(done.returncode, events, done.stderr)


def told(outcome: Outcome) -> dict[str, object]:
    """Return what BENCH saw."""
    assert outcome.returncode == 0, outcome.last
    line = next(line for line in outcome.last["log_tail"].splitlines() if line.startswith("TOLD "))
    found: dict[str, object] = json.loads(line.removeprefix("TOLD "))
    return found


def git(repo: Path, *words: str) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.invalid", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *who, *words], cwd=repo, check=True, capture_output=True)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    (made / "set.csv").write_text("of home")
    return made


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    made = tmp_path / "work" / "repo"
    made.mkdir(parents=True)
    (made / "bench.py").write_text(BENCH)
    (made / "own.txt").write_text("own")
    (tmp_path / "work" / "near.csv").write_text("near")
    (tmp_path / "work" / "folder").mkdir()
    (tmp_path / "work" / "folder" / "x").write_text("x in a folder")
    return made


@pytest.fixture
def exported(repo: Path, tmp_path: Path) -> Path:
    """A copy of what is committed, as the bot makes one: what git does not know is left in `repo` alone."""
    copy = tmp_path / "bot" / "tree"
    git(repo, "init", "-q")
    (repo / ".gitignore").write_text("/data/\n*.bin\n*.pem\n.env*\nmodel.pt\nout/\nlinked\nvenv/\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Begin")
    copy.mkdir(parents=True)
    subprocess.run(f"git archive HEAD | tar x -C '{copy}'", shell=True, cwd=repo, check=True)
    (copy / "own.txt").write_text("under test")
    return copy


WORDS: dict[str, Callable[[Path], tuple[str, str]]] = {
    "near": lambda repo: ("../near.csv", "near"),
    "whole": lambda repo: (f"{repo.parent}/near.csv", "near"),
    "around": lambda repo: ("../repo/../folder/x", "x in a folder"),
    "home": lambda repo: ("~/set.csv", "of home"),
    "own": lambda repo: ("own.txt", "under test"),
    "own as a whole": lambda repo: (f"{repo}/own.txt", "under test"),
    "own by way of its folder": lambda repo: ("../repo/own.txt", "under test"),
}


@pytest.mark.parametrize("jail", JAILS)
def test_words_name_what_the_user_names(repo: Path, exported: Path, home: Path, jail: str) -> None:
    """In a tree that is a copy of the repository, far from it."""
    words = [make(repo)[0] for make in WORDS.values()]
    outcome = measured(
        exported, "python", f"{repo}/bench.py", *words, home=home, jail=jail, repository=str(repo)
    )
    seen = told(outcome)
    assert seen["words"] == [make(repo)[1] for make in WORDS.values()]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("/usr/bin/env", "python", "bench.py"), marks=pytest.mark.long),
        pytest.param(("env", "-u", "NOBODY", "A=1", "python", "bench.py"), marks=pytest.mark.long),
        ("bash", "-c", "python bench.py && echo " + "x" * 5000),
        pytest.param(("sh", "run.sh"), marks=pytest.mark.long),
        pytest.param(("./run.sh",), marks=pytest.mark.long),
        pytest.param((sys.executable, "bench.py"), marks=pytest.mark.long),
        pytest.param(("make", "-s", "bench"), marks=pytest.mark.long),
        (
            "python",
            "bench.py",
            "--out=/tmp/results",
            "--url=https://example.org/../x",
            "/tmp",
            "--in=/",
            "~",
            "..",
        ),
        ("python", "bench.py", "a\nb", "-x", "--", "=", "--=", "/no/such/file", "~nobody/x", "//"),
    ],
    ids=lambda words: " ".join(words)[:40],
)
def test_commands_begin_with_whatever_is_usual(repo: Path, words: tuple[str, ...]) -> None:
    (repo / "run.sh").write_text(
        "#!/usr/bin/env sh\nset -e\nmkdir -p build\ncp bench.py build/\npython build/bench.py\n"
    )
    (repo / "run.sh").chmod(0o755)
    (repo / "Makefile").write_text("bench: built\n\tpython bench.py\nbuilt:\n\ttouch built\n")
    if words[0] == "make" and shutil.which("make") is None:
        pytest.skip("there is no make here")
    outcome = measured(repo, *words)
    assert outcome.returncode == 0, (outcome.last, outcome.stderr)
    assert not (repo / "built").exists() and not (repo / "build").exists()


def test_uv_runs_without_a_network(repo: Path) -> None:
    if shutil.which("uv") is None:
        pytest.skip("there is no uv here")
    (repo / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10"\n')
    outcome = measured(repo, "uv", "run", "--no-project", "python", "bench.py")
    assert outcome.returncode == 0, (outcome.last, outcome.stderr)


@pytest.mark.long
def test_the_interpreter_of_another_environment_is_shown(repo: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "other")], check=True)
    assert measured(repo, f"{tmp_path}/other/bin/python", "bench.py").returncode == 0
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(repo / ".venv")], check=True)
    assert measured(repo, ".venv/bin/python", "bench.py").returncode == 0


def _tool(folder: Path) -> Path:
    """An interpreter that was installed where no jail looks."""
    (folder / "tool" / "bin").mkdir(parents=True)
    return Path(shutil.copy(Path("/bin/sh").resolve(), folder / "tool" / "bin" / "run"))


@pytest.mark.parametrize(
    ("command", "said"),
    few(
        [
            (["{tool}", "plain"], "command: {tool}: can't be started: the jail does not show {tool}"),
            (["env", "{tool}", "plain"], "read: [{folder}/tool]"),
            (["./script"], "command: ./script: can't be started: it begins with #!{tool}"),
            (["./plain"], "it is not executable: `chmod +x ./plain`"),
            (["nocturne-has-no-such-program"], "there is no such program"),
            (["./gone"], "there is no such program"),
        ],
        2,
        in_ci=4,
    ),
)
def test_a_program_that_the_jail_does_not_show_is_named(
    repo: Path, tmp_path: Path, command: list[str], said: str
) -> None:
    tool = _tool(tmp_path)
    (repo / "plain").write_text("#!/bin/sh\necho METRIC value=1\n")
    (repo / "script").write_text(f"#!{tool}\necho METRIC value=1\n")
    (repo / "script").chmod(0o755)
    names = {"tool": str(tool), "folder": str(tmp_path)}
    outcome = measured(repo, *(word.format(**names) for word in command))
    if outcome.events and outcome.last.get("jail") == "none":
        pytest.skip("without a jail everything is shown")
    assert outcome.returncode == 2
    assert said.format(**names) in outcome.stderr and outcome.stderr.count("\n") == 1
    if "{tool}" in said or "read" in said:  # the fix that it names
        fixed = measured(repo, *(word.format(**names) for word in command), read=[str(tmp_path / "tool")])
        assert fixed.returncode == 0, fixed.stderr


def fill(repo: Path, tmp_path: Path) -> None:
    """Leave in the repository what git ignores: data, secrets, an environment, what an earlier run left."""
    (repo / "data" / "deep").mkdir(parents=True)
    (repo / "data" / "set.txt").write_text("ignored data")
    (repo / "data" / "deep" / "id_ed25519").write_text("secret")
    (repo / "data" / "deep" / "more.txt").write_text("more")
    (repo / "train.bin").write_bytes(b"0" * 100)
    (repo / "model.pt").write_text("old weights")
    (repo / "untracked.txt").write_text("not tracked")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "far.txt").write_text("far")
    (repo / "linked").symlink_to(tmp_path / "elsewhere")
    for name in (".env", ".env.local", "server.pem", "data/credentials.json"):
        (repo / name).write_text("secret")
    (repo / "venv").mkdir()
    (repo / "venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (repo / "out").mkdir()
    (repo / "out" / "ckpt.pt").write_text("old")


@pytest.mark.parametrize("jail", JAILS)
def test_what_git_ignores_is_found_where_it_lies(
    repo: Path, exported: Path, tmp_path: Path, jail: str
) -> None:
    fill(repo, tmp_path)
    words = [
        "data/set.txt",
        f"{repo}/data/deep/more.txt",
        "linked/far.txt",
        "model.pt",
        "untracked.txt",
        "own.txt",
    ]
    seen = told(measured(exported, "python", "bench.py", *words, jail=jail, repository=str(repo)))
    assert seen["words"] == [
        "ignored data",
        "more",
        "far",
        "old weights",
        "not tracked",
        "under test",
    ]
    here = [name for name in seen["here"] if not name.startswith("linked/")]  # type: ignore[attr-defined]
    assert here == [
        ".gitignore", "bench.py", "data", "data/deep", "data/deep/more.txt", "data/set.txt", "linked", "model.pt",
        "out", "out/ckpt.pt", "own.txt", "train.bin", "untracked.txt",
    ]  # fmt: skip


def test_what_git_ignores_may_be_written_anew_and_stays_as_it_was(
    repo: Path, exported: Path, tmp_path: Path
) -> None:
    fill(repo, tmp_path)
    line = (
        "echo new > model.pt && echo new > out/ckpt.pt && mkdir -p data/cache && echo x > data/cache/x"
        " && cat model.pt"
    )
    outcome = measured(exported, "bash", "-c", f"{line}; echo METRIC value=$?", repository=str(repo))
    assert outcome.last["score"] == 0
    assert (repo / "model.pt").read_text() == "old weights" and (repo / "out/ckpt.pt").read_text() == "old"
    assert not (repo / "data/cache").exists()


@pytest.mark.long
def test_large_files_are_shown_and_not_copied(repo: Path, exported: Path, tmp_path: Path) -> None:
    fill(repo, tmp_path)
    with (repo / "data" / "large.bin").open("wb") as file:
        file.truncate(1 << 36)  # 64 GiB, of holes
    with (repo / "tracked.dat").open("wb") as file:
        file.truncate(1 << 27)
    trees: tuple[tuple[Path, dict[str, Any]], ...] = ((exported, {"repository": str(repo)}), (repo, {}))
    for tree, more in trees:
        sizes = "os.path.getsize('data/large.bin') + os.path.getsize('tracked.dat')"
        code = f"import os; print('METRIC value=%d' % ({sizes}))"
        outcome = measured(tree, "python", "-c", code, scratch_mb=64, **more)
        assert outcome.last["score"] == (1 << 36) + (1 << 27), outcome.last


PRODUCE = """\
import os, pathlib
def text(path):
    try: return pathlib.Path(path).read_text()
    except OSError as error: return type(error).__name__
found = [text(path) for path in ("data/set.txt", "linked/far.txt", "model.pt", "{repo}/data/set.txt", "{far}")]
pathlib.Path(os.environ["NOCTURNE_OUT"], "said").write_text(" ".join(found))
"""


def test_ignored_data_is_the_locked_sides_alone_where_data_names_it(
    repo: Path, exported: Path, tmp_path: Path
) -> None:
    fill(repo, tmp_path)
    far = tmp_path / "elsewhere" / "far.txt"
    (exported / "train.py").write_text(PRODUCE.format(repo=repo, far=far))
    check = "import os; print(open(os.environ['NOCTURNE_OUT'] + '/said').read())"
    (exported / "bench.py").write_text(BENCH + check)
    outcome = measured(
        exported, "python", "bench.py", "data/set.txt", produce=["python", "train.py"], data=["data", "linked"],
        repository=str(repo),
    )  # fmt: skip
    gone = "FileNotFoundError"
    assert outcome.last["log_tail"].splitlines()[-1] == f"{gone} {gone} old weights {gone} {gone}"
    seen = told(outcome)
    assert seen["data/set.txt"] == "ignored data" and seen["data"] == ["IsADirectoryError"] * 2


@pytest.mark.parametrize(
    ("given", "said"),
    few(
        [
            ({"read": ["nowhere"]}, "read: nowhere: no such file or folder"),
            ({"read": ["/"]}, "read: /: it holds your home folder"),
            ({"read": ["~"]}, "read: ~: it holds your home folder"),
            ({"read": [".."]}, "read: ..: it holds your home folder, the whole repository"),
            ({"read": ["."]}, "read: .: it holds"),
            ({"read": ["data/deep"], "data": ["data"]}, "read: data/deep: overlaps `data: data`"),
            (
                {"read": ["../folder"], "data": ["../folder/x"]},
                "read: ../folder: overlaps `data: ../folder/x`",
            ),
            ({"data": ["nowhere"]}, "data: nowhere: no such file or folder"),
            ({"repository": "/no/such"}, "repository: /no/such: no such folder"),
        ],
        2,
        in_ci=4,
    ),
)
def test_what_can_not_be_read_is_one_line(
    repo: Path, exported: Path, home: Path, tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    fill(repo, tmp_path)
    outcome = measured(exported, "python", "bench.py", home=home, **{"repository": str(repo), **given})
    assert outcome.returncode == 2
    assert said in outcome.stderr and outcome.stderr.count("\n") == 1


@pytest.mark.parametrize("jail", JAILS)
def test_read_shows_more_and_a_home_leads_there(repo: Path, home: Path, jail: str) -> None:
    (home / ".cache" / "words").mkdir(parents=True)
    (home / ".cache" / "words" / "list").write_text("a word")
    code = (
        "import pathlib; p = pathlib.Path('~/.cache/words/list').expanduser(); print(p.read_text())\n"
        f"print(pathlib.Path({str(home / '.cache/words/list')!r}).read_text())\nprint('METRIC value=1')"
    )
    outcome = measured(repo, "python", "-c", code, home=home, jail=jail, read=["~/.cache/words", "../folder"])
    assert outcome.last["log_tail"].splitlines()[:2] == ["a word"] * 2, outcome.last
    if jail != "none":
        assert measured(repo, "python", "-c", code, home=home, jail=jail).returncode == 1


@pytest.mark.long
@pytest.mark.parametrize("jail", JAILS)
def test_temporary_folders_are_short_wherever_they_lie_outside(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jail: str
) -> None:
    long = tmp_path / ("deep" * 20)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    (repo / "bench.py").write_text(
        "import multiprocessing, os\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.Manager() as manager:\n"
        "        manager.dict()[1] = 2\n"
        "    print(multiprocessing.get_context('forkserver').Pool(2).map(abs, [1, -2]))\n"
        "    print('METRIC value=%d' % max(len(os.environ[name]) for name in ('HOME', 'TMPDIR')))\n"
    )
    outcome = measured(repo, "python", "bench.py", jail=jail)
    assert outcome.returncode == 0, outcome.last
    assert outcome.last["score"] <= (60 if jail == "none" else 40)
    assert list(long.iterdir()) == []


@pytest.mark.long
def test_a_repository_below_the_jails_own_folders_is_as_good() -> None:
    for place in (Path("/tmp/nocturne"), Path("/tmp/nocturne/run/repo"), Path("/dev/shm/nocturne-repo")):
        if Path(f"/{place.parts[1]}/{place.parts[2]}").exists() and place.parts[1] != "dev":
            pytest.skip(f"{place} is somebody else's")
        place.mkdir(parents=True)
        try:
            (place / "bench.py").write_text(BENCH)
            outcome = measured(place, "python", f"{place}/bench.py", f"{place}/bench.py")
            assert told(outcome)["own"] == 2
        finally:
            shutil.rmtree("/tmp/nocturne" if place.parts[1] == "tmp" else place)


HOMELY = """\
import pathlib
print("METRIC value=" + (pathlib.Path.home() / "{place}").read_text())
"""


@pytest.mark.long
@pytest.mark.parametrize("place", [".cache/lab/rows.txt", "corpora/rows.txt"])
def test_what_a_script_looks_for_in_the_home_is_named_with_the_key_that_shows_it(
    tmp_path: Path, home: Path, place: str
) -> None:
    (home / place).parent.mkdir(parents=True)
    (home / place).write_text("7")
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "bench.py").write_text(HOMELY.format(place=place))
    missing = measured(repo, "python", "bench.py", home=home)
    named = f"~/{place.rpartition('/')[0]}"
    assert missing.last["class"] == "error"
    assert f"`evaluator: {{read: [{named}]}}`" in missing.last["reason"]
    for key in ("read", "data"):
        given: dict[str, Any] = {key: [named]}
        assert measured(repo, "python", "bench.py", home=home, **given).last["score"] == 7


@pytest.mark.long
def test_what_no_home_has_or_what_looks_like_a_secret_is_not_offered(tmp_path: Path, home: Path) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "credentials").write_text("7")
    repo = tmp_path / "repo"
    repo.mkdir()
    for place in (".aws/credentials", "nowhere/rows.txt"):
        (repo / "bench.py").write_text(HOMELY.format(place=place))
        reason = measured(repo, "python", "bench.py", home=home).last["reason"]
        assert "FileNotFoundError" in reason and "read:" not in reason
