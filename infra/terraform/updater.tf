resource "aws_cloudwatch_log_group" "updater" {
  name              = "/rightsizer/${var.name}/updater"
  retention_in_days = var.log_retention_days
}

resource "aws_iam_role" "updater" {
  name_prefix          = "${var.name}-updater-"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

# Tags and var.mode select the functions.
locals {
  taking_part = {
    for operator, modes in { StringEquals = ["recommend", "auto"], StringNotEquals = ["off"] } :
    operator => { "aws:ResourceTag/rightsizer:mode" = modes }
    if(operator == "StringEquals") == (var.mode == "off")
  }
}

# Without iam:PassRole and UpdateFunctionCode, a new version can differ only in configuration.
resource "aws_iam_role_policy" "updater" {
  name = "updater"
  role = aws_iam_role.updater.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid    = "ReadDecisionsPutOutcomes"
        Effect = "Allow"
        Action = [
          "kinesis:DescribeStream",
          "kinesis:DescribeStreamSummary",
          "kinesis:GetRecords",
          "kinesis:GetShardIterator",
          "kinesis:ListShards",
          "kinesis:PutRecords",
        ]
        Resource = aws_kinesis_stream.decisions.arn
      },
      {
        Sid      = "ReadFunctions"
        Effect   = "Allow"
        Action   = ["lambda:GetFunction", "lambda:ListTags"]
        Resource = local.functions
      },
      {
        # This action also covers layers (denied below), the role (needs iam:PassRole, not granted), the VPC
        # (needs ec2:Describe*, not granted) and environment variables, which IAM cannot restrict.
        Sid       = "ChangeFunctions"
        Effect    = "Allow"
        Action    = "lambda:UpdateFunctionConfiguration"
        Resource  = local.functions
        Condition = local.taking_part
      },
      {
        Sid      = "KeepGivenUp"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = "${aws_s3_bucket.bucket["given_up"].arn}/*"
      },
      {
        Sid      = "FindGivenUp"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = aws_s3_bucket.bucket["given_up"].arn
      },
      {
        Sid      = "WriteLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.updater.arn}:*"
      },
      ], [for statement in [
        {
          Sid       = "ReadAliases"
          Effect    = "Allow"
          Action    = ["lambda:GetAlias", "lambda:ListProvisionedConcurrencyConfigs"]
          Resource  = local.functions
          Condition = {}
        },
        {
          Sid       = "MoveNamedAliases"
          Effect    = "Allow"
          Action    = ["lambda:PublishVersion", "lambda:UpdateAlias"]
          Resource  = local.functions
          Condition = merge(local.taking_part, { StringLike = { "aws:ResourceTag/rightsizer:alias" = "?*" } })
        },
      ] : statement if var.move_aliases],
      # Only requests that name layers have this condition key.
      [for statement in [{
        Sid       = "SetNoLayers"
        Effect    = "Deny"
        Action    = "lambda:UpdateFunctionConfiguration"
        Resource  = local.functions
        Condition = { Null = { "lambda:Layer" = "false" } }
    }] : statement if var.deny_layers])
  })
}

resource "aws_lambda_function" "updater" {
  function_name                  = "${var.name}-updater"
  description                    = "Applies the memory recommendations of the decisions stream"
  runtime                        = "provided.al2023"
  architectures                  = [var.architecture]
  handler                        = "bootstrap"
  filename                       = "${var.package}/updater-${var.architecture}.zip"
  source_code_hash               = filebase64sha256("${var.package}/updater-${var.architecture}.zip")
  role                           = aws_iam_role.updater.arn
  memory_size                    = 128
  timeout                        = 30
  reserved_concurrent_executions = var.reserved_concurrency
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.updater.name
  }
  environment {
    variables = {
      RIGHTSIZER_DECISIONS = aws_kinesis_stream.decisions.name
      RIGHTSIZER_MODE      = var.mode
      RIGHTSIZER_PAUSED    = tostring(var.paused)
    }
  }
  # The tag that pauses the updater is set and removed outside of Terraform.
  lifecycle {
    ignore_changes = [tags["rightsizer:paused"], tags_all["rightsizer:paused"]]
  }
  depends_on = [aws_iam_role_policy.updater]
}

# One shard and one batch at a time, so one process: its rate limit of ten calls per second holds for
# the whole system.
resource "aws_lambda_event_source_mapping" "updater" {
  function_name                  = aws_lambda_function.updater.arn
  event_source_arn               = aws_kinesis_stream.decisions.arn
  starting_position              = "TRIM_HORIZON"
  batch_size                     = 10
  bisect_batch_on_function_error = true
  maximum_retry_attempts         = 3
  maximum_record_age_in_seconds  = 3600
  function_response_types        = ["ReportBatchItemFailures"]
  filter_criteria {
    filter {
      pattern = "{\"data\":{\"kind\":[\"recommendation\"]}}"
    }
  }
  destination_config {
    on_failure {
      destination_arn = aws_s3_bucket.bucket["given_up"].arn
    }
  }
}

# For the aggregator's role and for people on call: one tag on one function.
resource "aws_iam_policy" "pause_updater" {
  name_prefix = "${var.name}-pause-updater-"
  path        = var.role_path
  description = "May pause and resume the Lambda Rightsizer updater, and nothing else"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "SetThePauseTag"
        Effect   = "Allow"
        Action   = ["lambda:TagResource", "lambda:UntagResource"]
        Resource = aws_lambda_function.updater.arn
        Condition = {
          "ForAllValues:StringEquals" = { "aws:TagKeys" = ["rightsizer:paused"] }
          Null                        = { "aws:TagKeys" = "false" }
        }
      },
      {
        Sid      = "ReadThePauseTag"
        Effect   = "Allow"
        Action   = "lambda:ListTags"
        Resource = aws_lambda_function.updater.arn
      },
    ]
  })
}
