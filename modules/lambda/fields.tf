# The fields of the inputs that are objects, with their defaults.
#
# Such inputs have type any: Terraform drops a field that an object type does not know, and a
# misspelt one would vanish. Here it is refused, with the names that there are.

locals {
  settings_defaults = {
    poll_seconds            = 1
    poll_max_seconds        = 5  # at least poll_seconds
    overlap_seconds         = 10 # at most half of replay_seconds
    replay_seconds          = 3600
    heartbeat_seconds       = 15
    retry_ms                = 3000
    max_stream_seconds      = 300
    deadline_margin_seconds = 5
    max_connections         = 100
    lease_seconds           = 30
    max_stream_bytes        = 5000000
    stall_seconds           = 30
    aws_timeout_seconds     = 2
    metrics_seconds         = 60
    trace_detail            = "budget"
    trace_span_budget       = 120
    trace_slow_ms           = 500
    trace_route             = "off"
    flush_seconds           = 1.5
    auth                    = "none"
  }

  package_defaults = {
    path      = null
    sha256    = null
    s3        = null # { bucket, key, version, sha256 }
    image_uri = null
  }

  app_defaults = {
    handler           = null # required
    environment       = {}
    policy_statements = []
    stream_seconds    = 300
  }

  deployment_defaults = {
    weights     = {}
    codedeploy  = null # { configuration, alarms }
    provisioned = null
  }

  codedeploy_defaults = {
    configuration = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    alarms        = null
  }

  existing_tables_defaults = {
    items          = null
    connections    = null
    configurations = null
  }

  cors_defaults = {
    allow_origins     = [] # required
    allow_credentials = false
    allow_headers     = ["authorization", "content-type", "last-event-id", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"]
    expose_headers    = ["x-amzn-trace-id", "x-amzn-requestid"]
    max_age_seconds   = 3600
  }

  cdn_defaults = {
    enabled                    = false
    aliases                    = []
    certificate_arn            = null
    read_timeout_seconds       = 60
    price_class                = "PriceClass_100"
    web_acl_arn                = null
    wait_for_deployment        = true
    access_log_bucket          = null
    access_log_prefix          = ""
    response_headers_policy_id = null
  }

  rest_defaults = {
    stage                = "live"
    stream               = true
    endpoint             = "REGIONAL"
    authorization        = "AWS_IAM"
    authorizer_arn       = null
    authorizer_header    = "Authorization"
    authorizer_seconds   = 300
    user_pool_arns       = []
    api_keys             = []
    requests_per_second  = 50
    burst                = 100
    requests_per_day     = null
    timeout_seconds      = null
    access_log_group_arn = null
  }

  watch_defaults = {
    alarms     = true
    dashboard  = true
    xray_group = true
  }

  log_defaults = {
    group             = null
    format            = null
    application_level = null
    system_level      = null
  }

  alarm_thresholds_defaults = {
    error_percent             = 5
    error_minimum_invocations = 10
    refusals                  = 10
    poll_errors               = 20
    latency_ms                = 10000
  }

  sampling_rule_defaults = {
    fixed_rate     = null # required
    reservoir_size = 1
    priority       = 5000
  }

  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
  reserved_names = [
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
  ]
}

# The inputs as they count: each field, or its default where it is left out or null. Field by field, because
# one whose value is known after the apply only must leave the others known; input by input, because
# validations of one read the fields of others.

locals {
  app              = { for name, default in merge(local.app_defaults, { handler = "lambdas.sse_streaming.entrypoint.handler" }) : name => try([for value in [try(var.app[name], null), default] : value if value != null][0], null) }
  settings         = { for name, default in merge(local.settings_defaults, local.settings_moved) : name => try([for value in [try(var.settings[name], null), default] : value if value != null][0], null) }
  package          = merge({ for name, default in local.package_defaults : name => try([for value in [try(var.package[name], null), default] : value if value != null][0], null) }, var.package_path == null ? {} : { path = var.package_path })
  deployment       = { for name, default in local.deployment_defaults : name => try([for value in [try(var.deployment[name], null), default] : value if value != null][0], null) }
  codedeploy       = local.deployment.codedeploy == null ? null : { for name, default in local.codedeploy_defaults : name => try([for value in [try(local.deployment.codedeploy[name], null), default] : value if value != null][0], null) }
  existing_tables  = { for name, default in local.existing_tables_defaults : name => try([for value in [try(var.existing_tables[name], null), default] : value if value != null][0], null) }
  cors             = var.cors == null ? null : merge(local.cors_methods, { for name, default in local.cors_defaults : name => try([for value in [try(var.cors[name], null), default] : value if value != null][0], null) })
  cdn              = { for name, default in local.cdn_defaults : name => try([for value in [try(var.cdn[name], null), default] : value if value != null][0], null) }
  rest             = var.rest == null ? null : { for name, default in merge(local.rest_defaults, { timeout_seconds = var.timeout_seconds }) : name => try([for value in [try(var.rest[name], null), default] : value if value != null][0], null) }
  watch            = { for name, default in local.watch_defaults : name => try([for value in [try(var.watch[name], null), default] : value if value != null][0], null) }
  log              = { for name, default in local.log_defaults : name => try([for value in [try(var.log[name], null), default] : value if value != null][0], null) }
  alarm_thresholds = { for name, default in local.alarm_thresholds_defaults : name => try([for value in [try(var.alarm_thresholds[name], null), default] : value if value != null][0], null) }
  sampling_rule    = var.sampling_rule == null ? null : { for name, default in local.sampling_rule_defaults : name => try([for value in [try(var.sampling_rule[name], null), default] : value if value != null][0], null) }

  # One value set beyond the other's default moves that default, as in the function.
  settings_moved = {
    poll_max_seconds = max(5, try(tonumber(var.settings.poll_seconds), 1))
    poll_seconds     = min(1, try(tonumber(var.settings.poll_max_seconds), 1))
    overlap_seconds  = min(10, try(tonumber(var.settings.replay_seconds), 3600) / 2)
  }

  # Those of the service's routes; an app may have any.
  cors_methods = { allow_methods = local.has_feed ? ["GET", "POST", "DELETE"] : ["*"] }
}
