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

cd "$NOCTURNE_ACTION"
key=$(
    {
        "$python" -c "import sys; print(sys.version, sys.prefix)"
        find pyproject.toml .github/action/requirements.lock bot evaluator nocturne_candidate -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum
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
    # What the lock names, file by file, and nothing else: what lies in the runner's Python is never imported.
    pip() { "$environment/bin/python" -I -m pip --quiet --disable-pip-version-check "$@"; }
    pip install --no-deps --only-binary :all: --require-hashes --requirement .github/action/requirements.lock &&
        pip install --no-deps --no-build-isolation "$NOCTURNE_ACTION" ||
        fail "the packages of Nocturne can't be installed (see above): does this runner reach PyPI, or the index that PIP_INDEX_URL names?"
    echo "::endgroup::"
fi
touch "$environment/ready"
# What no job has used for a month belongs to versions that are gone.
find "$home" -mindepth 2 -maxdepth 2 -name ready -mtime +30 -printf '%h\0' | xargs -0 -r rm -rf
echo "bin=$environment/bin" >>"$GITHUB_OUTPUT"
