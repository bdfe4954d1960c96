import os
import tempfile
from pathlib import Path

from small import Small, measure, train

# A note is written by a process that belongs to nobody, as daemons are started.
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        (Path(tempfile.gettempdir()) / "note").write_text("begun")
    os._exit(0)
os.wait()
measure(train(Small()))
