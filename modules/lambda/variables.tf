# What is deployed

variable "service_name" {
  description = "Name of the function and of the service in X-Ray; prefix of everything else."
  type        = string
  default     = "sse-streaming"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,46}[a-z0-9]$", var.service_name))
    error_message = "service_name must be 3 to 48 of a-z, 0-9 and '-', begin with a letter and not end with '-': the role is named after service and region, and IAM takes 64 characters."
  }
}

variable "package_path" {
  description = "Path of the function's zip, as `make package` prints it."
  type        = string
  nullable    = false

  validation {
    condition     = fileexists(var.package_path)
    error_message = "There is no file at package_path = \"${var.package_path}\". Run `make package` and pass the path that it prints."
  }

  validation {
    condition = alltrue([
      for architecture in ["arm64", "x86_64"] :
      architecture == var.architecture || !endswith(var.package_path, "-${architecture}.zip")
    ])
    error_message = "package_path = \"${var.package_path}\" was built for another CPU than architecture = \"${var.architecture}\": its compiled parts would not load. Run `make package ARCH=${var.architecture}` or set the module's architecture."
  }

  validation {
    condition     = !can(regex("-py3[.][0-9]+-", var.package_path)) || strcontains(var.package_path, "-py${var.python_version}-")
    error_message = "package_path = \"${var.package_path}\" was built for another Python than python_version = \"${var.python_version}\". Run `make package PYTHON_VERSION=${var.python_version}` or set the module's python_version."
  }
}

variable "architecture" {
  description = "CPU of the function, its zip and the collector layer: `arm64` (a fifth cheaper) or `x86_64`."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be \"arm64\" or \"x86_64\"."
  }
}

variable "python_version" {
  description = "Python of the managed runtime: `3.11` to `3.14`; the zip must be built for it."
  type        = string
  default     = "3.13"
  nullable    = false

  validation {
    condition     = contains(["3.11", "3.12", "3.13", "3.14"], var.python_version)
    error_message = "python_version must be \"3.11\", \"3.12\", \"3.13\" or \"3.14\"."
  }
}

variable "memory_mb" {
  description = "Memory of one connection's execution environment, shared by Python and the collector. It decides the price: docs/costs.md."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "memory_mb must be a whole number from 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "When Lambda kills the function. Streams end themselves before: see settings."
  type        = number
  default     = 330
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "timeout_seconds must be a whole number from 1 to 900, Lambda's limit."
  }

  validation {
    condition     = var.settings.max_stream_seconds < var.timeout_seconds - var.settings.deadline_margin_seconds
    error_message = "timeout_seconds = ${var.timeout_seconds} leaves no room for a stream of settings.max_stream_seconds = ${var.settings.max_stream_seconds} and settings.deadline_margin_seconds = ${var.settings.deadline_margin_seconds}: Lambda would kill streams instead of letting them end. Set timeout_seconds above ${var.settings.max_stream_seconds + var.settings.deadline_margin_seconds}, or shorten the streams."
  }
}

variable "reserved_concurrency" {
  description = "Execution environments set aside for this function, or null for the account's shared pool. One connection holds one. New accounts may have too few to set any aside."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency >= ceil(var.settings.max_connections * 6 / 5) + 5
    error_message = "reserved_concurrency = ${coalesce(var.reserved_concurrency, -1)} is too small for settings.max_connections = ${var.settings.max_connections}: Lambda would refuse with a 429, after which a browser's EventSource never comes back, before the function can refuse softly. Set at least ${ceil(var.settings.max_connections * 6 / 5) + 5} (the connections, 20 % and 5), or null."
  }
}

variable "live_version" {
  description = "Published version that receives the traffic; null for the newest. Set an older one to roll back."
  type        = string
  default     = null

  validation {
    condition     = var.live_version == null ? true : can(regex("^[1-9][0-9]*$", var.live_version))
    error_message = "live_version must be the number of a published version, such as \"41\", or null for the newest."
  }
}

# How it behaves

variable "settings" {
  description = "The function's SSE_* environment variables, in lower case and without the prefix. Each is explained in docs/settings.md."
  type = object({
    poll_seconds            = optional(number, 1)
    poll_max_seconds        = optional(number, 5)
    overlap_seconds         = optional(number, 10)
    replay_seconds          = optional(number, 3600)
    heartbeat_seconds       = optional(number, 15)
    retry_ms                = optional(number, 3000)
    max_stream_seconds      = optional(number, 300)
    deadline_margin_seconds = optional(number, 5)
    max_connections         = optional(number, 100)
    lease_seconds           = optional(number, 30)
    max_stream_bytes        = optional(number, 5000000)
    stall_seconds           = optional(number, 30)
    aws_timeout_seconds     = optional(number, 2)
    metrics_seconds         = optional(number, 60)
    trace_detail            = optional(string, "budget")
    trace_span_budget       = optional(number, 120)
    trace_slow_ms           = optional(number, 500)
    trace_route             = optional(string, "off")
    flush_seconds           = optional(number, 1.5)
    auth                    = optional(string, "none")
  })
  default  = {}
  nullable = false

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
    error_message = "settings.trace_detail must be \"budget\" or \"full\", and settings.trace_route \"on\" or \"off\"."
  }

  validation {
    condition     = contains(["none", "iam"], var.settings.auth)
    error_message = "settings.auth must be \"none\" or \"iam\"."
  }
}

variable "id_key_parameter" {
  description = "Name of an SSM parameter (SecureString, 16 to 64 bytes) that signs event ids: SSE_ID_KEY. Null: ids are tamper-evident only and a reconnect cannot take over its slot. The value is in Terraform's state."
  type        = string
  default     = null
}

variable "environment" {
  description = "Further environment variables of the function, such as OTEL_SDK_DISABLED (the tracing kill switch) or POWERTOOLS_LOG_LEVEL (above WARNING it silences the alarm of lost spans)."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !contains(keys(var.environment), "AWS_LAMBDA_EXEC_WRAPPER")
    error_message = "environment must not set AWS_LAMBDA_EXEC_WRAPPER: the collector layer is a sidecar only, and its wrapper would instrument the process a second time. Remove the variable."
  }

  validation {
    condition     = length(setintersection(keys(var.environment), ["POWERTOOLS_SERVICE_NAME", "OTEL_SERVICE_NAME"])) == 0
    error_message = "environment must not set POWERTOOLS_SERVICE_NAME or OTEL_SERVICE_NAME: if they differ, X-Ray shows one function as two services. Set service_name, which becomes both."
  }

  validation {
    condition     = !anytrue([for name in keys(var.environment) : startswith(name, "SSE_") || name == "OTEL_EXPORTER_OTLP_ENDPOINT"])
    error_message = "environment must not set SSE_* variables or OTEL_EXPORTER_OTLP_ENDPOINT: the module sets them. Use settings, the table variables, id_key_parameter or metrics_namespace."
  }
}

# Data

variable "existing_tables" {
  description = "Names of DynamoDB tables of this account and region to use instead of creating them. Their keys and index must be those of docs/tables.md."
  type = object({
    items          = optional(string)
    connections    = optional(string)
    configurations = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in values(var.existing_tables) : name == null ? true : can(regex("^[A-Za-z0-9_.-]{3,255}$", name))])
    error_message = "existing_tables takes table names (3 to 255 of letters, digits, dot, dash, underscore), not ARNs."
  }
}

variable "items_index" {
  description = "Name of the items table's index by sentiment_type and published_at."
  type        = string
  default     = "by_sentiment"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.items_index))
    error_message = "items_index = \"${var.items_index}\" must be 3 to 255 of letters, digits, dot, dash, underscore, as DynamoDB names an index."
  }
}

variable "items_ttl_seconds" {
  description = "How long after published_at writers let an item expire (attribute expires_at, epoch seconds). The module only checks it and hands it on as an output: expiry is set by whoever writes."
  type        = number
  default     = 86400
  nullable    = false

  validation {
    condition     = var.items_ttl_seconds >= var.settings.replay_seconds + var.settings.overlap_seconds
    error_message = "items_ttl_seconds = ${var.items_ttl_seconds} is shorter than the replay window and its overlap (${var.settings.replay_seconds + var.settings.overlap_seconds} s): a client could resume into items that are gone already. Raise it or lower settings.replay_seconds."
  }
}

variable "deletion_protection" {
  description = "Whether the items and configurations tables made here refuse to be deleted."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "KMS key for environment variables, log group and tables; null for AWS's own keys. The key's policy must let logs.REGION.amazonaws.com use it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not of an alias."
  }
}

# Who may connect

variable "url_authorization" {
  description = "`AWS_IAM`: callers sign their requests (callers_policy_arn lets them). `NONE`: everybody on the internet may open streams, each of which costs money while it is open. A change makes a new URL."
  type        = string
  default     = "AWS_IAM"
  nullable    = false

  validation {
    condition     = contains(["AWS_IAM", "NONE"], var.url_authorization)
    error_message = "url_authorization must be \"AWS_IAM\" or \"NONE\"."
  }

  validation {
    condition     = var.settings.auth != "iam" || var.url_authorization == "AWS_IAM"
    error_message = "settings.auth = \"iam\" needs url_authorization = \"AWS_IAM\": without it no request carries a caller."
  }
}

variable "cors" {
  description = "Browser origins that may read the stream, and how. Null: no other origin may. Methods are GET, POST and DELETE."
  type = object({
    allow_origins     = list(string)
    allow_credentials = optional(bool, false)
    allow_headers     = optional(list(string), ["authorization", "content-type", "last-event-id", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "x-amzn-trace-id"])
    expose_headers    = optional(list(string), ["x-amzn-trace-id", "x-amzn-requestid"])
    max_age_seconds   = optional(number, 3600)
  })
  default = null

  validation {
    condition     = var.cors == null ? true : !(var.cors.allow_credentials && contains(var.cors.allow_origins, "*"))
    error_message = "cors.allow_origins must name origins when cors.allow_credentials is true: browsers refuse \"*\" together with credentials, and it would open cookies to every site."
  }

  validation {
    condition     = var.cors == null ? true : var.cors.max_age_seconds >= 0 && var.cors.max_age_seconds <= 86400
    error_message = "cors.max_age_seconds must be from 0 to 86400."
  }
}

variable "cdn" {
  description = "CloudFront in front of the Function URL, which then answers CloudFront and holders of the callers policy. aliases need certificate_arn (ACM, us-east-1)."
  type = object({
    enabled              = optional(bool, false)
    aliases              = optional(list(string), [])
    certificate_arn      = optional(string)
    read_timeout_seconds = optional(number, 60)
    price_class          = optional(string, "PriceClass_100")
    web_acl_arn          = optional(string)
    wait_for_deployment  = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = !var.cdn.enabled || var.url_authorization == "AWS_IAM"
    error_message = "cdn.enabled needs url_authorization = \"AWS_IAM\": with NONE everybody could go around CloudFront."
  }

  validation {
    # More only with a quota of one's own:
    # https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CustomOriginConfig.html
    condition     = var.cdn.read_timeout_seconds >= 1 && var.cdn.read_timeout_seconds <= 120 && floor(var.cdn.read_timeout_seconds) == var.cdn.read_timeout_seconds
    error_message = "cdn.read_timeout_seconds = ${var.cdn.read_timeout_seconds} is not a whole number from 1 to 120, CloudFront's limits."
  }

  validation {
    condition     = !var.cdn.enabled || var.settings.heartbeat_seconds < var.cdn.read_timeout_seconds
    error_message = "settings.heartbeat_seconds = ${var.settings.heartbeat_seconds} must be below cdn.read_timeout_seconds = ${var.cdn.read_timeout_seconds}: CloudFront closes a stream that is silent for that long."
  }

  validation {
    condition     = !var.cdn.enabled || var.settings.auth != "iam"
    error_message = "settings.auth = \"iam\" does not work behind the CDN: CloudFront signs every request as itself, so all callers would be one. Use settings.auth = \"none\" or turn the CDN off."
  }

  validation {
    condition     = length(var.cdn.aliases) == 0 || var.cdn.certificate_arn != null
    error_message = "cdn.aliases need cdn.certificate_arn, an ACM certificate of us-east-1 for those names."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the function's role, where the organisation demands one."
  type        = string
  default     = null
}

# Watching it

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
  type = object({
    error_percent             = optional(number, 5)
    error_minimum_invocations = optional(number, 10)
    refusals                  = optional(number, 10)
    poll_errors               = optional(number, 20)
    latency_ms                = optional(number, 10000)
  })
  default  = {}
  nullable = false
}

variable "insights_enabled" {
  description = "Whether X-Ray looks for anomalies in this service's traces (charged by trace)."
  type        = bool
  default     = false
  nullable    = false
}

variable "sampling_rule" {
  description = "An X-Ray sampling rule for this service; null for none. AWS does not list Lambda among the services that follow such rules: check in your account that it does what you want."
  type = object({
    fixed_rate     = number
    reservoir_size = optional(number, 1)
    priority       = optional(number, 5000)
  })
  default = null

  validation {
    condition     = var.sampling_rule == null ? true : var.sampling_rule.fixed_rate >= 0 && var.sampling_rule.fixed_rate <= 1
    error_message = "sampling_rule.fixed_rate is a share from 0 to 1, not a percentage."
  }
}

variable "tags" {
  description = "Tags for everything made here, beside the provider's default_tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
