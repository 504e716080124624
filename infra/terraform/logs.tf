# Evidence without the layer: the report lines of every log group of the account. The role always
# exists, because `rightsizer subscribe` needs it too.
resource "aws_iam_role" "subscription" {
  name_prefix          = "${var.name}-subscription-"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # Every log group of this account and region, because the account policy covers them all.
      Condition = { StringLike = { "aws:SourceArn" = "arn:${local.partition}:logs:${local.region}:${local.account}:*" } }
    }]
  })
}

resource "aws_iam_role_policy" "subscription" {
  name = "subscription"
  role = aws_iam_role.subscription.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([{
      Sid      = "PutReportLines"
      Effect   = "Allow"
      Action   = "kinesis:PutRecord"
      Resource = aws_kinesis_stream.reports.arn
      }], [for key in aws_kms_key.stream : {
      Sid      = "EncryptReportLines"
      Effect   = "Allow"
      Action   = "kms:GenerateDataKey"
      Resource = key.arn
    }])
  })
}

locals {
  own_logs = ["updater", "aggregator", "flink"]
}

# Leaves out our own logs, because each of their lines would cause another. Groups can only be named one by one.
resource "aws_cloudwatch_log_account_policy" "subscription" {
  count              = var.log_subscription ? 1 : 0
  policy_name        = "${var.name}-report-lines"
  policy_type        = "SUBSCRIPTION_FILTER_POLICY"
  scope              = "ALL"
  selection_criteria = "LogGroupName NOT IN [${join(", ", [for part in local.own_logs : "\"/rightsizer/${var.name}/${part}\""])}]"
  policy_document = jsonencode({
    DestinationArn = aws_kinesis_stream.reports.arn
    RoleArn        = aws_iam_role.subscription.arn
    Distribution   = "Random"
    FilterPattern  = "?\"REPORT RequestId:\" ?\"platform.report\" ?\"INIT_REPORT Init Duration:\" ?\"RESTORE_REPORT Restore Duration:\" ?\"platform.initReport\" ?\"platform.restoreReport\""
  })
}
