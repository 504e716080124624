# `given_up` receives the records themselves; a queue or topic would receive only their position.
# `snapshots` holds snapshots of the aggregator's store.
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

# In a denial, stars make it stricter.
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

# Objects that were removed by mistake can be recovered for a day.
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

# No rule expires current objects, because that would delete the store of an idle system.
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
