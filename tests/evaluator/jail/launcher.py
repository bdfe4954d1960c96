"""Starts a command in a jail: `python launcher.py SPEC`, as whichever user it is run; see `world.Order`.

Ends as the jail ended. Descriptors named in SPEC are passed on.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from evaluator.jail.bubblewrap import Bubblewrap, find_bubblewrap
from evaluator.jail.file_system import FileSystem
from evaluator.jail.landlock import Landlock, find_landlock
from evaluator.jail.launch import Jail
from evaluator.jail.limits import ProcessLimits
from tests.evaluator.pythons import running_paths


def jail_named(name: str) -> Jail:
    """Return a jail; "bubblewrap 0.6" is the one installed, used as if it could do no more than 0.6 can, and "landlock
    1" the kernel's own, used as if it were the first version of it."""
    if name.startswith("landlock"):
        here = find_landlock()
        assert here is not None
        return Landlock(int(name.partition(" ")[2] or here.abi))
    found = find_bubblewrap()
    assert found is not None
    return Bubblewrap(found.bwrap, frozenset()) if name == "bubblewrap 0.6" else found


def start(spec: dict[str, Any], **options: Any) -> subprocess.Popen[Any]:
    """Start what `spec` says, with further options of Popen."""
    read_only, writable, hidden = (tuple(map(Path, spec[key])) for key in ("read_only", "writable", "hidden"))
    file_system = FileSystem(
        scratch=Path(spec["scratch"]),
        scratch_bytes=spec["scratch_bytes"],
        replaced=tuple((Path(old), Path(new)) for old, new in spec["replaced"].items()),
        devices=spec["devices"],
        read_only=read_only + (running_paths() if spec["python"] else ()),
        writable=writable,
        hidden=hidden,
    )
    launch = jail_named(spec["jail"]).launch(
        [sys.executable if word == "PYTHON" else word for word in spec["command"]],
        env=spec["env"],
        folder=Path(spec["folder"]),
        file_system=file_system,
        limits=ProcessLimits(open_files=spec["open_files"], file_bytes=spec["file_bytes"]),
        fds=spec["fds"],
    )
    try:
        started: subprocess.Popen[Any] = subprocess.Popen(
            launch.argv, env=launch.env, pass_fds=launch.fds, preexec_fn=launch.in_new_process, **options
        )
        return started
    finally:
        launch.close()


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    status = start(order).wait()
    if order["jail"].startswith("landlock"):  # what it wrote to lies on the disk
        shutil.rmtree(order["scratch"])
    sys.exit(status)
