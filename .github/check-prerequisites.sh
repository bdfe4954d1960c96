#!/bin/sh
# Say in one line what is missing before anything is installed. Usage: check-prerequisites.sh PYTHON
python=$1
fix() { echo "nocturne: $1" >&2; exit 2; }

command -v git >/dev/null 2>&1 || fix "git is missing: apt install git"
command -v "$python" >/dev/null 2>&1 ||
    fix "$python is missing: apt install python3 python3-venv, or name another with make PYTHON=python3.12"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
    fix "$("$python" --version 2>&1) is too old, 3.10 or newer is needed: make PYTHON=python3.12"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fix "the module venv is missing: apt install python3-venv"
# The set-up can unpack bubblewrap by itself, but only Debian's or Ubuntu's package.
command -v bwrap >/dev/null 2>&1 || { command -v apt-get && command -v dpkg; } >/dev/null 2>&1 ||
    fix "bubblewrap is missing: install the package bubblewrap, for example dnf install bubblewrap"
