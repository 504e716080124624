# Other accounts can put records on an encrypted stream only by a key that lets them.
resource "aws_kms_key" "stream" {
  count               = local.has_key ? 1 : 0
  description         = "Lambda Rightsizer, the reports stream"
  enable_key_rotation = true
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # In a key's own policy, * is this key.
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

# In this account this alone lets a role put reports; in another one its own policy must as well.
resource "aws_kinesis_resource_policy" "reports_writers" {
  count        = var.writers == "nobody" ? 0 : 1
  resource_arn = aws_kinesis_stream.reports.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      # Who is meant by * is said by the condition.
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
}

# A fleet decides a few times a day: one shard takes 1000 records a second.
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
