# Old layer versions are kept, because functions and templates name them.
resource "aws_lambda_layer_version" "extension" {
  for_each = {
    for arch in ["x86_64", "arm64"] : arch => "${var.package}/layer-${arch}.zip"
    if fileexists("${var.package}/layer-${arch}.zip")
  }
  layer_name               = "${var.name}-extension-${each.key}"
  description              = "Lambda Rightsizer's extension"
  filename                 = each.value
  source_code_hash         = filebase64sha256(each.value)
  compatible_architectures = [each.key]
  license_info             = "MIT OR Apache-2.0"
  skip_destroy             = true
}

# organization_id restricts the principal *.
resource "aws_lambda_layer_version_permission" "sharing" {
  for_each        = local.to_organisation ? aws_lambda_layer_version.extension : {}
  layer_name      = each.value.layer_name
  version_number  = each.value.version
  statement_id    = "organisation"
  action          = "lambda:GetLayerVersion"
  principal       = "*"
  organization_id = var.organization_id
}
