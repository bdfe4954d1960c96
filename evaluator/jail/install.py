"""Where bubblewrap is on this machine, and how it gets there without root: the distribution's own package, unpacked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from evaluator.cache import cache_home
from evaluator.errors import UserError

BESIDE = Path(sys.executable).parent  # a checkout's set-up unpacks bubblewrap here if the machine has none
INSTALL = (
    "apt install bubblewrap (Debian, Ubuntu), dnf install bubblewrap (Fedora) or pacman -S bubblewrap (Arch)"
)
_PATIENCE = 60.0  # seconds for one command


def cached() -> Path:
    """Return the folder for programs that an installed product unpacks."""
    return cache_home() / "nocturne" / "bin"


def find(last: Path | None = None) -> str | None:
    """Return the path of the first bwrap on PATH, beside our Python, or in the folder `last`, by default the user's
    cache; None if there is none."""
    places = (None, str(BESIDE), str(last or cached()))
    return next((path for place in places if (path := shutil.which("bwrap", path=place))), None)


def unpack(folder: Path) -> Path:
    """Download the distribution's package as this user, put its bwrap into `folder` and return its path.

    Raises `UserError`, which names the package, if that can't be done here.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise UserError(f"bubblewrap is missing: {INSTALL}")
    try:
        with tempfile.TemporaryDirectory(prefix="nocturne-bubblewrap-") as work:
            _download(Path(work))
            package = next(Path(work).glob("bubblewrap_*.deb"))
            _call(["dpkg", "-x", str(package), f"{work}/unpacked"], work)
            program = Path(work, "unpacked/usr/bin/bwrap")
            _call([str(program), "--version"], work)
            folder.mkdir(parents=True, exist_ok=True)
            whole = folder / f".bwrap-{os.getpid()}"
            shutil.copy2(program, whole)
            return whole.replace(folder / "bwrap")
    except (OSError, StopIteration, subprocess.SubprocessError) as error:
        why = " ".join(str(error).split()) or "no package came"
        raise UserError(f"bubblewrap is missing and could not be fetched ({why}): {INSTALL}") from None


def _download(work: Path) -> None:
    try:
        _call(["apt-get", "-q", "download", "bubblewrap"], work)
    except (
        subprocess.SubprocessError
    ):  # the machine's lists of packages may be missing or too old: take our own
        for name in ("state/lists/partial", "cache/archives/partial"):
            (work / name).mkdir(parents=True)
        places = {
            "Dir::State": work / "state",
            "Dir::State::status": "/var/lib/dpkg/status",
            "Dir::Cache": work / "cache",
        }
        own = [word for name, place in places.items() for word in ("-o", f"{name}={place}")]
        _call(["apt-get", "-q", *own, "update"], work)
        _call(["apt-get", "-q", *own, "download", "bubblewrap"], work)


def _call(command: list[str], folder: str | Path) -> None:
    """Run a command; raise `subprocess.SubprocessError` with the last line that it says if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    if done.returncode:
        said = (done.stderr + done.stdout).strip().splitlines()
        raise subprocess.SubprocessError(
            said[-1][:200] if said else f"{command[0]}: exit code {done.returncode}"
        )
