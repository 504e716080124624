#!/usr/bin/env bash
# A tunnel from this machine to the aggregator's review API: no port of the task is open to anybody.
# Who may open it is decided by ssm:StartSession and secretsmanager:GetSecretValue.
set -euo pipefail
cd "$(dirname "$0")/.."
. infra/account.sh
port=${PORT:-8750}
command -v session-manager-plugin >/dev/null || stop "session-manager-plugin, which carries the tunnel, is missing: see https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"
task=$(aws ecs list-tasks --cluster "$STACK" --service-name aggregator --desired-status RUNNING --query 'taskArns[0]')
[ "$task" != None ] || stop "no task of $STACK runs. Its log says why: aws logs tail /rightsizer/$STACK/aggregator; aws ecs describe-services --cluster $STACK --services aggregator"
runtime=$(aws ecs describe-tasks --cluster "$STACK" --tasks "$task" --query 'tasks[0].containers[0].runtimeId')
secret=$(physical "$STACK" ReviewToken)
token=$(aws secretsmanager get-secret-value --secret-id "$secret" --query SecretString) || stop "you may not read the reviewers' token: secretsmanager:GetSecretValue on $secret"
echo "connect: in another terminal, until this one ends:"
echo "  export RIGHTSIZER_SERVER=http://127.0.0.1:$port/$token"
exec aws ssm start-session --target "ecs:${STACK}_${task##*/}_$runtime" \
    --document-name AWS-StartPortForwardingSession --parameters "portNumber=8750,localPortNumber=$port"
