#!/bin/sh
# Prepares the files that `make deploy` uploads: the layers, the updater's zip, and the container's context
# and image.
set -eu
cd "$(dirname "$0")/.."
usage="usage: package.sh x86_64|arm64 FOLDER LAYER-FOLDER"
arch=${1:?$usage}
out=${2:?$usage}
layers=${3:?$usage}
command -v python3 >/dev/null || {
    echo "package: python3 (3.9 or later) is missing. Install it from https://www.python.org or as the package python3 of your system." >&2
    exit 1
}
# Prints the machine that a program is for: x86_64, arm64, macOS, or nothing if its header has neither.
machine_of() {
    case $(od -An -tx1 -N20 "$1" | tr -d ' \n') in
    7f454c46????????????????????????????3e00) echo x86_64 ;;
    7f454c46????????????????????????????b700) echo arm64 ;;
    cffaedfe* | cafebabe*) echo macOS ;;
    esac
}
if [ -z "${RIGHTSIZER_BINARIES:-}" ]; then
    here=$(uname -m)
    [ "$here" != aarch64 ] || here=arm64
    [ "$here" = "$arch" ] || {
        echo "package: this machine builds for $here, not $arch. Run this on such a machine, or pass the folder of a release's binaries: RIGHTSIZER_BINARIES=FOLDER" >&2
        exit 1
    }
else
    # A release has binaries of both architectures, and the program for laptops besides.
    for name in rightsizer rightsizer-updater rightsizer-extension; do
        file=$RIGHTSIZER_BINARIES/$name
        [ -f "$file" ] || continue
        machine=$(machine_of "$file")
        case $machine in
        '' | "$arch") ;;
        macOS)
            echo "package: $file is for macOS, and what is deployed runs on Linux. Use rightsizer-$arch.tar.gz of a release" >&2
            exit 1
            ;;
        *)
            echo "package: $file is for $machine, not $arch. Run: make package ARCH=$machine RIGHTSIZER_BINARIES=$RIGHTSIZER_BINARIES" >&2
            exit 1
            ;;
        esac
    done
fi
# The mark of a finished package: what follows replaces its files one by one.
rm -f "$out/architecture"
infra/static.sh "$out/bin"
infra/zip.sh "$out/bin/rightsizer-updater" bootstrap "$out/updater-$arch.zip"
[ -z "${RIGHTSIZER_BINARIES:-}" ] || {
    layers=$out/bin
    infra/layer.sh "$RIGHTSIZER_BINARIES/rightsizer-extension" "$layers/rightsizer-extension-$arch.zip"
    # A release has the layer of the other architecture ready.
    for each in x86_64 arm64; do
        ready=$RIGHTSIZER_BINARIES/rightsizer-layer-$each.zip
        [ "$each" = "$arch" ] || [ ! -f "$ready" ] || cp "$ready" "$layers/rightsizer-extension-$each.zip"
    done
}
for each in x86_64 arm64; do
    rm -f "$out/layer-$each.zip"
    [ ! -f "$layers/rightsizer-extension-$each.zip" ] || cp "$layers/rightsizer-extension-$each.zip" "$out/layer-$each.zip"
done
rm -f "$out/rightsizer-flink.jar" "$out/flink.yaml"
jar=${RIGHTSIZER_FLINK_JAR:-infra/flink/target/rightsizer-flink.jar}
[ ! -f "$jar" ] || {
    cp "$jar" "$out/rightsizer-flink.jar"
    cp infra/flink/template.yaml "$out/flink.yaml"
}
infra/context.sh "$out/bin/rightsizer" "$out/container"
rm -rf "$out/image"
case $arch in x86_64) platform=amd64 ;; *) platform=$arch ;; esac
digest=$(python3 infra/image.py build "$out/container" "$out/image" "$platform")
echo "$arch" >"$out/architecture" # last, because it marks a finished package
echo "package: $out, image $digest"
