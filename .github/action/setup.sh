#!/usr/bin/env bash
# Makes the environment of the action once per machine, Python and version; the next job finds it ready.
# Tells where it is by the output `bin`.
set -euo pipefail

fail() {
    echo "::error title=Nocturne::$1"
    exit 2
}

# The one input that Python can't read, since it names Python: a program's name or path, never a word of the shell.
case $NOCTURNE_PYTHON in
-* | *[!A-Za-z0-9._/+~\ -]*) fail "python: not the name or the path of a program: name the Python of this runner" ;;
esac
# Nocturne's own Python: the runner's, or else the task's. What the task needs (torch, above all) is not looked for
# here: the task runs in a Python of its own.
python=
old=
for name in python3 python "$NOCTURNE_PYTHON" "$NOCTURNE_PYTHON/bin/python"; do
    found=$(type -P "$name") || continue
    [ "${found#/}" != "$found" ] || found=$PWD/$found
    if ! "$found" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        old="${old:-$found is older than 3.10}"
    elif ! "$found" -c 'import ensurepip, venv' 2>/dev/null; then
        old="${old:-$found has no venv: apt install python3-venv}"
    else
        python=$found
        break
    fi
done
[ -n "$python" ] || fail "python: ${old:-there is no python3 on this runner}: Nocturne needs Python 3.10 or newer with venv"

# What this Python has already is taken as it is, in its own versions; only what is missing is fetched.
list='import json, sys; from importlib import metadata
print(json.dumps(sorted({(each.metadata["Name"] or "").lower().replace("_", "-") for each in metadata.distributions()})))'

cd "$NOCTURNE_ACTION"
key=$(
    {
        "$python" -c "import sys; print(sys.version, sys.prefix)"
        "$python" -c "$list"
        find pyproject.toml .github/requirements.lock bot evaluator nocturne_candidate -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum
    } | sha256sum | cut -c 1-16
)
home=${RUNNER_TOOL_CACHE:-$HOME/.cache}/nocturne
environment=$home/$key
mkdir -p "$home"
exec 9>"$home/lock"
flock --timeout 900 9 || fail "another job prepares $home for too long: look whether it hangs"
if [ ! -f "$environment/ready" ]; then
    echo "::group::Installing Nocturne into $environment (once)"
    rm -rf "$environment"
    "$python" -m venv "$environment"
    touch "$environment/nocturne-action" # no task means this one by `python`
    "$python" -c 'import site; print(*site.getsitepackages(), sep="\n")' \
        >"$("$environment/bin/python" -c 'import site; print(site.getsitepackages()[0])')/runner.pth"
    "$environment/bin/python" - "$("$python" -c "$list")" <<'PYTHON' >"$environment/constraints.txt"
import json, sys
there = set(json.loads(sys.argv[1]))
for line in open(".github/requirements.lock"):
    name, pinned, _ = line.partition("==")
    if pinned and name.lower() not in there:
        print(line.rstrip("\\\n"))  # without the hashes below it: what is there already has none
PYTHON
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint "$environment/constraints.txt" "$NOCTURNE_ACTION"
    echo "::endgroup::"
fi
touch "$environment/ready"
# What no job has used for a month belongs to versions that are gone.
find "$home" -mindepth 2 -maxdepth 2 -name ready -mtime +30 -printf '%h\0' | xargs -0 -r rm -rf
echo "bin=$environment/bin" >>"$GITHUB_OUTPUT"
