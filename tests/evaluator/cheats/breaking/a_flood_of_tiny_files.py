import tempfile
from pathlib import Path

from small import Small, measure, train

MARKER = "nocturne-marker"  # in the name of whatever is left behind, says the test

model = train(Small())
for number in range(100_000):
    Path(tempfile.gettempdir(), f"{MARKER}-{number}").touch()
measure(model)
