output "reports_stream" {
  description = "For the extension: RIGHTSIZER_STREAM; for rightsizer attach --stream"
  value       = aws_kinesis_stream.reports.arn
}

output "layers" {
  description = "For rightsizer attach --layer, by architecture"
  value       = { for arch, layer in aws_lambda_layer_version.extension : arch => layer.arn }
}

output "updater_function" {
  description = "For pausing: the function that carries the tag rightsizer:paused"
  value       = aws_lambda_function.updater.arn
}

output "pause_policy" {
  description = "For people on call"
  value       = aws_iam_policy.pause_updater.arn
}

output "subscription_role" {
  description = "For evidence from logs: rightsizer subscribe --role"
  value       = aws_iam_role.subscription.arn
}

output "given_up_records" {
  description = "The bucket of recommendations that the updater could not process in three retries"
  value       = aws_s3_bucket.bucket["given_up"].id
}

output "snapshot_bucket" {
  description = "The bucket of snapshots of the aggregator's store"
  value       = aws_s3_bucket.bucket["snapshots"].id
}

output "flink_application" {
  description = "The application of Flink, to start: aws kinesisanalyticsv2 start-application --application-name"
  value       = one([for stack in aws_cloudformation_stack.flink : stack.outputs["Application"]])
}
