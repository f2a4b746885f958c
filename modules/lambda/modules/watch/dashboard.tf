# One page: clients, what they get, what breaks, what it costs.

locals {
  live_dimension_pairs = flatten([for name, value in local.live_dimensions : [name, value]])

  # Title and metrics of each widget, in the order in which they stand on the page.
  charts = concat(
    [
      {
        title = "Connections"
        metrics = concat(
          [
            concat(["AWS/Lambda", "ConcurrentExecutions"], local.live_dimension_pairs, [{ stat = "Maximum" }]),
            concat(["AWS/Lambda", "Throttles"], local.live_dimension_pairs, [{ stat = "Sum" }]),
          ],
          local.feed_metrics.connections,
        )
      },
    ],
    local.feed_charts,
    [
      {
        title = "Failures"
        metrics = concat(
          [
            concat(["AWS/Lambda", "Errors"], local.live_dimension_pairs, [{ stat = "Sum" }]),
            concat(["AWS/Lambda", "Url5xxCount"], local.live_dimension_pairs, [{ stat = "Sum" }]),
            concat(["AWS/Lambda", "Url4xxCount"], local.live_dimension_pairs, [{ stat = "Sum" }]),
          ],
          local.feed_metrics.failures,
        )
      },
      {
        title = "Tracing"
        metrics = concat(
          [
            for metric in ["SpanLosses", "CollectorStartFailures", "CollectorExportFailures"] :
            [var.metrics_namespace, metric, { stat = "Sum" }]
          ],
          local.feed_metrics.tracing,
        )
      },
      {
        title = "Stream length (ms)"
        metrics = [
          for statistic in ["p50", "Maximum"] :
          concat(["AWS/Lambda", "Duration"], local.live_dimension_pairs, [{ stat = statistic }])
        ]
      },
    ],
  )

  # What only a service with a feed counts.
  feed_metrics = {
    for chart, names in {
      connections = ["ConnectionsAcquired", "ConnectionsRefused"]
      failures    = ["PollErrors"]
      tracing     = ["SpansLost", "FlushFailures"]
    } : chart => [for name in names : [var.metrics_namespace, name, { stat = "Sum" }] if var.has_feed]
  }
  feed_charts = [
    for chart in [
      { title = "Events sent", metric = "EventsSent", statistics = ["Sum"] },
      { title = "From item written to event sent (ms)", metric = "EventLatencyMs", statistics = ["p50", "p99", "Maximum"] },
      { title = "Poll duration (ms)", metric = "PollDurationMs", statistics = ["p50", "p99", "Maximum"] },
      { title = "Connection seconds, which are the bill", metric = "ConnectionSeconds", statistics = ["Sum"] },
    ] :
    {
      title   = chart.title
      metrics = [for statistic in chart.statistics : [var.metrics_namespace, chart.metric, { stat = statistic }]]
    } if var.has_feed
  ]

  dashboard_widgets = [
    for position, chart in local.charts : {
      type   = "metric"
      x      = position % 2 * 12
      y      = floor(position / 2) * 6
      width  = 12
      height = 6
      properties = {
        title   = chart.title
        region  = var.place.region
        view    = "timeSeries"
        period  = 60
        metrics = chart.metrics
      }
    }
  ]
}

resource "aws_cloudwatch_dashboard" "service" {
  count = var.dashboard ? 1 : 0

  dashboard_name = "${var.name}-${var.place.region}"
  dashboard_body = jsonencode({ widgets = local.dashboard_widgets })
}
