"""Which Python a task runs with: named, or found in a stated order; and what is said where none will do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from evaluator.errors import UserError
from evaluator.interpreter.choice import choose_python
from evaluator.interpreter.task_python import TaskPython
from evaluator.settings import Settings
from tests.evaluator.pythons import TO_TRAIN, conda_environment, environment
from tests.families import few

OLD = sorted(Path("~/.pyenv/versions").expanduser().glob("3.[6-9].*/bin/python3"))
COMMAND = Settings(kind="command", command=("python", "x.py"))


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Environments: `fit` can train, `bare` has nothing, `plain` has numpy alone."""
    folder = tmp_path_factory.mktemp("places")
    environment(folder / "fit", names=TO_TRAIN)
    environment(folder / "bare", names=())
    environment(folder / "plain", names=("numpy", "numpy.libs"))
    return folder


@pytest.fixture(autouse=True)
def nothing_active(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "CONDA_EXE",
        "MAMBA_ROOT_PREFIX",
        "NOCTURNE_PYTHON",
        "PYTHONPATH",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("UV_PROJECT_ENVIRONMENT", raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / ".git").mkdir(parents=True)
    return folder


def put(places: Path, name: str, at: Path) -> Path:
    """Let an environment appear at another place: its interpreter there, which finds its own home."""
    at.parent.mkdir(parents=True, exist_ok=True)
    at.symlink_to(places / name)
    return at


def refused(repo: Path, settings: Settings) -> str:
    with pytest.raises(UserError) as caught:
        choose_python(repo, settings)
    said = str(caught.value)
    assert said.startswith("python: ") and "\n" not in said
    return said


def found(repo: Path, settings: Settings = Settings()) -> tuple[str, str]:  # noqa: B008  (frozen)
    chosen = choose_python(repo, settings)
    return chosen.executable, chosen.found


# Named


@pytest.mark.parametrize(
    "word", few(["../env", "../env/bin/python", "~/env", "{env}", "{env}/bin/python3"], 2)
)
def test_a_named_one_is_a_folder_or_a_file_from_wherever(
    repo: Path, places: Path, tmp_path: Path, word: str
) -> None:
    put(places, "fit", tmp_path / "env")
    put(places, "fit", tmp_path / "home" / "env")
    chosen = choose_python(repo, Settings(python=word.format(env=places / "fit")))
    assert chosen.interpreter.torch and chosen.found == "as configured"


def test_a_named_one_is_relative_to_the_users_repository(repo: Path, places: Path, tmp_path: Path) -> None:
    put(places, "fit", repo / "tools" / "env")
    tree = tmp_path / "tree"
    tree.mkdir()
    chosen = choose_python(tree, Settings(python="tools/env", repository=str(repo)))
    assert chosen.executable == str(repo / "tools" / "env" / "bin" / "python")


def test_a_name_is_looked_for_on_path_though_a_folder_has_it(
    repo: Path, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / "python").mkdir()
    monkeypatch.setenv("PATH", f"{places / 'fit' / 'bin'}:{os.environ['PATH']}")
    assert found(repo, Settings(python="python"))[0] == str(places / "fit" / "bin" / "python")
    put(places, "plain", repo / "env")  # an environment is one, by its name alone
    assert found(repo, Settings(kind="command", command=("x",), python="env"))[0].startswith(
        str(repo / "env")
    )


def test_what_this_machine_hands_on_comes_first(
    repo: Path, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOCTURNE_PYTHON", str(places / "fit"))
    assert found(repo, Settings(python="nowhere"))[1] == "handed on by this machine"


@pytest.mark.parametrize(
    ("word", "said"),
    few(
        [
            ("no-such-python", "no-such-python: no such program on PATH, and no such environment in"),
            ("no/such", "repo/no/such (as configured) does not exist"),
            ("~nobody-of-this-name/x", "there is no such user"),
            ("bare", "bare/bin/python (as configured) has no torch and no numpy: "),
            ("plain", "plain/bin/python (as configured) has no torch: "),
            ("win", "was made by Windows: make one here"),
            (".", "is a folder without bin/python"),
        ],
        3,
    ),
)
def test_a_named_one_that_will_not_do_is_said_in_one_line(
    repo: Path, places: Path, word: str, said: str
) -> None:
    put(places, "bare", repo / "bare")
    put(places, "plain", repo / "plain")
    (repo / "win" / "Scripts").mkdir(parents=True)
    assert said in refused(repo, Settings(python=f"./{word}" if word in ("win", ".") else word))


def answering(path: Path, facts: str) -> str:
    """Write a program that answers our question as some other Python would."""
    path.write_text(f"#!/bin/sh\necho '{facts}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ('{"version": [3, 8, 1]}', "is Python 3.8.1, and 3.10 is the oldest that works"),
        ('{"version": [3, 30, 0], "not_compiled": "shim.py: no"}', "is Python 3.30.0, which is too new"),
        (
            '{"version": [3, 12, 0], "torch": "2.1.0", "numpy": "1.26"}',
            "has torch 2.1.0, and 2.4 is the oldest",
        ),
        ('{"version": [3, 12, 0], "torch": "2.5.0"}', "has no numpy"),
    ],
)
def test_versions_that_will_not_do(repo: Path, tmp_path: Path, facts: str, said: str) -> None:
    assert said in refused(repo, Settings(python=answering(tmp_path / "other", facts)))


def test_an_old_one_on_this_machine(repo: Path) -> None:
    if not OLD:
        pytest.skip("no Python older than 3.10 is here")
    for each in OLD:
        assert "and 3.10 is the oldest that works" in refused(
            repo, Settings(kind="command", python=str(each))
        )


# Found


def test_the_repositorys_environment_comes_before_what_is_active(
    repo: Path, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", str(places / "fit"))
    assert found(repo)[1] == "the active environment, VIRTUAL_ENV"
    put(places, "fit", repo / "venv")
    assert found(repo) == (str(repo / "venv" / "bin" / "python"), "venv of the repository")
    put(places, "fit", repo / ".venv")
    assert found(repo)[1] == ".venv of the repository"


def test_the_nearest_environment_of_a_monorepo_comes_first(repo: Path, places: Path) -> None:
    put(places, "fit", repo / ".venv")
    package = repo / "models" / "small"
    package.mkdir(parents=True)
    assert found(package)[0] == str(repo / ".venv" / "bin" / "python")
    put(places, "fit", package / ".venv")
    assert found(package)[0] == str(package / ".venv" / "bin" / "python")
    by_bot = Settings(editable=("models/small/train.py",), repository=str(repo))
    assert found(repo, by_bot)[0] == str(package / ".venv" / "bin" / "python")
    assert found(repo)[0] == str(repo / ".venv" / "bin" / "python")


def test_what_was_meant_and_passed_over_is_told(
    repo: Path, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(places, "bare", repo / ".venv")
    (repo / "uv.lock").write_text("")
    (repo / "environment.yml").write_text("name: speech\n")
    monkeypatch.setenv("CONDA_PREFIX", str(places / "fit"))
    chosen = choose_python(repo, Settings())
    assert chosen.found == "the active environment, CONDA_PREFIX"
    first, second = chosen.remarks
    assert ".venv of the repository) has no torch and no numpy" in first
    assert "names the conda environment speech, which is not here" in second


@pytest.mark.parametrize("name", ["uv.lock", "pyproject.toml"])
def test_a_uv_project_without_its_environment_is_told_to_sync(repo: Path, name: str) -> None:
    (repo / name).write_text("[tool.uv]\nmanaged = true\n")
    (remark,) = choose_python(repo, Settings()).remarks
    assert "is a uv project without .venv: run `uv sync` there" in remark


def test_uv_projects_may_have_it_elsewhere(repo: Path, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", str(places / "fit"))
    assert found(repo)[1] == "the Python that runs Nocturne"
    (repo / "uv.lock").write_text("")
    assert found(repo)[0] == str(places / "fit" / "bin" / "python")


def test_conda_environments_are_found_by_name(repo: Path, tmp_path: Path) -> None:
    (repo / "environment.yml").write_text("channels: [x]\nname: 'speech'\n")
    place = tmp_path / "anywhere" / "speech"
    conda_environment(place)
    (tmp_path / "home" / ".conda").mkdir()
    (tmp_path / "home" / ".conda" / "environments.txt").write_text(f"/no/such\n{place}\n")
    chosen = choose_python(repo, COMMAND)
    assert chosen.executable == str(place / "bin" / "python") and chosen.interpreter.is_conda
    assert chosen.variables(repo)["CONDA_PREFIX"] == str(place)


def test_a_tools_own_python_is_no_tasks(repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert found(repo, COMMAND) == (sys.executable, "the Python that runs Nocturne")
    prefix = tmp_path / "uv" / "tools" / "nocturne"
    prefix.mkdir(parents=True)
    (prefix / "uv-receipt.toml").write_text("")
    monkeypatch.setattr(sys, "prefix", str(prefix))
    assert found(repo, COMMAND)[1] in ("python3 on PATH", "python on PATH")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert found(repo)[1] in ("the Python that runs Nocturne", "python3 on PATH")  # whichever has torch


def test_where_none_will_do_all_that_was_tried_is_said(
    repo: Path, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(places, "bare", repo / ".venv")
    monkeypatch.setenv("VIRTUAL_ENV", "/no/such/environment")
    monkeypatch.setattr(sys, "executable", str(places / "plain" / "bin" / "python"))
    monkeypatch.setenv("PATH", str(places / "bare" / "bin"))
    said = refused(repo, Settings())
    for part in (
        ".venv of the repository) has no torch and no numpy",
        "/no/such/environment/bin/python (the active environment, VIRTUAL_ENV) does not exist",
        "plain/bin/python (the Python that runs Nocturne) has no torch",
        "bare/bin/python3 (python3 on PATH) has no torch",
        "name one by `evaluator: {python: PATH}`",
    ):
        assert part in said, part


def test_a_commands_broken_environment_is_not_passed_over(repo: Path) -> None:
    (repo / ".venv" / "bin").mkdir(parents=True)
    (repo / ".venv" / "bin" / "python").symlink_to("/no/such/python3.9")
    assert "leads to /no/such/python3.9, which is gone" in refused(repo, COMMAND)
    assert choose_python(repo, Settings()).remarks  # what trains goes on, and tells


# What jails are told


def task(repo: Path) -> TaskPython:
    return choose_python(repo, COMMAND)


def test_installations_of_the_repository_lead_to_the_tree_under_test(
    repo: Path, places: Path, tmp_path: Path
) -> None:
    (repo / "src").mkdir()
    python = environment(repo / ".venv", names=())
    site = next((python.parent.parent / "lib").glob("python3*")) / "site-packages"
    (site / "mine.pth").write_text(f"{repo / 'src'}\n")
    finder = f"MAPPING = {{'named': {str(repo / 'lib' / 'named')!r}}}\nNAMESPACES = {{}}\n"
    (site / "__editable___named_finder.py").write_text(finder)
    (site / "named.pth").write_text("import __editable___named_finder\n")
    chosen, tree = task(repo), tmp_path / "tree"
    assert chosen.variables(tree)["PYTHONPATH"].split(":") == [str(tree / "src"), str(tree / "lib")]
    assert not any(path.is_relative_to(repo) and ".venv" not in path.parts for path in chosen.shown)


def test_installations_of_other_projects_are_shown_without_their_secrets(repo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for name in ("library/__init__.py", ".env", ".git/config", "data/rows.csv", "pyproject.toml", "one.py"):
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text("")
    python = environment(repo / ".venv", names=())
    site = next((python.parent.parent / "lib").glob("python3*")) / "site-packages"
    (site / "other.pth").write_text(f"{other}\n{Path.home()}\n/\n")
    shown = task(repo).shown
    assert {path.name for path in shown if path.is_relative_to(other)} == {"library", "one.py"}
    assert Path.home() not in shown and Path("/") not in shown


def test_python_is_what_a_command_means_by_it(repo: Path, places: Path, tmp_path: Path) -> None:
    assert task(repo).search_path("/usr/bin") == f"{Path(sys.executable).parent}:/usr/bin"
    odd = tmp_path / "odd" / "python3.99"
    odd.parent.mkdir()
    odd.symlink_to(Path(sys.executable).resolve())
    chosen = choose_python(repo, Settings(kind="command", command=("x",), python=str(odd)))
    first = Path(chosen.search_path("/usr/bin").split(":")[0])
    assert {path.name for path in first.iterdir()} == {"python", "python3"} and first in chosen.shown
