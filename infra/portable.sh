#!/bin/sh
# Builds the program for one architecture so that it runs on every Linux with glibc 2.17 or later, whatever this
# machine has: zig is the linker, as for the extension (extension.sh installs it).
set -eu
cd "$(dirname "$0")/.."
usage="usage: portable.sh x86_64|arm64 BINARY"
arch=${1:?$usage}
binary=${2:?$usage}
case $arch in
x86_64) triple=x86_64-unknown-linux-gnu ;;
arm64) triple=aarch64-unknown-linux-gnu ;;
*)
    echo "portable: unknown architecture $arch; use x86_64 or arm64." >&2
    exit 2
    ;;
esac
[ -x .tools/layer/bin/cargo-zigbuild ] || {
    echo "portable: zig is missing. Run first: make extension" >&2
    exit 1
}
target=${CARGO_TARGET_DIR:-target}
PATH=$PWD/.tools/layer/bin:$PATH CARGO_TARGET_DIR=$target \
    cargo zigbuild --locked --package rightsizer --bin rightsizer --profile dist --target "$triple.2.17"
mkdir -p "$(dirname "$binary")"
install -m 755 "$target/$triple/dist/rightsizer" "$binary"
echo "portable: $binary ($(wc -c <"$binary" | tr -d ' ') bytes)"
