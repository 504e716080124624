#!/usr/bin/env bash
# Prints the ARN of a deployed system's newest layer for an architecture.
set -euo pipefail
arch=${1:?usage: layer-arn.sh x86_64|arm64}
cd "$(dirname "$0")/.."
. infra/account.sh
named=$([ "$arch" = arm64 ] && echo Arm || echo X86)
for each in $(layers LatestMatchingVersion.LayerVersionArn); do
    case $each in *":layer:$STACK-extension-$arch:"* | *":layer:$STACK-Layer$named"*) echo "$each" && exit ;; esac
done
stop "$STACK has no layer for $arch: make package, make deploy"
