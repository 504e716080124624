# Lambda Rightsizer as a Terraform module: the same system as infra/template.yaml, one file per service.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.90, < 7.0"
    }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id
  # The functions are not known at deployment; their tags restrict the changes.
  functions       = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:*"
  to_organisation = var.writers == "organisation"
  has_key         = local.to_organisation && var.reports_encryption == "kms"
}
