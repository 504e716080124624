#!/bin/sh
# Builds the aggregator and the updater for this machine's architecture, linked statically, so that they
# need no C library in the container or in Lambda.
# RIGHTSIZER_BINARIES=FOLDER uses binaries that were built elsewhere.
set -eu
cd "$(dirname "$0")/.."
out=${1:?usage: static.sh FOLDER}
put() {
    mkdir -p "$out"
    cmp -s "$1" "$2" || install -m 755 "$1" "$2"
    echo "static: $2 ($(wc -c <"$2" | tr -d ' ') bytes)"
}
if [ -n "${RIGHTSIZER_BINARIES:-}" ]; then
    built=$RIGHTSIZER_BINARIES
else
    triple=$(uname -m)-unknown-linux-gnu
    [ "$(uname -s)" = Linux ] || {
        echo "static: the aggregator and the updater must be built on Linux. Run this on Linux (a container, an instance), or pass the folder of a release's binaries: RIGHTSIZER_BINARIES=FOLDER" >&2
        exit 1
    }
    # Before 2.34, a static program needs files of the C library to resolve host names, and the container
    # does not have them.
    glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null || echo none)
    minor=${glibc#glibc 2.}
    case $minor in
    '' | *[!0-9]*) ;;
    *)
        [ "$minor" -ge 34 ] || {
            echo "static: this system has $glibc, and a program that is built with it finds no addresses in the container. Build with 2.34 or later (Debian 12, Ubuntu 22.04, Amazon Linux 2023), or pass the folder of a release's binaries: RIGHTSIZER_BINARIES=FOLDER" >&2
            exit 1
        }
        ;;
    esac
    case $(cc -print-file-name=libc.a) in
    /*) ;;
    *)
        echo "static: the static C library is missing. Debian, Ubuntu: apt install libc6-dev. Fedora, Amazon Linux: dnf install glibc-static." >&2
        exit 1
        ;;
    esac
    # With --target, the flag does not apply to build scripts.
    RUSTFLAGS="-C target-feature=+crt-static" cargo build --profile dist --target "$triple" \
        -p rightsizer -p rightsizer-updater --features rightsizer-updater/lambda --bins
    built=${CARGO_TARGET_DIR:-target}/$triple/dist
    for binary in rightsizer rightsizer-updater; do
        ldd "$built/$binary" 2>&1 | grep -Eq 'statically linked|not a dynamic' || {
            echo "static: $built/$binary is linked dynamically, and the container has no C library" >&2
            exit 1
        }
    done
fi
for binary in rightsizer rightsizer-updater; do
    [ -x "$built/$binary" ] || {
        echo "static: $built/$binary is missing" >&2
        exit 1
    }
    put "$built/$binary" "$out/$binary"
done
