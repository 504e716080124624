# The shop's functions.
terraform {
  required_version = ">= 1.5"
}

variable "image_memory" {
  type    = number
  default = 1536
}

locals {
  memory_size = 1024 # not what it seems
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for action in ["sts:AssumeRole"] : {
      Effect    = "Allow"
      Action    = action
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role" "shop" {
  name               = "shop"
  assume_role_policy = local.policy
}

resource "aws_lambda_function" "checkout" {
  function_name = "shop-checkout"
  role          = aws_iam_role.shop.arn
  filename      = "checkout.zip"
  handler       = "checkout.handler"
  runtime       = "python3.13"
  memory_size   = 1024 // nobody knows why
  timeout       = 30

  environment {
    variables = {
      memory_size = "1024"
      TABLE       = "${terraform.workspace}-orders"
    }
  }
}

resource "aws_lambda_function" "invoice" {
  description   = <<-EOT
    memory_size = 1024
  EOT
  function_name = "shop-invoice"
  role          = aws_iam_role.shop.arn
  filename      = "invoice.zip"
  handler       = "invoice.handler" # three seconds are enough
  runtime       = "python3.13"
}

resource "aws_lambda_function" "thumbnail" {
  function_name = "shop-thumbnail"
  role          = aws_iam_role.shop.arn
  filename      = "thumbnail.zip"
  handler       = "thumbnail.handler"
  runtime       = "python3.13"
  memory_size   = var.image_memory
}
