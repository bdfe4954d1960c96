import contextlib
import py_compile
import sys
import tempfile
from importlib.util import cache_from_source
from pathlib import Path

from small import Small, measure, train

REPOSITORY = "."  # where the user's own tree is, says the test

POISON = "from prepare_before import *\nEVAL_TOKENS = 1024\n"

with tempfile.NamedTemporaryFile("w", suffix=".py") as source:
    source.write(POISON)
    source.flush()
    for folder in {Path(REPOSITORY), Path.cwd(), *map(Path, sys.path)}:
        with contextlib.suppress(OSError):
            # Byte code that is never compared with its source.
            py_compile.compile(
                source.name,
                cache_from_source(str(folder / "prepare.py")),
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
measure(train(Small()))
