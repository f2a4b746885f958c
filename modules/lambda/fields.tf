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
