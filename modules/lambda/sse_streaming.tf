# The function, its versions and its log group.

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
  account   = data.aws_caller_identity.current.account_id

  # ARNs are put together from names, so that policies can be read in a plan before anything exists.
  function_arn = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.service_name}"
  alias_name   = "live"
  alias_arn    = "${local.function_arn}:${local.alias_name}"

  metrics_namespace = coalesce(var.metrics_namespace, "SSEStreaming/${var.service_name}")

  # The function refuses to start when these differ; here they cannot.
  service_names = {
    POWERTOOLS_SERVICE_NAME = var.service_name
    OTEL_SERVICE_NAME       = var.service_name
  }

  environment = merge(
    { for name, value in var.settings : "SSE_${upper(name)}" => tostring(value) },
    {
      SSE_ITEMS_TABLE             = local.items_table_name
      SSE_ITEMS_INDEX             = var.items_index
      SSE_CONNECTIONS_TABLE       = local.connections_table_name
      SSE_CONFIGURATIONS_TABLE    = local.configurations_table_name
      SSE_METRICS_NAMESPACE       = local.metrics_namespace
      OTEL_EXPORTER_OTLP_ENDPOINT = "http://localhost:4318"
    },
    var.collector_enabled ? {} : { OTEL_SDK_DISABLED = "true" },
    var.environment,
    { for parameter in data.aws_ssm_parameter.id_key : "SSE_ID_KEY" => parameter.value },
    local.service_names,
  )

  # https://aws-otel.github.io/docs/getting-started/lambda lists where AWS publishes this layer.
  collector_layer = "aws-otel-collector-${var.architecture == "arm64" ? "arm64" : "amd64"}-ver-0-117-0:1"
  collector_regions = [
    "ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
    "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3",
    "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
  ]
  collector_layer_arn = coalesce(
    var.collector_layer_arn,
    "arn:aws:lambda:${local.region}:901920570463:layer:${local.collector_layer}",
  )
}

data "aws_ssm_parameter" "id_key" {
  count = var.id_key_parameter == null ? 0 : 1

  name            = var.id_key_parameter
  with_decryption = true

  lifecycle {
    postcondition {
      # The function counts bytes of UTF-8, without blanks around them: base64 makes 4 of 3.
      condition = (
        floor(length(trim(base64encode(trimspace(self.value)), "=")) * 3 / 4) >= 16 &&
        floor(length(trim(base64encode(trimspace(self.value)), "=")) * 3 / 4) <= 64
      )
      error_message = "The value of the SSM parameter named by id_key_parameter must have 16 to 64 bytes of UTF-8: the function refuses to start with another. Store one with: aws ssm put-parameter --type SecureString --name NAME --value \"$(openssl rand -hex 16)\""
    }
  }
}

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is the operator's choice and cost; log_retention_days takes a year or more
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with its own key by default; kms_key_arn brings the operator's
  name              = "/aws/lambda/${var.service_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_lambda_function" "sse_streaming" {
  #checkov:skip=CKV_AWS_116:A dead-letter queue serves asynchronous invocations; a Function URL makes none
  #checkov:skip=CKV_AWS_117:It calls AWS only, and a Function URL does not stream from inside a VPC
  #checkov:skip=CKV_AWS_272:Code signing needs a signing profile of the account; the zip's digest is checked instead
  #checkov:skip=CKV_AWS_115:New accounts cannot reserve concurrency; reserved_concurrency does where the quota allows
  #checkov:skip=CKV_AWS_173:Lambda encrypts the environment with its own key by default; kms_key_arn brings the operator's
  function_name = var.service_name
  description   = "Streams sentiment items as Server-Sent Events"
  role          = aws_iam_role.function.arn

  # The managed runtime imports this module, which then serves the Runtime API itself in streaming
  # mode. An ordinary handler would deploy as well, and buffer.
  runtime = "python${var.python_version}"
  handler = "lambdas.sse_streaming.entrypoint.handler"

  filename         = var.package_path
  source_code_hash = filebase64sha256(var.package_path)
  architectures    = [var.architecture]
  layers           = var.collector_enabled ? [local.collector_layer_arn] : []
  publish          = true

  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)
  kms_key_arn                    = var.kms_key_arn

  # Without Active, the header's Parent names no segment of this function.
  tracing_config {
    mode = "Active"
  }

  environment {
    variables = local.environment
  }

  tags = var.tags

  lifecycle {
    precondition {
      condition     = !var.collector_enabled || var.collector_layer_arn != null || contains(local.collector_regions, local.region)
      error_message = "AWS publishes no collector layer in ${local.region} that this module knows of. Set collector_layer_arn to a layer of yours, or collector_enabled = false to stream without tracing the streaming phase."
    }

    precondition {
      condition     = !var.collector_enabled || var.collector_layer_arn == null ? true : split(":", var.collector_layer_arn)[3] == local.region
      error_message = "collector_layer_arn = \"${coalesce(var.collector_layer_arn, "-")}\" is a layer of another region than the provider's, ${local.region}: Lambda takes layers of its own region only. Use that region's copy of the layer."
    }
  }

  # Otherwise Lambda makes the log group itself, without retention, and early starts lack rights.
  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

resource "aws_lambda_alias" "live" {
  name             = local.alias_name
  description      = "The version behind the Function URL"
  function_name    = aws_lambda_function.sse_streaming.function_name
  function_version = coalesce(var.live_version, aws_lambda_function.sse_streaming.version)
}
