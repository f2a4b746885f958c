# The Function URL, and who may call it.
#
# Since October 2025 a caller needs two permissions: lambda:InvokeFunctionUrl, and
# lambda:InvokeFunction, best bound to calls by URL
# (https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html). Unbound, the second would let its
# holder hand the function an event of its own making, identity of the caller included.

locals {
  is_public = var.authorization == "NONE"
}

# A change of the authorization is made in place. With NONE the provider adds a grant of its own, which
# stays behind and says nothing then: it is bound to URLs without authorization.
resource "aws_lambda_function_url" "live" {
  #checkov:skip=CKV_AWS_258:AWS_IAM is the default; NONE is a choice the operator has to spell out
  function_name      = var.function.name
  qualifier          = var.function.alias
  authorization_type = var.authorization
  invoke_mode        = "RESPONSE_STREAM"

  dynamic "cors" {
    for_each = var.cors[*]

    content {
      allow_origins     = cors.value.allow_origins
      allow_methods     = cors.value.allow_methods
      allow_headers     = cors.value.allow_headers
      expose_headers    = cors.value.expose_headers
      allow_credentials = cors.value.allow_credentials
      max_age           = cors.value.max_age_seconds
    }
  }

  lifecycle {
    postcondition {
      condition     = self.invoke_mode == "RESPONSE_STREAM"
      error_message = "The Function URL does not stream: its invoke mode is not RESPONSE_STREAM."
    }
  }
}

# NONE: everybody.

resource "aws_lambda_permission" "public_url" {
  #checkov:skip=CKV_AWS_301:Only with url_authorization = NONE, which the operator has to spell out
  count = local.is_public ? 1 : 0

  # Not FunctionURLAllowPublicAccess, which the provider adds itself and keeps out of its state.
  statement_id           = "AnybodyMayUseTheUrl"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = var.function.name
  qualifier              = var.function.alias
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
  count = local.is_public ? 1 : 0

  name = "${var.name}-public-url"
  template_body = jsonencode({
    AWSTemplateFormatVersion = "2010-09-09"
    Description              = "Lets everybody invoke ${var.name} through its Function URL, and only so"
    Resources = {
      InvokeThroughTheUrl = {
        Type = "AWS::Lambda::Permission"
        Properties = {
          FunctionName          = var.function.alias_arn
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

locals {
  callers_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "UseTheFunctionUrl"
        Effect    = "Allow"
        Action    = "lambda:InvokeFunctionUrl"
        Resource  = var.function.planned_alias_arn
        Condition = { StringEquals = { "lambda:FunctionUrlAuthType" = "AWS_IAM" } }
      },
      {
        Sid       = "InvokeThroughTheUrlOnly"
        Effect    = "Allow"
        Action    = "lambda:InvokeFunction"
        Resource  = var.function.planned_alias_arn
        Condition = { Bool = { "lambda:InvokedViaFunctionUrl" = "true" } }
      },
    ]
  }
}

resource "aws_iam_policy" "callers" {
  count = local.is_public ? 0 : 1

  name        = "${var.name}-${var.place.region}-callers"
  description = "Open and close streams of ${var.name} through its Function URL"
  policy      = jsonencode(local.callers_policy)
  tags        = var.tags
}

# AWS_IAM: and principals that are named. Those of another account need the callers policy's two
# statements at home as well; AWS asks both sides.

resource "aws_lambda_permission" "principal_url" {
  for_each = toset(var.allowed_principals)

  # A grant's name takes no colons and slashes, which an ARN has.
  statement_id           = "UseTheUrl-${substr(sha256(each.key), 0, 16)}"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = var.function.name
  qualifier              = var.function.alias
  principal              = each.key
  function_url_auth_type = "AWS_IAM"

  lifecycle {
    replace_triggered_by = [aws_lambda_function_url.live.url_id]
  }
}

resource "aws_cloudformation_stack" "principal_invoke" {
  #checkov:skip=CKV_AWS_124:The stack holds permissions and changes with Terraform's plan only; nobody waits for its events
  count = length(var.allowed_principals) == 0 ? 0 : 1

  name = "${var.name}-allowed-principals"
  template_body = jsonencode({
    AWSTemplateFormatVersion = "2010-09-09"
    Description              = "Lets named principals invoke ${var.name} through its Function URL, and only so"
    Resources = {
      for principal in var.allowed_principals : "Invoke${substr(sha256(principal), 0, 16)}" => {
        Type = "AWS::Lambda::Permission"
        Properties = {
          FunctionName          = var.function.alias_arn
          Action                = "lambda:InvokeFunction"
          Principal             = principal
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
