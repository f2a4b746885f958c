# One page: clients, what they get, what breaks, what it costs.

locals {
  live_dimension_pairs = flatten([for name, value in local.live_dimensions : [name, value]])

  dashboard_rows = [
    {
      "Connections" = [
        concat(["AWS/Lambda", "ConcurrentExecutions"], local.live_dimension_pairs, [{ stat = "Maximum" }]),
        [local.metrics_namespace, "ConnectionsAcquired", { stat = "Sum" }],
        [local.metrics_namespace, "ConnectionsRefused", { stat = "Sum" }],
        concat(["AWS/Lambda", "Throttles"], local.live_dimension_pairs, [{ stat = "Sum" }]),
      ]
      "Events sent" = [
        [local.metrics_namespace, "EventsSent", { stat = "Sum" }],
      ]
    },
    {
      "From item written to event sent (ms)" = [
        for statistic in ["p50", "p99", "Maximum"] : [local.metrics_namespace, "EventLatencyMs", { stat = statistic }]
      ]
      "Poll duration (ms)" = [
        for statistic in ["p50", "p99", "Maximum"] : [local.metrics_namespace, "PollDurationMs", { stat = statistic }]
      ]
    },
    {
      "Failures" = [
        concat(["AWS/Lambda", "Errors"], local.live_dimension_pairs, [{ stat = "Sum" }]),
        concat(["AWS/Lambda", "Url5xxCount"], local.live_dimension_pairs, [{ stat = "Sum" }]),
        concat(["AWS/Lambda", "Url4xxCount"], local.live_dimension_pairs, [{ stat = "Sum" }]),
        [local.metrics_namespace, "PollErrors", { stat = "Sum" }],
      ]
      "Tracing" = [
        for metric in ["SpansLost", "SpanLosses", "FlushFailures", "CollectorStartFailures", "CollectorExportFailures"] :
        [local.metrics_namespace, metric, { stat = "Sum" }]
      ]
    },
    {
      "Stream length (ms)" = [
        for statistic in ["p50", "Maximum"] :
        concat(["AWS/Lambda", "Duration"], local.live_dimension_pairs, [{ stat = statistic }])
      ]
      "Connection seconds, which are the bill" = [
        [local.metrics_namespace, "ConnectionSeconds", { stat = "Sum" }],
      ]
    },
  ]

  dashboard_widgets = flatten([
    for row, widgets in local.dashboard_rows : [
      for column, title in keys(widgets) : {
        type   = "metric"
        x      = column * 12
        y      = row * 6
        width  = 12
        height = 6
        properties = {
          title   = title
          region  = local.region
          view    = "timeSeries"
          period  = 60
          metrics = widgets[title]
        }
      }
    ]
  ])
}

resource "aws_cloudwatch_dashboard" "service" {
  dashboard_name = "${var.service_name}-${local.region}"
  dashboard_body = jsonencode({ widgets = local.dashboard_widgets })
}
