# A REST API whose every path and method is the function's, with response streaming.
#
# The API is written as OpenAPI, because the provider has no argument for responseTransferMode in 5.100:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/response-streaming-lambda-configure.html

locals {
  function_uri = join("", [
    "arn:${var.place.partition}:apigateway:${var.place.region}:lambda:path/",
    var.door.stream ? "2021-11-15" : "2015-03-31",
    "/functions/${var.function.planned_alias_arn}/",
    var.door.stream ? "response-streaming-invocations" : "invocations",
  ])

  schemes = merge(
    var.door.authorization == "AWS_IAM" ? {
      caller = { type = "apiKey", name = "Authorization", in = "header", x-amazon-apigateway-authtype = "awsSigv4" }
    } : {},
    var.door.authorization == "CUSTOM" ? {
      caller = {
        type                         = "apiKey"
        name                         = var.door.authorizer_header
        in                           = "header"
        x-amazon-apigateway-authtype = "custom"
        x-amazon-apigateway-authorizer = {
          type                         = "request"
          identitySource               = "method.request.header.${var.door.authorizer_header}"
          authorizerResultTtlInSeconds = var.door.authorizer_seconds
          authorizerUri                = "arn:${var.place.partition}:apigateway:${var.place.region}:lambda:path/2015-03-31/functions/${coalesce(var.door.authorizer_arn, "-")}/invocations"
        }
      }
    } : {},
    var.door.authorization == "COGNITO_USER_POOLS" ? {
      caller = {
        type                           = "apiKey"
        name                           = var.door.authorizer_header
        in                             = "header"
        x-amazon-apigateway-authtype   = "cognito_user_pools"
        x-amazon-apigateway-authorizer = { type = "cognito_user_pools", providerARNs = var.door.user_pool_arns }
      }
    } : {},
    length(var.door.api_keys) > 0 ? { api_key = { type = "apiKey", name = "x-api-key", in = "header" } } : {},
  )

  # Both must be content where there are two.
  security = length(local.schemes) == 0 ? [] : [{ for scheme in keys(local.schemes) : scheme => [] }]

  any_method = {
    responses = {}
    security  = local.security
    x-amazon-apigateway-integration = merge(
      {
        type                = "aws_proxy"
        httpMethod          = "POST"
        uri                 = local.function_uri
        passthroughBehavior = "when_no_match"
        timeoutInMillis     = var.door.timeout_seconds * 1000
      },
      var.door.stream ? { responseTransferMode = "STREAM" } : {},
    )
  }

  body = jsonencode({
    openapi    = "3.0.1"
    info       = { title = var.name, version = "1" }
    components = { securitySchemes = local.schemes }
    paths = {
      "/" = { x-amazon-apigateway-any-method = local.any_method }
      "/{proxy+}" = {
        x-amazon-apigateway-any-method = merge(local.any_method, {
          parameters = [{ name = "proxy", in = "path", required = true, schema = { type = "string" } }]
        })
      }
    }
  })
}

resource "aws_api_gateway_rest_api" "this" {
  name        = var.name
  description = "REST door of ${var.name}"
  body        = local.body
  tags        = var.tags

  endpoint_configuration {
    types = [var.door.endpoint]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  triggers    = { body = sha256(local.body) }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "this" {
  #checkov:skip=CKV_AWS_76:Access logs need a role of the whole account; rest.access_log_group_arn switches them on
  #checkov:skip=CKV_AWS_120:Streams are not cached
  #checkov:skip=CKV2_AWS_4:Execution logs hold headers and bodies, the callers' secrets among them
  #checkov:skip=CKV2_AWS_29:A web ACL belongs to the account; it is associated with the output rest_stage_arn
  #checkov:skip=CKV2_AWS_51:Who calls is checked by rest.authorization
  rest_api_id          = aws_api_gateway_rest_api.this.id
  deployment_id        = aws_api_gateway_deployment.this.id
  stage_name           = var.door.stage
  xray_tracing_enabled = true
  tags                 = var.tags

  dynamic "access_log_settings" {
    for_each = var.door.access_log_group_arn[*]

    content {
      destination_arn = access_log_settings.value
      # No path and no query: they may hold what callers filter by.
      format = jsonencode({
        request_id = "$context.requestId"
        time       = "$context.requestTimeEpoch"
        method     = "$context.httpMethod"
        status     = "$context.status"
        trace_id   = "$context.xrayTraceId"
        latency_ms = "$context.responseLatency"
      })
    }
  }
}

resource "aws_api_gateway_method_settings" "all" {
  #checkov:skip=CKV_AWS_225:Streams are not cached
  #checkov:skip=CKV_AWS_308:Streams are not cached
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"

  settings {
    metrics_enabled        = true
    logging_level          = "OFF"
    data_trace_enabled     = false
    throttling_rate_limit  = var.door.requests_per_second
    throttling_burst_limit = var.door.burst
  }
}

# Any stage and method of this API, and the alias is all it can reach.
resource "aws_lambda_permission" "rest" {
  statement_id  = "TheRestApiMayInvoke"
  action        = "lambda:InvokeFunction"
  function_name = var.function.name
  qualifier     = var.function.alias
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/*/*"
}

# The authorizer is the caller's own function; without this grant every request would be a 500.
resource "aws_lambda_permission" "authorizer" {
  count = var.door.authorization == "CUSTOM" ? 1 : 0

  statement_id  = "AuthorizerOf-${var.name}"
  action        = "lambda:InvokeFunction"
  function_name = var.door.authorizer_arn
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/authorizers/*"
}
