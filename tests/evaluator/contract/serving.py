"""A real data jail's server over a prepare.py, without the jail, and the `prepare` that a script finds."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluator.inside import frames, repository, served, shim
from evaluator.inside.frames import Channel

LAUNCH = Path(frames.__file__).with_name("launch.py")


@contextlib.contextmanager
def served_by(folder: Path, text: str, *, hidden: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yield the module `prepare` of a candidate whose repository has this prepare.py; `hidden` files are there for the
    server only."""
    (folder / "prepare.py").write_text(text)
    ours, theirs = socket.socketpair()
    scorer, control = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-B", str(LAUNCH), "-", "data_server", str(theirs.fileno()), str(control.fileno())],
        cwd=folder,
        pass_fds=(theirs.fileno(), control.fileno()),
    )
    theirs.close()
    control.close()
    before, found = dict(sys.modules), list(sys.meta_path)
    try:
        listening = Channel(scorer.detach())
        kind, body = listening.receive()
        assert kind == frames.HELLO and "fingerprint" in json.loads(body)
        for name in hidden:
            (folder / name).rename(folder / f"{name}.away")
        data = served.Data(Channel(ours.detach()))
        place = shim.Shim(None, data, -1, 4, 8)  # type: ignore[arg-type]  # no scorer: nothing is evaluated here
        repository.text.cache_clear()
        prepare = repository.load_prepare(
            folder, lambda names: data.ask_with(frames.NAMES, (), {}, names=names)
        )
        place.take_the_place_of(prepare, text)
        yield prepare
        listening.socket.close()
    finally:
        process.kill()
        process.wait()
        sys.meta_path[:] = found
        for name in set(sys.modules) - set(before):
            if name == "prepare":
                del sys.modules[name]
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
