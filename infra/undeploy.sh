#!/usr/bin/env bash
# Takes a system off an account: the stack, what it keeps beyond its end (evidence, layers), and what
# it was made from. Shows what would go; does it with YES=1.
set -euo pipefail
cd "$(dirname "$0")/.."
. infra/account.sh

# The updater goes with its stack.
held=$(aws lambda list-functions --query "Functions[?!starts_with(FunctionName, '$STACK-Updater-')] | [?Layers[?contains(Arn, ':layer:$STACK-extension-') || contains(Arn, ':layer:$STACK-Layer')]].FunctionName")
[ -z "$held" ] || [ "${ANYWAY:-}" = 1 ] ||
    stop "functions still have the layer: $(tr '\t' ' ' <<<"$held"). Take it off first: rightsizer detach --all --layer … --yes. Or leave it on them (each warns once that its stream is gone): ANYWAY=1"
buckets=()
for each in Snapshots GivenUp; do
    found=$(physical "$STACK" $each)
    [ -z "$found" ] || buckets+=("$found")
done
secret=$(physical "$STACK" ReviewToken)
! aws s3api head-bucket --bucket "$bucket" >/dev/null 2>&1 || buckets+=("$bucket")
groups() { aws logs describe-log-groups --log-group-name-prefix "/rightsizer/$STACK/" --query 'logGroups[].logGroupName'; }
tasks() { aws ecs list-task-definitions --family-prefix "$STACK-aggregator" --status "$1" --query 'taskDefinitionArns'; }

echo "undeploy: in $account, $region, as $caller:"
for each in "$STACK" "$STACK-artifacts"; do
    [ -z "$(status "$each")" ] || echo "  Remove   the stack $each"
done
for each in "${buckets[@]}"; do echo "  Remove   the bucket $each and all that is in it"; done
for each in $(layers LayerName); do echo "  Remove   every version of the layer $each"; done
for each in $(groups); do echo "  Remove   the log group $each"; done
if [ "${YES:-}" != 1 ]; then
    echo "undeploy: nothing was changed. The evidence goes with it (make connect, rightsizer backup keep it). To do it: make undeploy STACK=$STACK YES=1"
    exit 0
fi

remove_stack() {
    [ -n "$(status "$1")" ] || return 0
    aws cloudformation delete-stack --stack-name "$1"
    aws cloudformation wait stack-delete-complete --stack-name "$1" || {
        aws cloudformation describe-stack-events --stack-name "$1" \
            --query "StackEvents[?ends_with(ResourceStatus, 'FAILED')].[LogicalResourceId,ResourceStatusReason]" >&2
        stop "the stack $1 could not be removed; the words above say why. Run this again after."
    }
}
empty() { # a bucket, with every version
    local listed
    while :; do
        listed=$(aws s3api list-object-versions --bucket "$1" --max-items 1000 --output json \
            --query '{Objects: [Versions, DeleteMarkers][] | [].{Key: Key, VersionId: VersionId}, Quiet: `true`}')
        grep -q '"Key"' <<<"$listed" || return 0
        aws s3api delete-objects --bucket "$1" --delete "$listed" >/dev/null
    done
}
remove_stack "$STACK"
for each in "${buckets[@]}"; do
    empty "$each"
    aws s3api delete-bucket --bucket "$each"
done
for each in $(layers LayerName); do
    for version in $(aws lambda list-layer-versions --layer-name "$each" --query 'LayerVersions[].Version'); do
        aws lambda delete-layer-version --layer-name "$each" --version-number "$version"
    done
done
for each in $(groups); do aws logs delete-log-group --log-group-name "$each"; done
for each in $(tasks ACTIVE); do aws ecs deregister-task-definition --task-definition "$each" >/dev/null; done
for each in $(tasks INACTIVE); do aws ecs delete-task-definitions --task-definitions "$each" >/dev/null; done
[ -z "$secret" ] || aws secretsmanager delete-secret --secret-id "$secret" --force-delete-without-recovery >/dev/null 2>&1 || true
aws ecr delete-repository --repository-name "$STACK-artifacts" --force >/dev/null 2>&1 || true
remove_stack "$STACK-artifacts"
echo "undeploy: nothing of $STACK is left. A key of an organisation's stream is gone after its 30 days."
