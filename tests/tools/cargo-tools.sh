#!/usr/bin/env bash
# Installs the pinned cargo tools of `make check` and prints the folders to put on PATH, one a line.
# They are kept in the cache folder given as the first argument if it can be written, so that
# the next clean checkout finds them built; else in .tools of this checkout.
set -euo pipefail
checkout=$(cd "$(dirname "$0")/../.." && pwd)
cache=${1:?usage: cargo-tools.sh CACHE-FOLDER}

mkdir -p "$cache" 2>/dev/null || true
[ -w "$cache" ] || cache=$checkout/.tools/cargo

for tool in cargo-deny@0.20.2 cargo-machete@0.9.2; do
    root=$cache/$tool
    if [ ! -x "$root/bin/${tool%@*}" ]; then
        echo "check: building $tool into $root (once; minutes)" >&2
        env -u CARGO_TARGET_DIR cargo install --quiet --locked --root "$root" "$tool" >&2 || {
            echo "check: $tool could not be built. It comes from the crates registry: is that reachable?" >&2
            exit 1
        }
    fi
    echo "$root/bin"
done
