# What the commands that change an account begin with; read by deploy.sh, undeploy.sh and connect.sh.
# After it: STACK, account, region, partition.
# shellcheck shell=bash
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

status() { # of a stack: nothing where there is none
    aws cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0].StackStatus' 2>/dev/null || true
}
physical() { # physical-name of a logical resource of a stack
    aws cloudformation describe-stack-resources --stack-name "$1" \
        --query "StackResources[?LogicalResourceId=='$2'].PhysicalResourceId" 2>/dev/null || true
}
# The layers of a stack, by the template's names or by names that CloudFormation drew.
layers() {
    aws lambda list-layers --query "Layers[?starts_with(LayerName, '$STACK-extension-') || starts_with(LayerName, '$STACK-Layer')].$1"
}
bucket=$STACK-artifacts-$account-$region
