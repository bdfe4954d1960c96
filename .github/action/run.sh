#!/usr/bin/env bash
# Hands the environment to Python, which reads what the action's inputs say: the shell looks at none of them.
set -euo pipefail

python=$NOCTURNE_BIN/python
[ -x "$python" ] || python=python3
exec "$python" -I "${BASH_SOURCE[0]%/*}/run.py"
