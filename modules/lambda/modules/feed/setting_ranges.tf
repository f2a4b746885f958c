# What the function accepts. It refuses to start with anything else, which would show as failed
# connections after the deployment; a test compares this table with the function's own.

locals {
  setting_ranges = {
    poll_seconds            = { from = 0.05, to = 60, whole = false }
    poll_max_seconds        = { from = 0.05, to = 300, whole = false }
    overlap_seconds         = { from = 0.1, to = 300, whole = false }
    replay_seconds          = { from = 1, to = 604800, whole = false }
    heartbeat_seconds       = { from = 0.05, to = 300, whole = false }
    retry_ms                = { from = 1, to = 3600000, whole = false }
    max_stream_seconds      = { from = 0.2, to = 900, whole = false }
    deadline_margin_seconds = { from = 0.2, to = 120, whole = false }
    max_connections         = { from = 1, to = 60000, whole = true }
    lease_seconds           = { from = 0.3, to = 900, whole = false }
    max_stream_bytes        = { from = 1, to = 200000000, whole = true }
    stall_seconds           = { from = 0.1, to = 900, whole = false }
    aws_timeout_seconds     = { from = 0.05, to = 60, whole = false }
    metrics_seconds         = { from = 0.1, to = 3600, whole = false }
    trace_span_budget       = { from = 0, to = 10000, whole = true }
    trace_slow_ms           = { from = 0, to = 3600000, whole = false }
    flush_seconds           = { from = 0.05, to = 60, whole = false }
  }
}
