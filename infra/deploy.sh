#!/usr/bin/env bash
# Puts what `make package` built on an account. Shows what would change; does it with YES=1.
# STACK names the system. VPC, SUBNETS (default: the default VPC). OPTIONS: any other parameter of
# infra/template.yaml, as "Mode=auto Writers=nobody"; what is not given stays as it is.
set -euo pipefail
package=${1:?usage: deploy.sh PACKAGE-FOLDER}
cd "$(dirname "$0")/.."
. infra/account.sh

[ -f "$package/architecture" ] || stop "nothing is packaged in $package yet: make package"
arch=$(<"$package/architecture")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

ours_or_none
was=$(status "$STACK")
artifacts=$(status "$STACK-artifacts")
for each in "$was" "$artifacts"; do
    case $each in ROLLBACK_COMPLETE | ROLLBACK_FAILED | CREATE_FAILED | DELETE_FAILED)
        stop "$STACK is $each: it was never made, or not wholly removed, and nothing can be made over what is left. First: make undeploy STACK=$STACK YES=1, then make deploy again."
        ;;
    esac
done
case $was in
'' | REVIEW_IN_PROGRESS) kind=CREATE ;;
*_COMPLETE) kind=UPDATE ;;
*) stop "the stack $STACK is $was: wait, or look at it in the CloudFormation console." ;;
esac
if [ "$kind" = CREATE ] && [ -z "${VPC:-}" ]; then
    VPC=$(aws ec2 describe-vpcs --filters Name=is-default,Values=true --query 'Vpcs[0].VpcId')
    [ "$VPC" != None ] || stop "this region has no default VPC: VPC=vpc-… SUBNETS=subnet-…,subnet-… (with a way to the internet or to AWS's endpoints)."
fi
if [ -n "${VPC:-}" ] && [ -z "${SUBNETS:-}" ]; then
    SUBNETS=$(aws ec2 describe-subnets --filters "Name=vpc-id,Values=$VPC" --query 'Subnets[].SubnetId' | tr '\t' ,)
    [ -n "$SUBNETS" ] || stop "$VPC has no subnets: SUBNETS=subnet-…,subnet-…"
fi
case " ${OPTIONS:-} " in
*" LogSubscription=true "*)
    others=$(subscriptions '`true`')
    [ -z "$others" ] || stop "this account and region has a log subscription already: $others. There can be one; it is left as it is. Subscribe single log groups instead, or add the reports stream where that one leads."
    ;;
esac

key() { echo "$(basename "$1" .zip)-$(sha256sum "$1" | cut -c1-16).zip"; }
digest=$(sed -n 's/.*"digest": "\(sha256:[0-9a-f]*\)".*/\1/p' "$package/image/index.json")
declare -A wanted=(
    [ArtifactBucket]=$bucket [ImageRepository]=$STACK-artifacts [ImageDigest]=$digest
    [UpdaterKey]=$(key "$package/updater-$arch.zip") [UpdaterArchitecture]=$arch
    [AggregatorArchitecture]=$([ "$arch" = arm64 ] && echo ARM64 || echo X86_64)
)
zips=("$package/updater-$arch.zip")
for each in x86_64:LayerX86Key arm64:LayerArmKey; do
    zip=$package/layer-${each%%:*}.zip
    if [ -f "$zip" ]; then
        wanted[${each##*:}]=$(key "$zip")
        zips+=("$zip")
    fi
done
[ -z "${VPC:-}" ] || wanted[Vpc]=$VPC
[ -z "${SUBNETS:-}" ] || wanted[Subnets]=$SUBNETS
for option in ${OPTIONS:-}; do wanted[${option%%=*}]=${option#*=}; done
parameters() { # of the template that are given, and those that the stack has already
    local name
    for name in $(sed -n '/^Parameters:/,/^Rules:/s/^  \([A-Za-z0-9]*\):$/\1/p' infra/template.yaml); do
        if [ -n "${wanted[$name]+given}" ]; then
            echo "{\"ParameterKey\":\"$name\",\"ParameterValue\":\"${wanted[$name]}\"}"
            unset "wanted[$name]"
        elif [ "$kind" = UPDATE ] && [[ " $had " == *" $name "* ]]; then
            echo "{\"ParameterKey\":\"$name\",\"UsePreviousValue\":true}"
        fi
    done
    [ ${#wanted[@]} = 0 ] || stop "infra/template.yaml has no parameter ${!wanted[*]}"
}
had=$([ "$kind" = CREATE ] || aws cloudformation describe-stacks --stack-name "$STACK" --query 'Stacks[0].Parameters[].ParameterKey' | tr '\t\n' '  ')
parameters >"$scratch/lines"
paste -sd, "$scratch/lines" | sed 's/.*/[&]/' >"$scratch/parameters.json"

if [ "${YES:-}" = 1 ]; then
    echo "deploy: the bucket and the repository of $STACK"
    step=$([ -n "$artifacts" ] && echo update || echo create)
    if said=$(aws cloudformation "$step-stack" --stack-name "$STACK-artifacts" --template-body file://infra/artifacts.yaml \
        --parameters "ParameterKey=BucketName,ParameterValue=$bucket" 2>&1); then
        aws cloudformation wait "stack-$step-complete" --stack-name "$STACK-artifacts"
    else
        [[ $said == *"No updates are to be performed"* ]] || stop "$said"
    fi
    for zip in "${zips[@]}"; do
        echo "deploy: $(basename "$zip")"
        aws s3 cp --only-show-errors "$zip" "s3://$bucket/$(key "$zip")"
    done
    echo "deploy: the image $digest"
    registry=${RIGHTSIZER_REGISTRY:-https://$(aws ecr describe-repositories --repository-names "$STACK-artifacts" --query 'repositories[0].repositoryUri' | cut -d/ -f1)}
    aws ecr get-login-password | infra/image.py push "$package/image" "$registry" "$STACK-artifacts" >/dev/null
fi

changes=$STACK-$(date +%s)
said=$(aws cloudformation create-change-set --stack-name "$STACK" --change-set-name "$changes" --change-set-type "$kind" \
    --template-body file://infra/template.yaml --parameters "file://$scratch/parameters.json" --capabilities CAPABILITY_IAM 2>&1) || {
    [[ $said != *"No updates are to be performed"* ]] || { echo "deploy: $STACK is up to date" && exit 0; }
    stop "$said"
}
drop() {
    aws cloudformation delete-change-set --stack-name "$STACK" --change-set-name "$changes" || true
    [ -z "$was" ] || return 0
    # The stack came with this plan. It goes with it, unless somebody makes it or plans to by now.
    local now others
    now=$(status "$STACK") || exit 1
    [ "$now" = REVIEW_IN_PROGRESS ] || return 0
    others=$(aws cloudformation list-change-sets --stack-name "$STACK" --query "Summaries[?ChangeSetName!='$changes'].ChangeSetName") || exit 1
    [ -n "$others" ] || aws cloudformation delete-stack --stack-name "$STACK"
}
if ! aws cloudformation wait change-set-create-complete --stack-name "$STACK" --change-set-name "$changes" 2>/dev/null; then
    why=$(aws cloudformation describe-change-set --stack-name "$STACK" --change-set-name "$changes" --query StatusReason)
    drop
    case $why in
    *"didn't contain changes"* | *"No updates"*) echo "deploy: $STACK is up to date" && exit 0 ;;
    *) stop "CloudFormation refuses this: $why" ;;
    esac
fi
echo "deploy: in $account, $region, as $caller:"
aws cloudformation describe-change-set --stack-name "$STACK" --change-set-name "$changes" \
    --query 'Changes[].ResourceChange.[Action,Replacement,LogicalResourceId,ResourceType]' |
    while read -r action replaced logical type; do
        [ "$replaced" != True ] || action="$action (made anew)"
        printf '  %-18s %-22s %s\n' "$action" "$logical" "$type"
    done
if [ "${YES:-}" != 1 ]; then
    drop
    [ -n "$artifacts" ] || echo "  Add                and before it a bucket $bucket and a repository $STACK-artifacts"
    echo "deploy: nothing was changed. To do it: make deploy STACK=$STACK YES=1"
    exit 0
fi
aws cloudformation execute-change-set --stack-name "$STACK" --change-set-name "$changes"
waiter=$([ "$kind" = CREATE ] && echo create || echo update)
aws cloudformation wait "stack-$waiter-complete" --stack-name "$STACK" || {
    aws cloudformation describe-stack-events --stack-name "$STACK" \
        --query "StackEvents[?ends_with(ResourceStatus, 'FAILED')].[LogicalResourceId,ResourceStatusReason]" >&2
    [ "$kind" = UPDATE ] ||
        stop "CloudFormation could not make it; the words above say why. What is left of it is in the way of the next: make undeploy STACK=$STACK YES=1, then make deploy again."
    stop "CloudFormation could not change it; the words above say why, what was there before is there again."
}
echo "deploy: $STACK is there. Unless OPTIONS or a tag says otherwise it changes what a person approves, and nothing else."
echo "  stream      $STACK-reports"
found=$(layers LatestMatchingVersion.LayerVersionArn)
for each in $found; do echo "  layer       $each"; done
found=$(physical "$STACK" Updater)
echo "  updater     arn:$partition:lambda:$region:$account:function:$found"
echo "  next        rightsizer attach --all --stream $STACK-reports --layer …"
found=$(physical "$STACK" SubscriptionRole)
echo "  or by logs  rightsizer subscribe --all --stream $STACK-reports --role arn:$partition:iam::$account:role/$found"
