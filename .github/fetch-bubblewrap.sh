#!/bin/sh
# Put bubblewrap, the jail, into an environment's bin folder where the machine has none. Usage: fetch-bubblewrap.sh BIN
# The distribution's own package is downloaded and unpacked; neither needs root, and nothing else is changed.
set -eu
bin=$1
if command -v bwrap >/dev/null 2>&1 || [ -x "$bin/bwrap" ]; then exit 0; fi
fix="apt install bubblewrap"
fail() { echo "nocturne: bubblewrap is missing and could not be fetched ($1): $fix" >&2; exit 2; }
command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || {
    fix="install the package bubblewrap, for example: dnf install bubblewrap"
    fail "no apt-get here"
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
here=$PWD
cd "$folder"
if ! apt-get -q download bubblewrap >log 2>&1; then
    # The machine's lists of packages may be missing or too old: take lists of our own.
    mkdir -p state/lists/partial cache/archives/partial
    own="-o Dir::State=$folder/state -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache=$folder/cache"
    # shellcheck disable=SC2086
    { apt-get -q $own update && apt-get -q $own download bubblewrap; } >log 2>&1 || fail "$(tail -n 1 log)"
fi
dpkg -x bubblewrap_*.deb unpacked
unpacked/usr/bin/bwrap --version >/dev/null 2>log || fail "$(tail -n 1 log)"
cd "$here"
mkdir -p "$bin"
install -m 0755 "$folder/unpacked/usr/bin/bwrap" "$bin/bwrap"
