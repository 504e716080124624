# The rules inside Managed Service for Apache Flink, for fleets beyond one machine: the same stack that the template nests.
resource "aws_cloudformation_stack" "flink" {
  count         = var.engine == "flink" ? 1 : 0
  name          = "${var.name}-flink"
  template_body = file("${path.module}/../flink/template.yaml")
  capabilities  = ["CAPABILITY_IAM"]
  parameters = {
    System              = var.name
    ArtifactBucket      = var.flink_bucket
    JarKey              = var.flink_jar_key
    ReportsStream       = aws_kinesis_stream.reports.arn
    DecisionsStream     = aws_kinesis_stream.decisions.arn
    StreamKey           = local.has_key ? aws_kms_key.stream[0].arn : ""
    Settings            = "[policy]\nmode = \"${var.mode}\"\n"
    Parallelism         = var.flink_parallelism
    PermissionsBoundary = var.permissions_boundary == null ? "" : var.permissions_boundary
    RolePath            = var.role_path
    LogRetentionDays    = var.log_retention_days
    AlarmTopic          = length(var.alarm_topics) > 0 ? var.alarm_topics[0] : ""
  }
  lifecycle {
    precondition {
      condition     = var.flink_bucket != "" && var.flink_jar_key != ""
      error_message = "engine = flink needs flink_bucket and flink_jar_key."
    }
  }
}

locals {
  # One of the module's own, or one of a cluster that runs elsewhere.
  proposals = one(concat(
    [for stack in aws_cloudformation_stack.flink : stack.outputs["ProposalsStream"]],
    var.engine != "flink" && var.proposals_stream != "" ? [var.proposals_stream] : [],
  ))
}
