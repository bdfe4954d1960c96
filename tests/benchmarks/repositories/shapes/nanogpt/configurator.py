"""Poor man's configurator: config files and --key=value replace globals. Used by exec(open(...).read())."""

import sys
from ast import literal_eval

for arg in sys.argv[1:]:
    if "=" not in arg:
        print(f"Overriding config with {arg}")
        exec(open(arg).read())
    else:
        key, val = arg.removeprefix("--").split("=")
        assert key in globals(), f"Unknown config key: {key}"
        globals()[key] = literal_eval(val) if not isinstance(globals()[key], str) else val
