#!/usr/bin/env bash
# Prints the ARN of a deployed system's newest layer for an architecture.
set -euo pipefail
arch=${1:?usage: layer-arn.sh x86_64|arm64}
cd "$(dirname "$0")/.."
. infra/account.sh
found=$(layers LatestMatchingVersion.LayerVersionArn)
for each in $found; do
    case $each in *":layer:$STACK-extension-$arch:"*) echo "$each" && exit ;; esac
done
stop "$STACK has no layer for $arch: make package, make deploy"
