# The composition. What each part makes: README.md. The inputs' fields: fields.tf.

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

# Where this deployment is. Its names hang on it, and where the caller writes depends_on, Terraform reads
# the data sources only during the apply: with an unknown region it would replace all that is named
# after it. So the place is remembered, and a move is refused.
resource "terraform_data" "place" {
  input = {
    partition = data.aws_partition.current.partition
    region    = data.aws_region.current.id
    account   = data.aws_caller_identity.current.account_id
  }

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.input.region == data.aws_region.current.id && self.input.account == data.aws_caller_identity.current.account_id
      error_message = "This deployment was made in ${self.input.region} of account ${self.input.account}, and the provider is set to ${data.aws_region.current.id} of ${data.aws_caller_identity.current.account_id}: everything would be made anew there, and left behind here. Set the provider back, or destroy first and deploy then; for a second copy use a second state."
    }
  }
}

locals {
  place = terraform_data.place.input

  has_feed = var.app == null || var.feed != null

  # The sentiment service's, or what `python -m lambdas.sse_streaming.declaration` prints of another feed.
  sentiment = { event = "sentiment", partition = "sentiment_type", time = "published_at", item_id = "item_id", index = "by_sentiment" }
  schema    = var.feed == null ? local.sentiment : { for name in keys(local.sentiment) : name => try(var.feed[name], "missing") }

  # How long streams last, and what is left to Lambda's timeout for their end.
  stream_seconds = local.has_feed ? local.settings.max_stream_seconds : local.app.stream_seconds
  margin_seconds = local.has_feed ? local.settings.deadline_margin_seconds : 2

  # Whoever reaches a public door without showing who it is can hold a connection.
  is_public = var.url_authorization == "NONE" || try(local.cdn.enabled, false) || try(local.rest.authorization == "NONE", false)

  metrics_namespace = coalesce(var.metrics_namespace, "${local.has_feed ? "SSEStreaming" : "LambdaStreaming"}/${var.service_name}")
  items_index       = coalesce(var.items_index, local.schema.index)

  # An image brings its own collector.
  layers = var.collector_enabled && local.package.image_uri == null ? [local.collector_layer_arn] : []
  # https://aws-otel.github.io/docs/getting-started/lambda lists where AWS publishes this layer.
  collector_layer = "aws-otel-collector-${var.architecture == "arm64" ? "arm64" : "amd64"}-ver-0-117-0:1"
  collector_regions = [
    "ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
    "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3",
    "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
  ]
  collector_layer_arn = coalesce(
    var.collector_layer_arn,
    "arn:aws:lambda:${local.place.region}:901920570463:layer:${local.collector_layer}",
  )

  environment = merge(
    local.has_feed ? module.feed[0].environment : {},
    # Where nothing is said the library bounds event streams, and lets downloads end by themselves.
    { for seconds in compact([try(tostring(var.app.stream_seconds), null)]) : "STREAMING_MAX_STREAM_SECONDS" => seconds if !local.has_feed },
    { OTEL_EXPORTER_OTLP_ENDPOINT = "http://localhost:4318" },
    var.collector_enabled ? {} : { OTEL_SDK_DISABLED = "true" },
    # A REST API's event does not tell whether its integration streams.
    try(local.rest.stream, false) ? { STREAMING_INVOKE_MODE = "stream" } : {},
    local.app.environment,
    var.environment,
    # Both phases of a trace must show as one service.
    { POWERTOOLS_SERVICE_NAME = var.service_name, OTEL_SERVICE_NAME = var.service_name },
  )

  # As statements of IAM's JSON.
  app_statements = [
    for index, statement in local.app.policy_statements : merge(
      {
        Sid      = try(statement.sid, "App${index + 1}")
        Effect   = try(statement.effect, "Allow")
        Action   = statement.actions
        Resource = statement.resources
      },
      try({ Condition = statement.condition }, {}),
    )
  ]
}

module "feed" {
  source = "./modules/feed"
  count  = local.has_feed ? 1 : 0

  name                   = var.service_name
  place                  = local.place
  schema                 = merge(local.schema, { index = local.items_index })
  settings               = local.settings
  metrics_namespace      = local.metrics_namespace
  existing_tables        = local.existing_tables
  configurations_enabled = var.configurations_enabled
  id_key_parameters      = { current = var.id_key_parameter, previous = var.id_key_previous_parameter }
  deletion_protection    = var.deletion_protection
  kms_key_arn            = var.tables_kms_key_arn == null ? var.kms_key_arn : var.tables_kms_key_arn
  alarm_thresholds       = local.alarm_thresholds
  tags                   = var.tags
}

module "function" {
  source = "./modules/function"

  name                     = var.service_name
  description              = var.app == null ? "Streams sentiment items as Server-Sent Events" : "Streams its answers: ${local.app.handler}"
  place                    = local.place
  handler                  = local.app.handler
  package                  = local.package
  architecture             = var.architecture
  python_version           = var.python_version
  memory_mb                = var.memory_mb
  timeout_seconds          = var.timeout_seconds
  reserved_concurrency     = var.reserved_concurrency
  environment              = local.environment
  layers                   = local.layers
  kms_key_arn              = var.kms_key_arn
  role_arn                 = var.role_arn
  policy_statements        = concat(flatten(module.feed[*].policy_statements), local.app_statements)
  permissions_boundary_arn = var.permissions_boundary_arn
  log                      = local.log
  log_retention_days       = var.log_retention_days
  live_version             = var.live_version
  weights                  = local.deployment.weights
  provisioned              = local.deployment.provisioned
  tags                     = var.tags
}

locals {
  # What doors need to know of the function.
  live_function = {
    name              = module.function.name
    alias             = module.function.alias_name
    alias_arn         = module.function.alias_arn
    planned_alias_arn = module.function.planned_alias_arn
  }
}

module "url" {
  source = "./modules/url"

  name               = var.service_name
  place              = local.place
  function           = local.live_function
  authorization      = var.url_authorization
  allowed_principals = var.allowed_principals
  cors               = local.cors
  cdn                = local.cdn
  second_long_paths  = local.has_feed ? ["/stream/status"] : []
  tags               = var.tags
}

module "rest" {
  source = "./modules/rest"
  count  = var.rest == null ? 0 : 1

  name     = var.service_name
  place    = local.place
  function = local.live_function
  door     = local.rest
  tags     = var.tags
}

module "watch" {
  source = "./modules/watch"

  name                      = var.service_name
  place                     = local.place
  alias_name                = module.function.alias_name
  log_group_name            = module.function.log_group_name
  metrics_namespace         = local.metrics_namespace
  alarms_enabled            = local.watch.alarms
  dashboard                 = local.watch.dashboard
  xray_group                = local.watch.xray_group
  has_feed                  = local.has_feed
  alarms                    = local.has_feed ? module.feed[0].alarms : {}
  timeout_seconds           = var.timeout_seconds
  stream_seconds            = local.stream_seconds
  concurrency_limit         = local.has_feed ? local.settings.max_connections : (var.reserved_concurrency == 0 ? null : var.reserved_concurrency)
  rest_api                  = var.rest == null ? null : { name = var.service_name, stage = local.rest.stage }
  error_percent             = local.alarm_thresholds.error_percent
  error_minimum_invocations = local.alarm_thresholds.error_minimum_invocations
  alarm_actions             = var.alarm_actions
  insights_enabled          = var.insights_enabled
  sampling_rule             = local.sampling_rule
  tags                      = var.tags
}

module "codedeploy" {
  source = "./modules/codedeploy"
  count  = local.codedeploy == null ? 0 : 1

  name                     = var.service_name
  place                    = local.place
  function                 = merge(local.live_function, { arn = module.function.arn, live_version = module.function.live_version, newest_version = module.function.newest_version })
  configuration            = local.codedeploy.configuration
  alarm_names              = module.watch.alarm_names
  stopped_by               = local.codedeploy.alarms
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = var.tags
}
