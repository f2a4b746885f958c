variable "name" {
  description = "Name of the service in CloudWatch and X-Ray."
  type        = string
}

variable "place" {
  description = "Partition, region and account that it is made in."
  type        = object({ partition = string, region = string, account = string })
}

variable "alias_name" {
  description = "Alias whose traffic is watched."
  type        = string
}

variable "log_group_name" {
  description = "Where the function and its collector log."
  type        = string
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of the function's own metrics and of those counted in its log."
  type        = string
}

variable "alarms_enabled" {
  description = "Whether there are alarms and the metrics that only they need."
  type        = bool
}

variable "dashboard" {
  description = "Whether there is a dashboard."
  type        = bool
}

variable "xray_group" {
  description = "Whether there is an X-Ray group."
  type        = bool
}

variable "has_feed" {
  description = "Whether the function counts what a feed's service counts."
  type        = bool
}

variable "alarms" {
  description = "More alarms on the function's own metrics."
  type        = map(object({ description = string, metric = string, statistic = string, threshold = number }))
}

variable "timeout_seconds" {
  description = "When Lambda kills an invocation."
  type        = number
}

variable "stream_seconds" {
  description = "After what time streams end by themselves."
  type        = number
}

variable "concurrency_limit" {
  description = "How many connections there may be; null where nothing says so."
  type        = number
}

variable "rest_api" {
  description = "The REST API's name and stage; null for none."
  type        = object({ name = string, stage = string })
}

variable "error_percent" {
  description = "Share of failed streams at which the alarm goes off."
  type        = number

  validation {
    condition     = var.error_percent > 0 && var.error_percent <= 100
    error_message = "alarm_thresholds.error_percent = ${var.error_percent} is no share of streams above 0 and up to 100 per cent: the alarm would be on always or never."
  }
}

variable "error_minimum_invocations" {
  description = "Of at least so many."
  type        = number

  validation {
    condition     = var.error_minimum_invocations >= 1
    error_message = "alarm_thresholds.error_minimum_invocations = ${var.error_minimum_invocations} must be 1 or more: a share of no streams is none."
  }
}

variable "alarm_actions" {
  description = "ARNs told when an alarm goes off and when it is over."
  type        = list(string)
}

variable "insights_enabled" {
  description = "Whether X-Ray looks for anomalies."
  type        = bool
}

variable "sampling_rule" {
  description = "An X-Ray sampling rule; null for none."
  type        = object({ fixed_rate = number, reservoir_size = number, priority = number })

  validation {
    condition     = var.sampling_rule == null ? true : try(var.sampling_rule.fixed_rate >= 0 && var.sampling_rule.fixed_rate <= 1, false)
    error_message = "sampling_rule.fixed_rate = ${jsonencode(try(var.sampling_rule.fixed_rate, null))} is a share from 0 to 1, not a percentage."
  }
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}
