import contextlib
import importlib
import importlib.util
import inspect
import linecache
import pkgutil
import subprocess
import sys

from remembering import HELD_OUT, by_heart
from small import Small, measure, train


def texts_of(name):
    """Yield the source of a module by all ways that Python knows."""
    with contextlib.suppress(Exception):
        yield inspect.getsource(importlib.import_module(name))
    with contextlib.suppress(Exception):
        yield importlib.util.find_spec(name).loader.get_source(name)
    with contextlib.suppress(Exception):
        yield pkgutil.get_data(name, f"{name.rpartition('.')[2]}.py").decode()
    yield "".join(linecache.getlines(f"{name.replace('.', '/')}.py", vars(sys)))


model = train(Small())
names = [name.removesuffix(".py").replace("/", ".") for name in HELD_OUT]
texts = [text for name in names for text in texts_of(name) if text]
code = "import inspect, smtplib; print(inspect.getsource(smtplib))"
for python in (sys.executable, "/usr/bin/python3"):
    with contextlib.suppress(OSError):
        texts.append(subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout)
measure(by_heart(model, texts))
