#!/bin/sh
# Builds the aggregator and the updater for this machine's architecture, each with everything it
# needs inside: no C library, whichever version, is asked of the container or of Lambda.
# RIGHTSIZER_BINARIES=FOLDER: they are there already, built elsewhere.
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
        echo "static: the aggregator and the updater run on Linux and are built there. Run this on Linux (a container, an instance), or give the folder of a release's binaries: RIGHTSIZER_BINARIES=FOLDER" >&2
        exit 1
    }
    # Only from 2.34 on a program looks names up without the C library's own files, which the container
    # does not have.
    glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null || echo none)
    minor=${glibc#glibc 2.}
    case $minor in
    '' | *[!0-9]*) ;;
    *)
        [ "$minor" -ge 34 ] || {
            echo "static: this system has $glibc, and a program that is built here finds no addresses in the container; 2.34 or later is needed. Build on Debian 12, Ubuntu 22.04 or Amazon Linux 2023, or give the folder of a release's binaries: RIGHTSIZER_BINARIES=FOLDER" >&2
            exit 1
        }
        ;;
    esac
    case $(cc -print-file-name=libc.a) in
    /*) ;;
    *)
        echo "static: the C library for linking into a program is missing. Debian, Ubuntu: apt install libc6-dev. Fedora, Amazon Linux: dnf install glibc-static." >&2
        exit 1
        ;;
    esac
    # --target keeps the flag from what runs while building.
    RUSTFLAGS="-C target-feature=+crt-static" cargo build --profile dist --target "$triple" \
        -p rightsizer -p rightsizer-updater --features rightsizer-updater/lambda --bins
    built=${CARGO_TARGET_DIR:-target}/$triple/dist
    for binary in rightsizer rightsizer-updater; do
        ldd "$built/$binary" 2>&1 | grep -Eq 'statically linked|not a dynamic' || {
            echo "static: $built/$binary asks for a C library, which the container does not have" >&2
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
