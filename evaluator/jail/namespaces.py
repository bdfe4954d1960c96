"""The jail that Python makes by itself where there is no bubblewrap: see enter.py for how."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from evaluator.jail.memory_file import memory_file
from evaluator.jail.mounts import mounts
from evaluator.jail.seccomp import program
from evaluator.jail.view import Launch, Limits, View

_ENTER = Path(__file__).with_name("enter.py")


@dataclass(frozen=True)
class Namespaces:
    """User, mount, process, network, IPC, host name and cgroup namespaces, entered by enter.py.

    Needs Linux 5.12 (mount_setattr). What to do goes to it in a file without a name, and its environment is
    empty.
    """

    name: ClassVar[str] = "namespaces"

    def launch(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        folder: Path,
        view: View,
        limits: Limits,
        fds: Sequence[int] = (),
    ) -> Launch:
        """See `Jail.launch`."""
        order = {
            "command": list(command),
            "env": dict(env),
            "folder": str(folder),
            "mounts": [asdict(mount) for mount in mounts(view)],
            "seccomp": program().hex(),
            "fds": list(fds),
        }
        own = memory_file(json.dumps(order).encode())
        argv = (sys.executable, "-I", "-S", "-B", str(_ENTER), str(own))
        return Launch(argv=argv, env={}, fds=(*fds, own), own=(own,), limits=limits)
