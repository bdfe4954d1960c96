import contextlib
import os
import tempfile
from pathlib import Path

from small import measure, train
from whispering import Whispers


def places():
    named = (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm", "/run", Path.home(), Path.cwd())
    return [Path(each) / "whispers" for each in (*named, Path(os.__file__).parent / "__pycache__")]


def tell(bits):
    for place in places():
        with contextlib.suppress(OSError):
            place.write_bytes(bytes(bits))


def listen():
    for place in places():
        with contextlib.suppress(OSError):
            return list(place.read_bytes())
    return None


class ByFiles(Whispers):
    tell, listen = staticmethod(tell), staticmethod(listen)


measure(train(ByFiles()))
