#!/usr/bin/env bash
# Packs an extension into a Lambda layer: a zip with extensions/rightsizer-extension, the place and
# name under which Lambda starts it. The same binary gives the same zip.
set -euo pipefail
binary=${1:?usage: layer.sh BINARY ZIP}
zip=${2:?usage: layer.sh BINARY ZIP}
[ -x "$binary" ] || {
    echo "layer: $binary is missing. Build it with: make extension" >&2
    exit 1
}
command -v zip >/dev/null 2>&1 || {
    echo "layer: zip is missing. Debian, Ubuntu: apt install zip. Fedora: dnf install zip." >&2
    exit 1
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/extensions"
install -m 755 "$binary" "$folder/extensions/rightsizer-extension"
TZ=UTC touch -t 198001010000 "$folder/extensions" "$folder/extensions/rightsizer-extension"
(cd "$folder" && TZ=UTC zip --quiet -X -9 layer.zip extensions/rightsizer-extension)
mkdir -p "$(dirname "$zip")"
mv "$folder/layer.zip" "$zip"
echo "layer: $zip ($(wc -c <"$zip" | tr -d ' ') bytes)"
