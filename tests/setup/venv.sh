#!/bin/sh
# The Python environment of the tests, made once for each content of tests/requirements.txt; or that of another
# file of requirements, which is given as the argument.
# Prints its path as the only line on stdout. Two runs at a time are safe: one builds, one waits.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
requirements=${1:-$here/../requirements.txt}
cache=${EGRESS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/studio-egress}
venv=$cache/venv-$(sha256sum "$requirements" | cut -c1-12)

# The marker is written last, so an environment that was cut short is never taken for a whole one.
if [ -e "$venv/complete" ]; then
    echo "$venv"
    exit 0
fi

python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null || ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    echo "tests/setup/venv.sh: python3 with venv is needed. Run: sudo apt-get install python3-venv," \
        "or, for all that the tests need: sudo $here/packages.sh" >&2
    exit 1
fi

mkdir -p "$cache"
exec 9>"$venv.lock"
flock 9
if [ ! -e "$venv/complete" ]; then
    echo "Setting up the Python environment of $requirements in $venv ..." >&2
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --require-hashes --requirement "$requirements" >&2
    touch "$venv/complete"
fi
echo "$venv"
