# The function, its versions, its alias and its log group.

locals {
  # ARNs are put together from names, so that policies can be read in a plan before anything exists.
  function_arn = "arn:${var.place.partition}:lambda:${var.place.region}:${var.place.account}:function:${var.name}"
  alias_name   = "live"
  alias_arn    = "${local.function_arn}:${local.alias_name}"
  log_group    = coalesce(var.log.group, "/aws/lambda/${var.name}")

  is_image = var.package.image_uri != null
  path     = var.package.path
  # The file is read where it is. Without it nothing new can be deployed, but what is there can be
  # planned, rolled back and destroyed: a digest of null keeps the deployed one.
  is_on_disk  = local.path == null ? false : fileexists(local.path)
  file_digest = local.is_on_disk ? filebase64sha256(local.path) : var.package.sha256
  digest      = var.package.s3 == null ? local.file_digest : var.package.s3.sha256

  # `make package` writes CPU and Python into the zip's name and into a member that is not compressed.
  # Reading the member takes a second or two, so it is read only where the name does not tell.
  told_by_name = try(regex("-py(?P<python>3[.][0-9]+)-(?P<architecture>arm64|x86_64)[.]zip$", local.path), null)
  told_by_zip = local.is_on_disk && local.told_by_name == null ? try(jsondecode(regex(
    "[{]\"lambda_streaming_manifest\":[^{}]*[}]", textdecodebase64(filebase64(local.path), "ISO-8859-1")
  )), null) : null
  built_for = {
    architecture   = try(local.told_by_name.architecture, local.told_by_zip.architecture, var.architecture)
    python_version = try(local.told_by_name.python, local.told_by_zip.python, var.python_version)
  }

  # Lambda counts names and values of all variables together.
  environment_bytes = sum(concat([0], [
    for name, value in var.environment : nonsensitive(floor(length(trim(base64encode("${name}${value}"), "=")) * 3 / 4))
  ]))
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is the operator's choice and cost; log_retention_days takes a year or more
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with its own key by default; kms_key_arn brings the operator's
  count = var.log.group == null ? 1 : 0

  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116:A dead-letter queue serves asynchronous invocations; a Function URL makes none
  #checkov:skip=CKV_AWS_117:It calls AWS only, and a Function URL does not stream from inside a VPC
  #checkov:skip=CKV_AWS_272:Code signing needs a signing profile of the account; the zip's digest is checked instead
  #checkov:skip=CKV_AWS_115:New accounts cannot reserve concurrency; reserved_concurrency does where the quota allows
  #checkov:skip=CKV_AWS_173:Lambda encrypts the environment with its own key by default; kms_key_arn brings the operator's
  function_name = var.name
  description   = var.description
  role          = local.role_arn

  # The managed runtime imports the handler's module, whose handler then serves the Runtime API itself
  # in streaming mode. An ordinary handler would deploy as well, and buffer.
  package_type = local.is_image ? "Image" : "Zip"
  runtime      = local.is_image ? null : "python${var.python_version}"
  handler      = local.is_image ? null : var.handler

  filename          = local.path
  s3_bucket         = try(var.package.s3.bucket, null)
  s3_key            = try(var.package.s3.key, null)
  s3_object_version = try(var.package.s3.version, null)
  image_uri         = var.package.image_uri
  source_code_hash  = local.is_image ? null : local.digest
  architectures     = [var.architecture]
  layers            = var.layers
  publish           = true

  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)
  kms_key_arn                    = var.kms_key_arn

  dynamic "image_config" {
    for_each = local.is_image ? [var.handler] : []

    content {
      command = [image_config.value]
    }
  }

  # Without Active, the header's Parent names no segment of this function.
  tracing_config {
    mode = "Active"
  }

  dynamic "logging_config" {
    for_each = var.log.format == null && var.log.group == null ? [] : [var.log]

    content {
      log_format            = coalesce(logging_config.value.format, "Text")
      log_group             = logging_config.value.group
      application_log_level = logging_config.value.application_level
      system_log_level      = logging_config.value.system_level
    }
  }

  environment {
    variables = var.environment
  }

  tags = var.tags

  lifecycle {
    # A precondition only warns while the function is being destroyed, which needs no file.
    precondition {
      condition     = local.path == null || local.is_on_disk || var.package.sha256 != null || var.live_version != null
      error_message = "There is no file at package_path = \"${coalesce(local.path, "-")}\". Run `make package` and pass the path that it prints. To plan without the file, give its digest: package = { path = \"…\", sha256 = \"…\" } (the output package_sha256), or keep the zip in S3."
    }

    precondition {
      condition     = local.built_for.architecture == var.architecture
      error_message = "package_path = \"${coalesce(local.path, "-")}\" was built for another CPU (${local.built_for.architecture}, as its name or its manifest says) than architecture = \"${var.architecture}\": its compiled parts would not load. Run `make package ARCH=${var.architecture}` or set the module's architecture."
    }

    precondition {
      condition     = local.built_for.python_version == var.python_version
      error_message = "package_path = \"${coalesce(local.path, "-")}\" was built for another Python (${local.built_for.python_version}, as its name or its manifest says) than python_version = \"${var.python_version}\": its compiled parts would not load. Run `make package PYTHON_VERSION=${var.python_version}` or set the module's python_version."
    }

    precondition {
      condition     = local.environment_bytes <= 4096
      error_message = "The environment variables have ${local.environment_bytes} bytes, names and values together; Lambda takes 4096. Move long values into Parameter Store or S3 and pass their names."
    }
  }

  # Otherwise Lambda makes the log group itself, without retention, and early starts lack rights.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.this]
}

resource "aws_lambda_alias" "live" {
  name             = local.alias_name
  description      = "The version behind the Function URL"
  function_name    = aws_lambda_function.this.function_name
  function_version = coalesce(var.live_version, aws_lambda_function.this.version)

  dynamic "routing_config" {
    for_each = length(var.weights) == 0 ? [] : [var.weights]

    content {
      additional_version_weights = routing_config.value
    }
  }

  lifecycle {
    precondition {
      condition = alltrue([
        for version in concat(var.live_version[*], keys(var.weights)) :
        tonumber(version) <= tonumber(aws_lambda_function.this.version)
      ])
      error_message = "live_version = \"${coalesce(var.live_version, "null")}\" or deployment.weights = ${jsonencode(var.weights)} names a version that does not exist: the newest is ${aws_lambda_function.this.version}. Take one of `aws lambda list-versions-by-function --function-name ${var.name}`, or null for the newest."
    }
  }
}

resource "aws_lambda_provisioned_concurrency_config" "live" {
  count = var.provisioned == null ? 0 : 1

  function_name                     = aws_lambda_function.this.function_name
  qualifier                         = aws_lambda_alias.live.name
  provisioned_concurrent_executions = var.provisioned
}
