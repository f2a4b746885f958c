variable "name" {
  description = "Name of the service; prefix of the tables."
  type        = string
}

variable "place" {
  description = "Partition, region and account that it is made in."
  type        = object({ partition = string, region = string, account = string })
}

variable "schema" {
  description = "The feed's declaration: the attributes that the items table and its index are keyed by."
  type        = object({ partition = string, time = string, item_id = string, index = string })
}

variable "settings" {
  description = "The function's SSE_* variables, in lower case and without the prefix."
  type = object({
    poll_seconds            = number
    poll_max_seconds        = number
    overlap_seconds         = number
    replay_seconds          = number
    heartbeat_seconds       = number
    retry_ms                = number
    max_stream_seconds      = number
    deadline_margin_seconds = number
    max_connections         = number
    lease_seconds           = number
    max_stream_bytes        = number
    stall_seconds           = number
    aws_timeout_seconds     = number
    metrics_seconds         = number
    trace_detail            = string
    trace_span_budget       = number
    trace_slow_ms           = number
    trace_route             = string
    flush_seconds           = number
    auth                    = string
  })

  validation {
    condition = alltrue([
      for name, range in local.setting_ranges :
      var.settings[name] >= range.from && var.settings[name] <= range.to &&
      (!range.whole || floor(var.settings[name]) == var.settings[name])
    ])
    error_message = join(" ", concat([
      for name, range in local.setting_ranges :
      "settings.${name} = ${var.settings[name]} is not a ${range.whole ? "whole " : ""}number from ${range.from} to ${range.to}."
      if !(var.settings[name] >= range.from && var.settings[name] <= range.to) ||
      (range.whole && floor(var.settings[name]) != var.settings[name])
    ], ["The function would refuse to start."]))
  }

  validation {
    condition     = var.settings.poll_max_seconds >= var.settings.poll_seconds
    error_message = "settings.poll_max_seconds = ${var.settings.poll_max_seconds} is below settings.poll_seconds = ${var.settings.poll_seconds}: an idle stream polls less often, never more often."
  }

  validation {
    condition     = var.settings.replay_seconds > var.settings.overlap_seconds
    error_message = "settings.replay_seconds = ${var.settings.replay_seconds} is not above settings.overlap_seconds = ${var.settings.overlap_seconds}: every event id would be expired when it is made."
  }

  validation {
    condition     = contains(["budget", "full"], var.settings.trace_detail) && contains(["on", "off"], var.settings.trace_route)
    error_message = "settings.trace_detail = \"${var.settings.trace_detail}\" must be \"budget\" or \"full\", and settings.trace_route = \"${var.settings.trace_route}\" must be \"on\" or \"off\": the function would refuse to start."
  }

  validation {
    condition     = contains(["none", "iam"], var.settings.auth)
    error_message = "settings.auth = \"${var.settings.auth}\" must be \"none\" or \"iam\": the function would refuse to start."
  }
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of the function's own metrics."
  type        = string
}

variable "existing_tables" {
  description = "Tables to use instead of making them."
  type        = object({ items = string, connections = string, configurations = string })
}

variable "configurations_enabled" {
  description = "Whether there are saved filters."
  type        = bool
}

variable "id_key_parameters" {
  description = "Names of the SSM parameters of the id key: current, and previous while it is rotated."
  type        = object({ current = string, previous = string })
}

variable "deletion_protection" {
  description = "Whether the items and configurations tables made here refuse to be deleted."
  type        = bool
}

variable "kms_key_arn" {
  description = "Key of the tables made here; null for AWS's own."
  type        = string
}

variable "alarm_thresholds" {
  description = "Where the feed's alarms begin."
  type        = object({ refusals = number, poll_errors = number, latency_ms = number })

  validation {
    condition     = alltrue([for threshold in values(var.alarm_thresholds) : threshold > 0])
    error_message = "alarm_thresholds has refusals = ${var.alarm_thresholds.refusals}, poll_errors = ${var.alarm_thresholds.poll_errors} and latency_ms = ${var.alarm_thresholds.latency_ms}: each must be above 0, or the alarm would always be on. Raise it, or leave the alarms out with watch = { alarms = false }."
  }
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}
