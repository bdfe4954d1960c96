"""Whole runs in which the scorer's Python and the task's are two."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.evaluator.pythons import (
    TO_TRAIN,
    bot_environment,
    conda_environment,
    environment,
    other_pythons,
    site_of,
)
from tests.evaluator.runs import STEPS, Outcome, score
from tests.evaluator.test_export import TOY

# Prints the metric and which Python it is, and what of the machine it sees.
BENCH = """
import json, os, sys
print("METRIC accuracy=%d" % {value})
print("SEEN", json.dumps([sys.executable, *[path for path in {paths} if os.path.exists(path)]]))
"""
TRAIN = """
import importlib.util, sys, torch
from prepare import Tokenizer, evaluate_bpb, make_dataloader
print("SEEN", sys.executable, importlib.util.find_spec("yaml"), importlib.util.find_spec("cloudpickle").origin)
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(3, 3)
    def forward(self, tokens):
        return self.table(tokens)
model, tokenizer = Model(), Tokenizer.from_directory()
loader = make_dataloader(tokenizer, 1, 4, "train")
for _ in range(3):
    next(loader)
evaluate_bpb(model, tokenizer, 1)
"""
COMMAND = {"kind": "command", "command": ["python", "bench.py"], "metric": {"name": "accuracy"}}


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has all that Nocturne needs, and no torch."""
    python = bot_environment(tmp_path_factory.mktemp("bot") / "env")
    done = subprocess.run(
        [python, "-I", "-c", "import importlib.util as u; print(u.find_spec('torch'))"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "None\n"
    return python


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which the bundled task is not prepared: nothing here needs it."""
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return cache


def bench(folder: Path, value: str = "7", *paths: object) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "bench.py").write_text(BENCH.format(value=value, paths=[str(each) for each in paths]))
    return folder


def seen(outcome: Outcome) -> list[str]:
    """Return what the task saw: its Python, and which of the paths that it looked for."""
    assert outcome.returncode == 0, (outcome.stderr, outcome.events)
    (line,) = (line for line in outcome.last["log_tail"].splitlines() if line.startswith("SEEN "))
    return list(json.loads(line.removeprefix("SEEN ")))


def command(repo: Path, bot: Path, more: Mapping[str, object] | None = None, **env: str) -> Outcome:
    return score(repo, {**COMMAND, **(more or {})}, python=str(bot), env=env)


# Training


def toy(folder: Path) -> Path:
    (folder / "cache" / "data").write_text("one")
    repo = folder / "repo"
    repo.mkdir()
    (repo / "prepare.py").write_text(TOY)
    (repo / "train.py").write_text(TRAIN)
    return repo


@pytest.mark.long
def test_a_training_is_scored_by_a_python_without_torch(tmp_path: Path, bot: Path) -> None:
    """The task's own has torch and numpy, and not even cloudpickle: that is brought, and nothing beside it."""
    repo = toy(tmp_path)
    python = environment(repo / ".venv", names=TO_TRAIN)
    outcome = score(repo, {**STEPS, "eval_tokens": 40}, python=str(bot))
    assert outcome.last["event"] == "score", outcome.last
    brought = site_of(bot) / "cloudpickle" / "__init__.py"
    assert f"SEEN {python} None {brought}" in outcome.last["log_tail"]
    started = outcome.events[0]["python"]
    assert started["executable"] == str(python) and started["found"] == ".venv of the repository"


@pytest.mark.slow
def test_a_conda_environment_trains_with_a_cloudpickle_of_its_own(tmp_path: Path, bot: Path) -> None:
    repo = toy(tmp_path)
    python = conda_environment(tmp_path / "conda" / "speech")
    for entry in site_of(environment(tmp_path / "other", names=(*TO_TRAIN, "cloudpickle"))).iterdir():
        (site_of(python) / entry.name).symlink_to(entry.resolve())
    settings = {**STEPS, "eval_tokens": 40}
    outcome = score(repo, settings, python=str(bot), env={"CONDA_PREFIX": str(python.parent.parent)})
    assert outcome.last["event"] == "score", outcome.last
    assert f"SEEN {python} None {site_of(python)}/cloudpickle/__init__.py" in outcome.last["log_tail"]


# Commands


@pytest.mark.long
def test_a_command_runs_in_the_repositorys_environment_and_sees_no_other(tmp_path: Path, bot: Path) -> None:
    repo = bench(
        tmp_path / "repo", "7", bot, site_of(bot) / "pydantic", Path.home() / ".bashrc", "/usr/bin/env"
    )
    python = environment(repo / ".venv", names=())
    assert seen(command(repo, bot)) == [str(python), "/usr/bin/env"]


@pytest.mark.long
def test_what_is_measured_is_the_tree_and_not_the_installed_checkout(tmp_path: Path, bot: Path) -> None:
    """A src layout, installed editable in the user's checkout: a candidate's change to it must count."""
    text = "from mine import VALUE\nprint(f'METRIC accuracy={VALUE}')\n"
    for name, value in (("repo", 1), ("tree", 2)):
        package = tmp_path / name / "src" / "mine"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f"VALUE = {value}\n")
        (tmp_path / name / "bench.py").write_text(text)
    python = environment(tmp_path / "repo" / ".venv", names=())
    (site_of(python) / "mine.pth").write_text(f"{tmp_path / 'repo' / 'src'}\n")
    outcome = command(tmp_path / "tree", bot, {"repository": str(tmp_path / "repo")})
    assert outcome.last["score"] == 2, outcome.last
    assert command(tmp_path / "repo", bot).last["score"] == 1


@pytest.mark.long
def test_a_sibling_of_a_monorepo_is_imported_where_it_lies(tmp_path: Path, bot: Path) -> None:
    top = tmp_path / "mono"
    (top / ".git").mkdir(parents=True)
    sibling = top / "packages" / "tools"
    (sibling / "tools").mkdir(parents=True)
    (sibling / "tools" / "__init__.py").write_text("VALUE = 5\n")
    (sibling / "pyproject.toml").write_text("")
    (sibling / ".env").write_text("KEY=secret\n")
    repo = bench(top / "models", "__import__('tools').VALUE", sibling / ".env", sibling / "tools")
    python = environment(top / ".venv", names=())
    (site_of(python) / "tools.pth").write_text(f"{sibling}\n")
    outcome = command(repo, bot)
    assert outcome.last["score"] == 5
    assert seen(outcome) == [str(python), str(sibling / "tools")]


@pytest.mark.slow  # as a sibling of a monorepo, above: what an installation leads to is shown
def test_packages_that_are_links_into_a_cache_are_there(tmp_path: Path, bot: Path) -> None:
    """`uv pip install --link-mode symlink`: each file of a package leads into uv's cache."""
    repo = bench(tmp_path / "repo", "__import__('linked').VALUE")
    site = site_of(environment(repo / ".venv", names=()))
    kept = tmp_path / "uv" / "archive-v0" / "x1y2" / "linked"
    kept.mkdir(parents=True)
    (site / "linked").mkdir()
    (kept / "__init__.py").write_text("from linked.deep import VALUE\n")
    (kept / "deep.py").write_text("VALUE = 3\n")
    for name in ("__init__.py", "deep.py"):
        (site / "linked" / name).symlink_to(kept / name)
    assert command(repo, bot).last["score"] == 3


@pytest.mark.long
def test_an_interpreter_that_is_managed_elsewhere_is_followed(tmp_path: Path, bot: Path) -> None:
    """As uv's own Pythons: below the home folder, and named by a link to a folder without the patch release."""
    managed = tmp_path / "share" / "uv" / "python"
    conda_environment(managed / "cpython-3-full").resolve()
    shutil.rmtree(managed / "cpython-3-full" / "conda-meta")
    (managed / "cpython-3").symlink_to("cpython-3-full")
    repo = bench(tmp_path / "repo")
    made = [
        str(managed / "cpython-3" / "bin" / "python3"),
        "-m",
        "venv",
        "--without-pip",
        str(repo / ".venv"),
    ]
    subprocess.run(made, check=True, timeout=60)
    outcome = command(repo, bot)
    assert seen(outcome) == [str(repo / ".venv" / "bin" / "python")], outcome.last


@pytest.mark.long
@pytest.mark.parametrize(
    "python",
    [
        pytest.param(path, id=path.name, marks=[pytest.mark.slow] * (0 < at < len(other_pythons()) - 1))
        for at, path in enumerate(other_pythons())
    ],
)
def test_other_versions_produce_and_measure(tmp_path: Path, bot: Path, python: Path) -> None:
    repo = bench(tmp_path / "repo", "7", "out/made.txt")
    (repo / "train.py").write_text(
        "import os, sys\nopen(os.environ['NOCTURNE_OUT'] + '/made', 'w').write(sys.version)\n"
    )
    (repo / "bench.py").write_text(
        "import os, sys\nsame = open(os.environ['NOCTURNE_OUT'] + '/made').read() == sys.version\n"
        "print('METRIC accuracy=%d' % same)\nprint('SEEN', '[]' if same else '[1]')\n"
    )
    outcome = command(repo, bot, {"python": str(python), "produce": ["python3", "train.py"]})
    assert outcome.last["event"] == "score" and outcome.last["score"] == 1, outcome.last
    assert outcome.events[0]["python"]["version"].startswith(python.name.removeprefix("python"))


@pytest.mark.long
def test_a_system_python_is_python_in_the_command(tmp_path: Path, bot: Path) -> None:
    system = Path("/usr/bin/python3")
    if (
        not system.exists()
        or subprocess.run([system, "-c", "import sys; sys.exit(sys.version_info < (3, 10))"]).returncode
    ):
        pytest.skip("no Python of the system that is new enough")
    assert seen(command(bench(tmp_path / "repo"), bot, {"python": str(system)})) == [str(system)]


@pytest.mark.long
def test_packages_of_the_user_are_there_as_they_are_outside(tmp_path: Path, bot: Path) -> None:
    """`pip install --user`, for a Python that is no environment's."""
    base = tmp_path / "home" / ".local"
    release = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site = base / "lib" / release / "site-packages"
    site.mkdir(parents=True)
    (site / "personal.py").write_text("VALUE = 4\n")
    repo = bench(tmp_path / "repo", "__import__('personal').VALUE", tmp_path / "home" / "secret")
    (tmp_path / "home" / "secret").write_text("")
    plain = os.path.join(sys.base_prefix, "bin", release)  # noqa: PTH118
    outcome = command(repo, bot, {"python": plain}, HOME=str(tmp_path / "home"))
    assert outcome.last["score"] == 4
    assert [str(Path(each).resolve()) for each in seen(outcome)] == [str(Path(plain).resolve())]


@pytest.mark.long
def test_uv_run_takes_the_environment_as_it_is(tmp_path: Path, bot: Path) -> None:
    """Without network, and though the lock file of the tree asks for more."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        pytest.skip("uv is not installed")
    repo = bench(tmp_path / "repo")
    (repo / "pyproject.toml").write_text(
        '[project]\nname = "toy"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["nowhere-to-be-had"]\n'
    )
    made = [uv, "venv", "--quiet", "--offline", "--python", sys.executable, str(repo / ".venv")]
    subprocess.run(made, check=True, timeout=60, env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"})
    env = {"PATH": f"{Path(uv).parent}:{os.environ['PATH']}"}
    for words in (["uv", "run", "bench.py"], ["uv", "run", "python", "bench.py"]):
        outcome = command(repo, bot, {"command": words}, **env)
        assert Path(seen(outcome)[0]).parent == repo / ".venv" / "bin", words
