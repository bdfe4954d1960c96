#!/bin/sh
# Say in one line what is missing before anything is installed. Usage: check-prerequisites.sh PYTHON
python=$1
mend() { echo "nocturne: $1" >&2; exit 2; }

command -v git >/dev/null 2>&1 || mend "git is missing: apt install git"
command -v "$python" >/dev/null 2>&1 ||
    mend "$python is missing: apt install python3 python3-venv, or name another with make PYTHON=python3.12"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
    mend "$("$python" --version 2>&1) is too old, 3.10 or newer is needed: make PYTHON=python3.12"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    mend "the module venv is missing: apt install python3-venv"
