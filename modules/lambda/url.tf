# The Function URL, and who may call it.
#
# Since October 2025 a caller needs two permissions: lambda:InvokeFunctionUrl, and
# lambda:InvokeFunction, best bound to calls by URL
# (https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html). Unbound, the second would let its
# holder hand the function an event of its own making, identity of the caller included.

resource "terraform_data" "url_authorization" {
  input = var.url_authorization
}

resource "aws_lambda_function_url" "live" {
  #checkov:skip=CKV_AWS_258:AWS_IAM is the default; NONE is a choice the operator has to spell out
  function_name      = aws_lambda_function.sse_streaming.function_name
  qualifier          = aws_lambda_alias.live.name
  authorization_type = var.url_authorization
  invoke_mode        = "RESPONSE_STREAM"

  dynamic "cors" {
    for_each = var.cors[*]

    content {
      allow_origins     = cors.value.allow_origins
      allow_methods     = ["GET", "POST", "DELETE"]
      allow_headers     = cors.value.allow_headers
      expose_headers    = cors.value.expose_headers
      allow_credentials = cors.value.allow_credentials
      max_age           = cors.value.max_age_seconds
    }
  }

  lifecycle {
    # The provider adds a public grant of its own with NONE and does not take it back.
    replace_triggered_by = [terraform_data.url_authorization]

    postcondition {
      condition     = self.invoke_mode == "RESPONSE_STREAM"
      error_message = "The Function URL does not stream: its invoke mode is not RESPONSE_STREAM."
    }
  }
}

# NONE: everybody.

resource "aws_lambda_permission" "public_url" {
  #checkov:skip=CKV_AWS_301:Only with url_authorization = NONE, which the operator has to spell out
  count = var.url_authorization == "NONE" ? 1 : 0

  # Not FunctionURLAllowPublicAccess, which the provider adds itself and keeps out of its state.
  statement_id           = "AnybodyMayUseTheUrl"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.sse_streaming.function_name
  qualifier              = aws_lambda_alias.live.name
  principal              = "*"
  function_url_auth_type = "NONE"

  lifecycle {
    replace_triggered_by = [aws_lambda_function_url.live.url_id]
  }
}

# aws_lambda_permission learned to bind this grant to the URL in provider 6.28 only;
# CloudFormation knows how, and unbound it would open the function's plain Invoke to every account.
resource "aws_cloudformation_stack" "public_invoke" {
  #checkov:skip=CKV_AWS_124:The stack holds one permission and changes with Terraform's plan only; nobody waits for its events
  count = var.url_authorization == "NONE" ? 1 : 0

  name = "${var.service_name}-public-url"
  template_body = jsonencode({
    AWSTemplateFormatVersion = "2010-09-09"
    Description              = "Lets everybody invoke ${var.service_name} through its Function URL, and only so"
    Resources = {
      InvokeThroughTheUrl = {
        Type = "AWS::Lambda::Permission"
        Properties = {
          FunctionName          = aws_lambda_alias.live.arn
          Action                = "lambda:InvokeFunction"
          Principal             = "*"
          InvokedViaFunctionUrl = true
        }
      }
    }
  })
  tags = var.tags

  lifecycle {
    replace_triggered_by = [aws_lambda_function_url.live.url_id]
  }
}

# AWS_IAM: whoever carries this policy. Attach it to the callers' roles, users or groups.

data "aws_iam_policy_document" "callers" {
  statement {
    sid       = "UseTheFunctionUrl"
    actions   = ["lambda:InvokeFunctionUrl"]
    resources = [local.alias_arn]

    condition {
      test     = "StringEquals"
      variable = "lambda:FunctionUrlAuthType"
      values   = ["AWS_IAM"]
    }
  }

  statement {
    sid       = "InvokeThroughTheUrlOnly"
    actions   = ["lambda:InvokeFunction"]
    resources = [local.alias_arn]

    condition {
      test     = "Bool"
      variable = "lambda:InvokedViaFunctionUrl"
      values   = ["true"]
    }
  }
}

resource "aws_iam_policy" "callers" {
  count = var.url_authorization == "AWS_IAM" ? 1 : 0

  name        = "${var.service_name}-${local.region}-callers"
  description = "Open and close streams of ${var.service_name} through its Function URL"
  policy      = data.aws_iam_policy_document.callers.json
  tags        = var.tags
}
