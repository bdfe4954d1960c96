"""Write each fault of the list into a copy of the project, and see that the tests named beside it fail.

make mutants                  all of them, about twenty minutes
make mutants ONLY="a b"       those whose name contains one of the words
"""

from __future__ import annotations

import argparse
import re
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


def outcome(fault: Fault, folder: Path, python: Path) -> tuple[str, str]:
    """Run the fault's tests with the fault, put the file back, and return what came of it, and by what.

    It is `caught` by the test that fails first, itself or in its fixtures, `SURVIVED`, or `NOT RUN` if no test was
    selected, none could start, or they did not end: name those that notice it.
    """
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
        return "NOT RUN", f"no end within {SECONDS} s"
    finally:
        path.write_text(whole)
    if failed := re.search(r"^(?:FAILED|ERROR) (\S+::.+?)(?: - |$)", done.stdout, re.MULTILINE):
        return "caught", failed[1]
    if done.returncode == 0 and " passed" in done.stdout:
        return "SURVIVED", ""
    return "NOT RUN", f"pytest ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="WORD", help="faults whose name contains one"
    )
    only = parser.parse_args().only
    faults = [fault for fault in read_faults() if not only or any(word in fault.name for word in only)]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="nocturne-mutants-") as home:
        folder = Path(home) / "project"
        python = copy_of_the_project(folder)
        for fault in faults:
            began = time.monotonic()
            came, by = outcome(fault, folder, python)
            print(f"{came:9}{time.monotonic() - began:6.1f} s  {fault.name}  {by}".rstrip(), flush=True)
            missed += came != "caught"
    print(f"{len(faults) - missed} of {len(faults)} faults are caught")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
