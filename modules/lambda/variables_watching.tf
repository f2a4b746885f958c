# Watching it

variable "watch" {
  description = "What watches the function; each can be left out."
  type        = any
  default     = {}
  nullable    = false

  validation {
    condition     = can(keys(var.watch)) && length(setsubtract(try(keys(var.watch), []), keys(local.watch_defaults))) == 0
    error_message = "watch has no field ${join(", ", try(setsubtract(keys(var.watch), keys(local.watch_defaults)), ["of that kind"]))}. Its fields are ${join(", ", keys(local.watch_defaults))}: correct the name, or take it out."
  }
}

variable "collector_enabled" {
  description = "Whether the ADOT collector runs beside the function. Without it the streaming phase is not traced."
  type        = bool
  default     = true
  nullable    = false
}

variable "collector_layer_arn" {
  description = "ARN of the collector layer version to use; null for AWS's newest known for region and architecture."
  type        = string
  default     = null

  validation {
    condition     = var.collector_layer_arn == null ? true : can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", var.collector_layer_arn))
    error_message = "collector_layer_arn must be the ARN of a layer version: arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION."
  }

  validation {
    condition = var.collector_layer_arn == null ? true : !can(regex(
      var.architecture == "arm64" ? "(amd64|x86_64)" : "(arm64|aarch64)", var.collector_layer_arn
    ))
    error_message = "collector_layer_arn = \"${coalesce(var.collector_layer_arn, "-")}\" is for another CPU than architecture = \"${var.architecture}\": the extension would not start and every invocation would fail. Use the layer of the same architecture."
  }

  validation {
    condition     = !var.collector_enabled || var.collector_layer_arn == null ? true : try(split(":", var.collector_layer_arn)[3] == local.place.region, true)
    error_message = "collector_layer_arn = \"${coalesce(var.collector_layer_arn, "-")}\" is a layer of another region than the provider's, ${local.place.region}: Lambda takes layers of its own region only. Use that region's copy of the layer."
  }

  validation {
    condition     = !var.collector_enabled || var.collector_layer_arn != null || try(var.package.image_uri, null) != null || contains(local.collector_regions, local.place.region)
    error_message = "AWS publishes no collector layer in ${local.place.region} that this module knows of. Set collector_layer_arn to a layer of yours, or collector_enabled = false to stream without tracing the streaming phase."
  }

  validation {
    condition     = var.collector_layer_arn == null ? true : try(var.package.image_uri, null) == null
    error_message = "collector_layer_arn = \"${coalesce(var.collector_layer_arn, "-")}\" cannot stand beside package.image_uri: Lambda takes no layers with an image. Copy the collector into the image (the Dockerfile does) and take collector_layer_arn out."
  }
}

variable "log" {
  description = "`group`: an existing log group instead of /aws/lambda/SERVICE_NAME. `format`: Text or JSON, and with JSON the levels."
  type        = any
  default     = {}
  nullable    = false

  validation {
    condition     = can(keys(var.log)) && length(setsubtract(try(keys(var.log), []), keys(local.log_defaults))) == 0
    error_message = "log has no field ${join(", ", try(setsubtract(keys(var.log), keys(local.log_defaults)), ["of that kind"]))}. Its fields are ${join(", ", keys(local.log_defaults))}: correct the name, or take it out."
  }
}

variable "log_retention_days" {
  description = "How long the log group keeps lines; 0 for ever."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's steps: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653, or 0 for ever."
  }
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of the function's own metrics; null for SSEStreaming/SERVICE_NAME. The metrics have no other mark of their service, so two services must not share one."
  type        = string
  default     = null

  validation {
    condition     = var.metrics_namespace == null ? true : can(regex("^[A-Za-z0-9_./#-][A-Za-z0-9_./#:-]{0,254}$", var.metrics_namespace)) && !startswith(var.metrics_namespace, "AWS/")
    error_message = "metrics_namespace must be 1 to 255 of letters, digits and _ . / # : -, and not begin with : or AWS/."
  }
}

variable "alarm_actions" {
  description = "ARNs told when an alarm goes off and when it is over, usually one SNS topic."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "alarm_thresholds" {
  description = "Where the alarms begin: error_percent of at least error_minimum_invocations in 15 minutes, refusals and poll_errors in 5, latency_ms as the 99th percentile from item written to event sent."
  type        = any
  default     = {}
  nullable    = false

  validation {
    condition     = can(keys(var.alarm_thresholds)) && length(setsubtract(try(keys(var.alarm_thresholds), []), keys(local.alarm_thresholds_defaults))) == 0
    error_message = "alarm_thresholds has no field ${join(", ", try(setsubtract(keys(var.alarm_thresholds), keys(local.alarm_thresholds_defaults)), ["of that kind"]))}. Its fields are ${join(", ", keys(local.alarm_thresholds_defaults))}: correct the name, or take it out."
  }
}

variable "insights_enabled" {
  description = "Whether X-Ray looks for anomalies in this service's traces (charged by trace)."
  type        = bool
  default     = false
  nullable    = false
}

variable "sampling_rule" {
  description = "An X-Ray sampling rule for this service; null for none. AWS does not list Lambda among the services that follow such rules: check in your account that it does what you want."
  type        = any
  default     = null

  validation {
    condition     = var.sampling_rule == null ? true : can(keys(var.sampling_rule)) && length(setsubtract(try(keys(var.sampling_rule), []), keys(local.sampling_rule_defaults))) == 0
    error_message = "sampling_rule has no field ${join(", ", try(setsubtract(keys(var.sampling_rule), keys(local.sampling_rule_defaults)), ["of that kind"]))}. Its fields are ${join(", ", keys(local.sampling_rule_defaults))}: correct the name, or take it out."
  }
}

variable "tags" {
  description = "Tags for everything made here, beside the provider's default_tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
