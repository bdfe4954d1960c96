"""A Python is asked what it is, once; one that can't be started is named with the reason."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from evaluator.interpreter import interpreter as asking
from evaluator.interpreter.interpreter import Interpreter, ask
from evaluator.interpreter.start_failure import Unstartable
from tests.evaluator.pythons import environment, other_pythons, running, site_of


def asked(python: Path) -> Interpreter:
    """Ask as a new process would."""
    asking._asked_once.cache_clear()
    return ask(python, folder=Path("/"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment without any package."""
    return environment(tmp_path_factory.mktemp("bare") / "env", names=())


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.long
def test_the_running_python_is_known_as_it_is() -> None:
    import numpy
    import torch

    found = running()
    assert found.version == sys.version_info[:3] and found.executable == Path(sys.executable)
    assert set(found.prefixes) == {sys.prefix, sys.base_prefix}
    assert found.torch == torch.__version__ and found.numpy == numpy.__version__
    assert found.cuda == torch.version.cuda and found.cloudpickle and found.not_compiled is None


def test_an_environment_has_what_it_has(bare: Path) -> None:
    found = asked(bare)
    assert (found.torch, found.numpy, found.cloudpickle, found.is_virtual) == (None, None, None, True)
    assert found.prefix == bare.parent.parent


def test_modules_are_looked_for_and_not_imported(bare: Path) -> None:
    package = site_of(bare) / "explosive"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')\n")
    found = ask(bare, folder=Path("/"), modules=("explosive", "nowhere_to_be_had", "json"))
    assert found.modules == {"explosive": True, "nowhere_to_be_had": False, "json": True}
    shutil.rmtree(package)


def test_the_answer_is_kept_until_something_is_installed(bare: Path, tmp_path: Path) -> None:
    assert asked(bare).torch is None
    (kept,) = (tmp_path / "cache" / "nocturne" / "pythons").glob("*.json")
    said = json.loads(kept.read_text())
    said["facts"]["torch"] = "9.9"
    kept.write_text(json.dumps(said))
    assert asked(bare).torch == "9.9"  # nobody was asked
    (site_of(bare) / "installed_just_now").mkdir()
    assert asked(bare).torch is None
    kept.write_text("[]")
    assert asked(bare).torch is None


@pytest.mark.parametrize("python", other_pythons(), ids=lambda path: path.name)
def test_our_programs_run_under_every_python_that_is_here(python: Path) -> None:
    found = asked(python)
    assert found.not_compiled is None and found.version[:2] != sys.version_info[:2]


def test_the_folder_it_is_asked_in_is_not_imported_from(bare: Path, tmp_path: Path) -> None:
    for name in ("json", "re", "ssl", "ctypes", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    asking._asked_once.cache_clear()
    assert ask(bare, folder=tmp_path).version == sys.version_info[:3]


def test_it_is_told_no_credential(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "a-secret")
    (site_of(bare) / "curious.pth").write_text("import os; os.environ.get('GITHUB_TOKEN') and os._exit(3)\n")
    try:
        assert asked(bare).version
    finally:
        (site_of(bare) / "curious.pth").unlink()


# What can't be started


def why(python: Path) -> str:
    with pytest.raises(Unstartable) as caught:
        asked(python)
    return str(caught.value)


def test_what_is_no_program(tmp_path: Path) -> None:
    assert "does not exist" in why(tmp_path / "nothing")
    (tmp_path / "folder").mkdir()
    assert "is a folder without bin/python" in why(tmp_path / "folder")
    (tmp_path / "gone").symlink_to(tmp_path / "python3.8")
    assert f"leads to {tmp_path}/python3.8, which is gone: make the environment again" in why(
        tmp_path / "gone"
    )
    (tmp_path / "text").write_text("words")
    assert "is not executable" in why(tmp_path / "text")
    (tmp_path / "text").chmod(0o755)
    assert "is no program" in why(tmp_path / "text")
    (tmp_path / "script").write_text("#!/no/such/python\n")
    (tmp_path / "script").chmod(0o755)
    assert "its first line asks for /no/such/python" in why(tmp_path / "script")


def test_what_is_built_for_another_system(tmp_path: Path) -> None:
    whole = Path(sys.executable).resolve().read_bytes()
    loader = b"/lib64/ld-linux-x86-64.so.2"
    if loader not in whole:
        pytest.skip("this machine's Python has another loader")
    musl = tmp_path / "musl"
    musl.write_bytes(whole.replace(loader, b"/lib/ld-musl-x86_64.so.1".ljust(len(loader), b"\0")))
    other = tmp_path / "other"
    other.write_bytes(whole[:18] + (183).to_bytes(2, "little") + whole[20:])
    for each in (musl, other):
        each.chmod(0o755)
    assert "built for another system with musl: its loader /lib/ld-musl-x86_64.so.1 is missing" in why(musl)
    assert "is built for aarch64, and this machine is x86_64" in why(other)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo hello", "is no Python: asked what it is, it said 'hello'"),
        ("echo 'libpython3.so: cannot open' >&2; exit 127", "is broken: libpython3.so: cannot open"),
        ("echo 'SyntaxError: invalid syntax' >&2; exit 1", "is too old"),
        ("kill -9 $$", "was ended by signal 9"),
    ],
)
def test_what_is_no_python_or_a_broken_one(tmp_path: Path, script: str, said: str) -> None:
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    assert said in why(path)


def test_a_shim_leads_to_the_python_itself(tmp_path: Path, bare: Path) -> None:
    shim = tmp_path / "shims" / "python3"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{bare}" "$@"\n')
    shim.chmod(0o755)
    assert asked(shim).executable == bare
    assert not os.path.exists(tmp_path / "cache" / "nocturne" / "pythons")  # noqa: PTH110
