# Other accounts can write to an encrypted stream only with a key that allows it. Records stay on the stream for
# another day and need this key: infra/README.md has what to do before writers is changed back.
resource "aws_kms_key" "stream" {
  count               = local.has_key ? 1 : 0
  description         = "Lambda Rightsizer, the reports stream"
  enable_key_rotation = true
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # In a key policy, * means this key.
        Sid       = "TheAccountDecides"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "TheOrganisationPutsReports"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action    = "kms:GenerateDataKey"
        Resource  = "*"
        Condition = {
          StringEquals = {
            "aws:PrincipalOrgID" = var.organization_id
            "kms:ViaService"     = "kinesis.${local.region}.${data.aws_partition.current.dns_suffix}"
          }
        }
      },
    ]
  })
}

resource "aws_kinesis_stream" "reports" {
  name             = "${var.name}-reports"
  retention_period = 24
  shard_count      = var.reports_shards == 0 ? null : var.reports_shards
  encryption_type  = var.reports_encryption == "kms" ? "KMS" : "NONE"
  kms_key_id       = var.reports_encryption != "kms" ? null : local.has_key ? aws_kms_key.stream[0].arn : "alias/aws/kinesis"
  stream_mode_details {
    stream_mode = var.reports_shards == 0 ? "ON_DEMAND" : "PROVISIONED"
  }
}

# This policy is sufficient for roles of this account; roles of other accounts also need their own.
resource "aws_kinesis_resource_policy" "reports_writers" {
  count        = var.writers == "nobody" ? 0 : 1
  resource_arn = aws_kinesis_stream.reports.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      # The condition restricts *.
      Sid       = "FunctionsPutReports"
      Effect    = "Allow"
      Principal = { AWS = "*" }
      Action    = "kinesis:PutRecords"
      Resource  = aws_kinesis_stream.reports.arn
      Condition = {
        StringEquals = local.to_organisation ? { "aws:PrincipalOrgID" = var.organization_id } : { "aws:PrincipalAccount" = local.account }
      }
    }]
  })
  lifecycle {
    precondition {
      condition     = !local.to_organisation || var.organization_id != "o-0000000000"
      error_message = "writers = organisation needs organization_id."
    }
  }
}

# There are a few decisions per function and day; one shard takes 1000 records per second.
resource "aws_kinesis_stream" "decisions" {
  name             = "${var.name}-decisions"
  shard_count      = 1
  retention_period = 24
  encryption_type  = "KMS"
  kms_key_id       = "alias/aws/kinesis"
  stream_mode_details {
    stream_mode = "PROVISIONED"
  }
}
