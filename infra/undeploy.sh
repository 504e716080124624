#!/usr/bin/env bash
# Takes a system off an account: the stack, what it keeps beyond its end (evidence, layers), and what
# it was made from. Shows what would go; does it with YES=1. What a run that was cut off left is
# found by the next one: the stack of the artifacts goes last, and buckets carry the stack's name.
set -euo pipefail
cd "$(dirname "$0")/.."
. infra/account.sh

ours_or_none
# The updater goes with its stack.
held=$(aws lambda list-functions --query "Functions[?!starts_with(FunctionName, '$STACK-Updater-')] | [?Layers[?contains(Arn, ':layer:$STACK-extension-x86_64:') || contains(Arn, ':layer:$STACK-extension-arm64:')]].FunctionName")
[ -z "$held" ] || [ "${ANYWAY:-}" = 1 ] ||
    stop "functions still have the layer: $(tr '\t' ' ' <<<"$held"). Take it off first: rightsizer detach --all --layer … --yes. Or leave it on them (each warns once that its stream is gone): ANYWAY=1"
held=$(subscriptions "contains(policyDocument, ':stream/$STACK-reports\"')")
[ -z "$held" ] || [ "${ANYWAY:-}" = 1 ] ||
    stop "the account's log subscription $held still leads to the stream $STACK-reports. Take it off first: rightsizer unsubscribe --all --account-policy --stream $STACK-reports --yes. Or leave it, leading nowhere: ANYWAY=1"

made=() # buckets, as the stacks tell them while they are there
for each in "$STACK:Snapshots" "$STACK:GivenUp" "$STACK-artifacts:Artifacts"; do
    found=$(physical "${each%%:*}" "${each#*:}")
    [ -z "$found" ] || made+=("$found")
done
repository=$(physical "$STACK-artifacts" Images)
secret=$(physical "$STACK" ReviewToken)
# Of the bucket, for who wants the evidence kept; where the stack is gone already the default.
prefix=$(known "does not exist" cloudformation describe-stacks --stack-name "$STACK" \
    --query "Stacks[0].Parameters[?ParameterKey=='SnapshotPrefix'].ParameterValue")
groups() { aws logs describe-log-groups --log-group-name-prefix "/rightsizer/$STACK/" --query 'logGroups[].logGroupName'; }
tasks() { aws ecs list-task-definitions --family-prefix "$STACK-aggregator" --status "$1" --query 'taskDefinitionArns'; }

look() { # what there is: a line each, its kind and its name
    local each found
    for each in "$STACK" "$STACK-artifacts"; do
        found=$(status "$each")
        [ -z "$found" ] || echo "stack $each"
    done
    found=$(aws resourcegroupstaggingapi get-resources --resource-type-filters s3 \
        --tag-filters "Key=rightsizer:stack,Values=$STACK" --query 'ResourceTagMappingList[].ResourceARN')
    for each in $(printf '%s\n' ${made[@]+"${made[@]}"} ${found//arn:$partition:s3:::/} | sort -u); do
        # Tags are told for a while after their bucket is gone.
        found=$(known NoSuchBucket s3api get-bucket-location --bucket "$each" --query '[LocationConstraint]')
        [ -z "$found" ] || echo "bucket $each"
    done
    if [ -n "$repository" ]; then
        found=$(known RepositoryNotFoundException ecr describe-repositories --repository-names "$repository" --query 'repositories[].repositoryName')
        [ -z "$found" ] || echo "repository $repository"
    fi
    found=$(layers LayerName)
    for each in $found; do echo "layer $each"; done
    found=$(groups)
    for each in $found; do echo "log-group $each"; done
}
there=$(look)
of() { sed -n "s/^$1 //p" <<<"$there"; }
[ -n "$there" ] || {
    echo "undeploy: nothing of $STACK is in $account, $region."
    exit 0
}
echo "undeploy: in $account, $region, as $caller:"
for each in $(of stack); do echo "  Remove   the stack $each"; done
for each in $(of bucket); do echo "  Remove   the bucket $each and all that is in it"; done
for each in $(of repository); do echo "  Remove   the repository $each and every image in it"; done
for each in $(of layer); do echo "  Remove   every version of the layer $each"; done
for each in $(of log-group); do echo "  Remove   the log group $each"; done
if [ "${YES:-}" != 1 ]; then
    for each in $(of bucket); do
        [[ $each != *-snapshots-* ]] ||
            echo "undeploy: the evidence goes with it. What keeps the newest snapshot of it: rightsizer restore s3://$each/${prefix:-store} --store $STACK.db"
    done
    echo "undeploy: nothing was changed. To do it: make undeploy STACK=$STACK YES=1"
    exit 0
fi

remove_stack() {
    local found
    found=$(status "$1")
    [ -n "$found" ] || return 0
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
# Before its buckets: what runs would write to them again.
remove_stack "$STACK"
for each in $(of bucket); do
    empty "$each"
    aws s3api delete-bucket --bucket "$each"
done
for each in $(of layer); do
    versions=$(aws lambda list-layer-versions --layer-name "$each" --query 'LayerVersions[].Version')
    for version in $versions; do
        aws lambda delete-layer-version --layer-name "$each" --version-number "$version"
    done
done
found=$(groups)
for each in $found; do aws logs delete-log-group --log-group-name "$each"; done
found=$(tasks ACTIVE)
for each in $found; do aws ecs deregister-task-definition --task-definition "$each" >/dev/null; done
found=$(tasks INACTIVE)
for each in $found; do aws ecs delete-task-definitions --task-definitions "$each" >/dev/null; done
[ -z "$secret" ] || known ResourceNotFoundException secretsmanager delete-secret --secret-id "$secret" --force-delete-without-recovery >/dev/null
for each in $(of repository); do aws ecr delete-repository --repository-name "$each" --force >/dev/null; done
remove_stack "$STACK-artifacts"
there=$(look)
[ -z "$there" ] || stop "this is still there: $(paste -sd, <<<"$there"). Run this again."
echo "undeploy: nothing of $STACK is left. Filters of single log groups were not looked for: rightsizer unsubscribe --all --stream $STACK-reports. A key of an organisation's stream is gone after its 30 days."
