#!/bin/sh
# Packs an extension into a Lambda layer: a zip with extensions/rightsizer-extension, the path from which
# Lambda starts it.
set -eu
binary=${1:?usage: layer.sh BINARY ZIP}
zip=${2:?usage: layer.sh BINARY ZIP}
exec "$(dirname "$0")/zip.sh" "$binary" extensions/rightsizer-extension "$zip"
