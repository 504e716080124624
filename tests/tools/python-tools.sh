#!/usr/bin/env bash
# Installs the pinned Python tools of `make check` and prints the folder to put on PATH. They are
# kept in the cache folder given as the first argument if it can be written, else in .tools.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache=${1:?usage: python-tools.sh CACHE-FOLDER}
mkdir -p "$cache" 2>/dev/null || true
[ -w "$cache" ] || cache=$PWD/.tools
folder=$cache/check-python
wanted=tests/tools/check-requirements.txt

# The copy of the list is written last, so it marks a finished installation.
if ! cmp -s "$wanted" "$folder/installed-requirements.txt"; then
    echo "check: typos, shellcheck and vermin into $folder" >&2
    rm -rf "$folder"
    python3 -m venv "$folder" >&2 || {
        echo "error: Python's venv module is missing" >&2
        echo "hint: Debian, Ubuntu: apt install python3-venv" >&2
        exit 1
    }
    "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$wanted" >&2 || {
        echo "error: typos, shellcheck and vermin could not be installed" >&2
        echo "hint: they come from PyPI; check that this machine can reach it" >&2
        exit 1
    }
    cp "$wanted" "$folder/installed-requirements.txt"
fi
echo "$folder/bin"
