"""Becomes the command that produces something, after the scorer was given an open handle on its output folder.

The handle outlives the jail, so that the scorer can copy what is in the folder once nothing runs there any
more. Nothing of the candidate has run when it is given.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

NOT_STARTED = 127  # as shells say it


def main(descriptor: str, folder: str, *command: str) -> None:
    """Make `folder`, send it over the socket `descriptor`, and become `command`."""
    Path(folder).mkdir()
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    with socket.socket(fileno=int(descriptor)) as end:
        socket.send_fds(end, [b"folder"], [handle])
    os.close(handle)
    for each in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and what is ignored stays ignored
        signal.signal(each, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: can't be started: {error.strerror}", flush=True)
        sys.exit(NOT_STARTED)
