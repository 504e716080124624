# `given_up` keeps the records themselves; a queue or topic would get only their position. `snapshots`
# has the aggregator's store as of a few minutes ago.
locals {
  buckets = { given_up = "given-up", snapshots = "snapshots" }
}

resource "aws_s3_bucket" "bucket" {
  for_each      = local.buckets
  bucket_prefix = "${var.name}-${each.value}-"
}

resource "aws_s3_bucket_server_side_encryption_configuration" "bucket" {
  for_each = aws_s3_bucket.bucket
  bucket   = each.value.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "bucket" {
  for_each                = aws_s3_bucket.bucket
  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# A denial: the stars make it wider, not weaker.
resource "aws_s3_bucket_policy" "bucket" {
  for_each = aws_s3_bucket.bucket
  bucket   = each.value.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [each.value.arn, "${each.value.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

# What was removed by mistake can be had back for a day.
resource "aws_s3_bucket_versioning" "snapshots" {
  bucket = aws_s3_bucket.bucket["snapshots"].id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "given_up" {
  bucket = aws_s3_bucket.bucket["given_up"].id
  rule {
    id     = "old-records"
    status = "Enabled"
    filter {}
    expiration {
      days = 60
    }
  }
}

# No rule expires what is current: that would take the store of a system that is idle.
resource "aws_s3_bucket_lifecycle_configuration" "snapshots" {
  bucket = aws_s3_bucket.bucket["snapshots"].id
  rule {
    id     = "removed-snapshots"
    status = "Enabled"
    filter {}
    expiration {
      expired_object_delete_marker = true
    }
    noncurrent_version_expiration {
      noncurrent_days = 1
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}
