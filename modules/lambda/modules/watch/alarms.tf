# The alarms. What each one means, and what to do: docs/operate.md.
#
# Streams change what the usual metrics say: Duration is how long a client stayed, and a failure
# after the head cannot become a 5xx any more. Hence the function's own metrics beside Lambda's. And
# Lambda stamps Duration and Errors with the time of the *invocation*, which for a stream is minutes
# before they are sent (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html):
# an alarm on them looks back over a whole timeout, or the datapoint falls behind its window.

locals {
  # The alias' part of the function's metrics: other versions are not live.
  live_dimensions = {
    FunctionName = var.name
    Resource     = "${var.name}:${var.alias_name}"
  }

  five_minutes_seconds    = 300
  fifteen_minutes_seconds = 900

  # Streams end at max_stream_seconds by themselves, and have their last work done soon after.
  late_end_seconds = var.timeout_seconds - (var.timeout_seconds - var.stream_seconds) / 4

  own_alarms = {
    throttles = {
      description = "Lambda refused connections (429): the concurrency is used up. Browsers' EventSource does not come back from this."
      namespace   = "AWS/Lambda"
      metric      = "Throttles"
      dimensions  = local.live_dimensions
      statistic   = "Sum"
      threshold   = 1
    }
    near-timeout = {
      description = "Streams run into Lambda's timeout instead of ending themselves."
      namespace   = "AWS/Lambda"
      metric      = "Duration"
      dimensions  = local.live_dimensions
      statistic   = "Maximum"
      threshold   = local.late_end_seconds * 1000
      late        = true
    }
    url-5xx = {
      description = "The Function URL answered 5xx: requests failed before their first byte."
      namespace   = "AWS/Lambda"
      metric      = "Url5xxCount"
      dimensions  = local.live_dimensions
      statistic   = "Sum"
      threshold   = 1
    }
    spans-lost = {
      # By the log: the function's own SpansLost goes out with the environment's next stream only,
      # and one that loses spans when it is shut down has none.
      description = "Spans of the streaming phase were dropped: traces have holes."
      namespace   = var.metrics_namespace
      metric      = "SpanLosses"
      dimensions  = {}
      statistic   = "Sum"
      threshold   = 1
    }
    collector-start = {
      description = "The collector beside the function did not start."
      namespace   = var.metrics_namespace
      metric      = "CollectorStartFailures"
      dimensions  = {}
      statistic   = "Sum"
      threshold   = 1
    }
    collector-export = {
      description = "The collector could not hand spans to X-Ray."
      namespace   = var.metrics_namespace
      metric      = "CollectorExportFailures"
      dimensions  = {}
      statistic   = "Sum"
      threshold   = 1
    }
  }

  alarms = merge(
    local.own_alarms,
    var.concurrency_limit == null ? {} : {
      concurrency = {
        description = "Four fifths of ${var.concurrency_limit} connections are in use."
        namespace   = "AWS/Lambda"
        metric      = "ConcurrentExecutions"
        dimensions  = local.live_dimensions
        statistic   = "Maximum"
        threshold   = ceil(coalesce(var.concurrency_limit, 0) * 4 / 5)
      }
    },
    var.rest_api == null ? {} : {
      rest-5xx = {
        description = "The REST API answered 5xx: requests failed before their first byte."
        namespace   = "AWS/ApiGateway"
        metric      = "5XXError"
        dimensions  = { ApiName = try(var.rest_api.name, null), Stage = try(var.rest_api.stage, null) }
        statistic   = "Sum"
        threshold   = 1
      }
    },
    {
      for name, alarm in var.alarms :
      name => merge(alarm, { namespace = var.metrics_namespace, dimensions = {} })
    },
  )

  # The collector writes plain lines into the function's log group, the function JSON. Spans that are
  # kept for one more try are not lost yet: such a line ends in ", 0 lost".
  collector_failures = {
    CollectorStartFailures  = "\"collector server run finished with error\""
    CollectorExportFailures = "\"Exporting failed\""
    SpanLosses              = "{ ($.message = \"the collector *\") && ($.message = \"* lost\") && ($.message != \"*, 0 lost\") }"
  }
}

resource "aws_cloudwatch_log_metric_filter" "collector" {
  for_each = { for name, pattern in local.collector_failures : name => pattern if var.alarms_enabled }

  name           = "${var.name}-${each.key}"
  log_group_name = var.log_group_name
  pattern        = each.value

  metric_transformation {
    name          = each.key
    namespace     = var.metrics_namespace
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "threshold" {
  for_each = { for name, alarm in local.alarms : name => alarm if var.alarms_enabled }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  period              = local.five_minutes_seconds
  evaluation_periods  = lookup(each.value, "late", false) ? ceil(var.timeout_seconds / local.five_minutes_seconds) + 1 : 1
  datapoints_to_alarm = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  count = var.alarms_enabled ? 1 : 0

  alarm_name          = "${var.name}-errors"
  alarm_description   = "${var.error_percent} % of the streams failed, of at least ${var.error_minimum_invocations} in 15 minutes."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.error_percent
  evaluation_periods  = ceil(var.timeout_seconds / local.fifteen_minutes_seconds) + 1
  datapoints_to_alarm = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags

  metric_query {
    id          = "percent"
    label       = "Failed streams, per cent"
    expression  = "IF(started >= ${var.error_minimum_invocations}, 100 * failed / started, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { started = "Invocations", failed = "Errors" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/Lambda"
        metric_name = metric_query.value
        dimensions  = local.live_dimensions
        period      = local.fifteen_minutes_seconds
        stat        = "Sum"
      }
    }
  }
}
