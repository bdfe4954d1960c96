import tempfile
from pathlib import Path

from small import Small, measure, train

MARKER = "nocturne-marker"  # in the name of whatever is left behind, says the test

model = train(Small())
with Path(tempfile.gettempdir(), MARKER).open("wb") as file:
    for _ in range(500):
        file.write(b"x" * (1 << 20))
measure(model)
