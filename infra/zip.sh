#!/bin/sh
# Packs one executable into a zip under a given name. The same binary gives the same zip.
set -eu
usage="usage: zip.sh BINARY NAME-IN-THE-ZIP ZIP"
binary=${1:?$usage}
name=${2:?$usage}
zip=${3:?$usage}
[ -x "$binary" ] || {
    echo "zip: $binary is missing. Build it with: make package" >&2
    exit 1
}
command -v zip >/dev/null 2>&1 || {
    echo "zip: zip is missing. Debian, Ubuntu: apt install zip. Fedora: dnf install zip." >&2
    exit 1
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/$(dirname "$name")"
install -m 755 "$binary" "$folder/$name"
find "$folder" -mindepth 1 -exec env TZ=UTC touch -t 198001010000 {} +
(cd "$folder" && TZ=UTC zip --quiet -X -9 packed.zip "$name")
mkdir -p "$(dirname "$zip")"
mv "$folder/packed.zip" "$zip"
echo "zip: $zip ($(wc -c <"$zip" | tr -d ' ') bytes)"
