# What the commands that change an account begin with; read by deploy.sh, undeploy.sh and connect.sh.
# After it: STACK, account, region, partition.
# The scripts that read this use its variables.
# shellcheck shell=bash disable=SC2034
shopt -s inherit_errexit
name=$(basename "$0" .sh)
stop() {
    echo "$name: $*" >&2
    exit 1
}
command -v aws >/dev/null || stop "the AWS command line is missing. It is the package awscli of your system, or see https://aws.amazon.com/cli."
[[ ${STACK:-} =~ ^[a-z][a-z0-9-]{1,20}$ ]] || stop "give the system a name: make $name STACK=rightsizer. Small letters, digits and dashes, at most 21."
export AWS_PAGER="" AWS_DEFAULT_OUTPUT=text
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
[ -n "$region" ] || stop "which region? AWS_REGION=eu-central-1, or aws configure set region."
export AWS_REGION=$region AWS_DEFAULT_REGION=$region
caller=$(aws sts get-caller-identity --query Arn) || stop "AWS does not know who you are: aws configure, aws sso login, or AWS_PROFILE."
IFS=: read -r _ partition _ _ account _ <<<"$caller"

known() { # what aws says: nothing where its error has the words $1, for then there is no such thing
    local absent=$1 errors said
    shift
    errors=$(mktemp)
    if aws "$@" 2>"$errors"; then
        rm -f "$errors"
        return
    fi
    said=$(<"$errors")
    rm -f "$errors"
    [[ $said == *"$absent"* ]] || stop "AWS refuses, and nothing was done after that: $said"
}
status() { # of a stack: nothing where there is none
    known "does not exist" cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0].StackStatus'
}
physical() { # physical-name of a logical resource of a stack
    known "does not exist" cloudformation describe-stack-resources --stack-name "$1" \
        --query "StackResources[?LogicalResourceId=='$2' && PhysicalResourceId].PhysicalResourceId"
}
# Stops where a stack has one of our names and is not ours. A stack has the description of its template
# from when it is made on, also when that failed.
ours_or_none() {
    local each
    for each in "$STACK:Lambda Rightsizer: two streams" "$STACK-artifacts:Lambda Rightsizer: where what"; do
        is_ours "${each%%:*}" "${each#*:}"
    done
}
is_ours() { # a stack, and how its description begins
    local said
    said=$(known "does not exist" cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0].[StackStatus,Description]')
    case $said in
    '' | *$'\t'"$2"*) return ;;
    REVIEW_IN_PROGRESS*) # Nothing but plans, which have no description yet.
        said=$(aws cloudformation list-change-sets --stack-name "$1" \
            --query "Summaries[?!starts_with(ChangeSetName, '$1-')].ChangeSetName")
        [ -n "$said" ] || return 0
        ;;
    esac
    stop "there is a stack $1 in $account, $region that is no Lambda Rightsizer. It is left as it is. Another name: make $name STACK=…"
}
# The layers of a stack.
layers() {
    aws lambda list-layers --query "Layers[?LayerName=='$STACK-extension-x86_64' || LayerName=='$STACK-extension-arm64'].$1"
}
# The account's log subscriptions (there can be one) for which a condition holds, but for the stack's own.
subscriptions() {
    aws logs describe-account-policies --policy-type SUBSCRIPTION_FILTER_POLICY \
        --query "accountPolicies[?policyName!='$STACK-report-lines' && $1].policyName" ||
        stop "whether the account has a log subscription cannot be read: logs:DescribeAccountPolicies."
}
bucket=$STACK-artifacts-$account-$region
