"""Write each fault of the list into a copy of the project, and see that the tests named beside it fail.

make mutants                  all of them, about ten minutes
make mutants ONLY="a b"       those whose name contains one of the words
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutants.faults import ROOT, Fault, read_faults

SECONDS = 600


def copy_of_the_project(folder: Path) -> Path:
    """Copy the project to `folder`, with an environment in which its copy comes first, and return its Python."""
    skipped = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "nocturne-demo")
    shutil.copytree(ROOT, folder, ignore=skipped)
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True, timeout=SECONDS
    )
    python = folder / ".venv/bin/python"
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(
        subprocess.run(asked, check=True, capture_output=True, text=True, timeout=SECONDS).stdout.strip()
    )
    ours = [path for path in sys.path if Path(path).name == "site-packages"]
    (packages / "copy.pth").write_text("".join(f"{path}\n" for path in (folder, *ours)))
    for tool in ("bwrap", "act"):
        if (Path(sys.prefix) / "bin" / tool).exists():
            shutil.copy(Path(sys.prefix) / "bin" / tool, folder / ".venv/bin" / tool)
    return python


def is_caught(fault: Fault, folder: Path, python: Path) -> bool:
    """Run the fault's tests with the fault, and put the file back. A run that takes too long has noticed it."""
    path = folder / fault.file
    whole = path.read_text()
    marked = "long" if fault.long else "not long and not slow and not corpus"
    command = [str(python), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", marked, *fault.tests]
    path.write_text(fault.applied(whole))
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    finally:
        path.write_text(whole)
    tested = {0: " passed", 1: " failed"}.get(done.returncode)
    if (
        tested is None or tested not in done.stdout
    ):  # no test was selected, or none could run: nothing is proved
        raise SystemExit(
            f"{fault.name}: pytest ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}"
        )
    return done.returncode == 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="WORD", help="faults whose name contains one"
    )
    only = parser.parse_args().only
    faults = [fault for fault in read_faults() if not only or any(word in fault.name for word in only)]
    survived = []
    with tempfile.TemporaryDirectory(prefix="nocturne-mutants-") as home:
        folder = Path(home) / "project"
        python = copy_of_the_project(folder)
        for fault in faults:
            began = time.monotonic()
            caught = is_caught(fault, folder, python)
            said = "caught" if caught else "SURVIVED"
            print(f"{said:9}{time.monotonic() - began:6.1f} s  {fault.name}", flush=True)
            survived += [] if caught else [fault.name]
    print(f"{len(faults) - len(survived)} of {len(faults)} faults are caught")
    return 1 if survived else 0


if __name__ == "__main__":
    raise SystemExit(main())
