"""Files without a name, to hand something to a process that no list of processes shows."""

from __future__ import annotations

import os
import tempfile


def memory_file(content: bytes) -> int:
    """Return a descriptor to read `content` from, at its beginning; to be closed by the caller."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("order")
    else:  # Pythons built for an old libc, as conda's
        with tempfile.TemporaryFile() as unnamed:
            descriptor = os.dup(unnamed.fileno())
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
