#!/bin/sh
# Builds the extension for one architecture, optimized for size. It needs no symbol newer than glibc 2.17
# (Amazon Linux 1), so it runs on every system that Lambda has. PACKAGE builds another package the same way,
# for comparison.
# Exits with 3 and prints the reason if Rust's standard library for that architecture is missing.
set -eu
cd "$(dirname "$0")/.."
arch=${1:?usage: extension.sh x86_64|arm64 BINARY [PACKAGE]}
binary=${2:?usage: extension.sh x86_64|arm64 BINARY [PACKAGE]}
package=${3:-rightsizer-extension}
case $arch in
x86_64) triple=x86_64-unknown-linux-gnu ;;
arm64) triple=aarch64-unknown-linux-gnu ;;
*)
    echo "extension: unknown architecture $arch; use x86_64 or arm64." >&2
    exit 2
    ;;
esac
[ -d "$(rustc --print sysroot)/lib/rustlib/$triple" ] || {
    echo "extension: $arch is skipped: Rust's standard library for it is missing. Install it with: rustup target add $triple" >&2
    exit 3
}
target=${CARGO_TARGET_DIR:-target}
put() { # copies the built file $1 to its place, unless it is there already
    cmp -s "$1" "$binary" && return
    mkdir -p "$(dirname "$binary")"
    install -m 755 "$1" "$binary"
}
python3 -c 'import venv, ensurepip' 2>/dev/null || {
    echo "extension: Python 3 with venv is missing; zig, the linker, comes as a Python package. Debian, Ubuntu: apt install python3-venv. Fedora: dnf install python3. macOS: brew install python3." >&2
    exit 1
}

# The copy of the list is written last, because it marks a finished installation.
if ! cmp -s infra/requirements.txt .tools/layer/installed-requirements.txt; then
    echo "extension: installing zig in .tools/layer"
    rm -rf .tools/layer
    mkdir -p .tools
    python3 -m venv .tools/layer
    .tools/layer/bin/pip install --quiet --disable-pip-version-check --no-deps \
        --requirement infra/requirements.txt
    cp infra/requirements.txt .tools/layer/installed-requirements.txt
fi

PATH=$PWD/.tools/layer/bin:$PATH CARGO_TARGET_DIR=$target \
    cargo zigbuild --package "$package" --profile layer --target "$triple.2.17"
put "$target/$triple/layer/$package"
echo "extension: $binary ($(wc -c <"$binary" | tr -d ' ') bytes)"
