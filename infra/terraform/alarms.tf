# `serve` logs one line "figures" per minute; these filters make metrics of it and of the updater's log.
# docs/ALARMS.md describes what to do for each alarm.
locals {
  namespace = "Rightsizer/${var.name}"
  figures = {
    behind     = { group = aws_cloudwatch_log_group.aggregator.name, pattern = "{ $.message = \"figures\" }", metric = "BehindSeconds", value = "$.behind_seconds" }
    quarantine = { group = aws_cloudwatch_log_group.aggregator.name, pattern = "{ $.message = \"figures\" && $.quarantined > 0 }", metric = "Quarantined", value = "$.quarantined" }
    snapshots  = { group = aws_cloudwatch_log_group.aggregator.name, pattern = "{ $.message = \"*no snapshot could be made*\" }", metric = "FailedSnapshots", value = "1" }
    increases  = { group = aws_cloudwatch_log_group.aggregator.name, pattern = "{ $.message = \"increase alarm*\" }", metric = "ExpensiveIncreases", value = "1" }
    poison     = { group = aws_cloudwatch_log_group.updater.name, pattern = "{ $.fields.poison = 1 }", metric = "Quarantined", value = "1" }
    failed     = { group = aws_cloudwatch_log_group.updater.name, pattern = "{ $.fields.status = \"failed\" }", metric = "FailedUpdates", value = "1" }
  }
  # `missing` is breaching if no data means that the aggregator does not run.
  alarms = {
    behind         = { words = "The aggregator is not running, or is more than 15 minutes behind", namespace = local.namespace, metric = "BehindSeconds", dimensions = {}, statistic = "Maximum", period = 300, periods = 3, threshold = 900, missing = "breaching" }
    quarantine     = { words = "A stream had records that could not be used", namespace = local.namespace, metric = "Quarantined", dimensions = {}, statistic = "Sum", period = 900, periods = 1, threshold = 0, missing = "notBreaching" }
    snapshots      = { words = "No snapshot of the store could be made for 30 minutes", namespace = local.namespace, metric = "FailedSnapshots", dimensions = {}, statistic = "Sum", period = 900, periods = 2, threshold = 0, missing = "notBreaching" }
    increases      = { words = "Increases of one day add more dollars than limits.increase_usd_per_day", namespace = local.namespace, metric = "ExpensiveIncreases", dimensions = {}, statistic = "Sum", period = 900, periods = 1, threshold = 0, missing = "notBreaching" }
    failed-updates = { words = "The updater could not make a change that was decided", namespace = local.namespace, metric = "FailedUpdates", dimensions = {}, statistic = "Sum", period = 900, periods = 1, threshold = 0, missing = "notBreaching" }
    updater-errors = { words = "The updater crashed, timed out or ran out of memory", namespace = "AWS/Lambda", metric = "Errors", dimensions = { FunctionName = aws_lambda_function.updater.function_name }, statistic = "Sum", period = 900, periods = 1, threshold = 0, missing = "notBreaching" }
    decision-age   = { words = "Recommendations wait for the updater for more than 30 minutes", namespace = "AWS/Lambda", metric = "IteratorAge", dimensions = { FunctionName = aws_lambda_function.updater.function_name }, statistic = "Maximum", period = 300, periods = 1, threshold = 1800000, missing = "notBreaching" }
    given-up       = { words = "Recommendations were given up; they are in the bucket GivenUpRecords", namespace = "AWS/S3", metric = "NumberOfObjects", dimensions = { BucketName = aws_s3_bucket.bucket["given_up"].id, StorageType = "AllStorageTypes" }, statistic = "Maximum", period = 86400, periods = 1, threshold = 0, missing = "notBreaching" }
    given-up-lost  = { words = "Recommendations were given up and could not be kept in the bucket", namespace = "AWS/Lambda", metric = "DestinationDeliveryFailures", dimensions = { FunctionName = aws_lambda_function.updater.function_name }, statistic = "Sum", period = 900, periods = 1, threshold = 0, missing = "notBreaching" }
    throttled      = { words = "The reports stream is too small; increase ReportsShards", namespace = "AWS/Kinesis", metric = "WriteProvisionedThroughputExceeded", dimensions = { StreamName = aws_kinesis_stream.reports.name }, statistic = "Sum", period = 900, periods = 3, threshold = 0, missing = "notBreaching" }
    report-age     = { words = "Reports wait for the aggregator for more than 6 hours and are lost after 24", namespace = "AWS/Kinesis", metric = "GetRecords.IteratorAgeMilliseconds", dimensions = { StreamName = aws_kinesis_stream.reports.name }, statistic = "Maximum", period = 300, periods = 3, threshold = 21600000, missing = "notBreaching" }
  }
}

resource "aws_cloudwatch_log_metric_filter" "figure" {
  for_each       = local.figures
  name           = each.key
  log_group_name = each.value.group
  pattern        = each.value.pattern
  metric_transformation {
    namespace = local.namespace
    name      = each.value.metric
    value     = each.value.value
  }
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each            = { for name, alarm in local.alarms : name => alarm if name != "throttled" || var.reports_shards > 0 }
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.words
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  threshold           = each.value.threshold
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = each.value.missing
  alarm_actions       = var.alarm_topics
  ok_actions          = each.key == "behind" ? var.alarm_topics : []
  # There is no data before the aggregator runs.
  depends_on = [aws_ecs_service.aggregator, aws_cloudwatch_log_metric_filter.figure]
}
