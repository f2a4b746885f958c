# What the function is told and allowed, and what is watched, because it streams a feed.

locals {
  environment = merge(
    { for name, value in var.settings : "SSE_${upper(name)}" => tostring(value) },
    {
      SSE_ITEMS_TABLE       = local.names.items
      SSE_ITEMS_INDEX       = var.schema.index
      SSE_CONNECTIONS_TABLE = local.names.connections
      SSE_METRICS_NAMESPACE = var.metrics_namespace
    },
    var.configurations_enabled ? { SSE_CONFIGURATIONS_TABLE = local.names.configurations } : {},
    { for name, parameter in data.aws_ssm_parameter.id_key : local.id_key_variables[name] => parameter.value },
  )

  id_key_variables = { current = "SSE_ID_KEY", previous = "SSE_ID_KEY_PREVIOUS" }

  policy_statements = concat(
    [
      # CloudWatch's write action knows no resources; a namespace bounds it.
      {
        Sid       = "WriteMetrics"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = var.metrics_namespace } }
      },
      {
        Sid      = "PollItems"
        Effect   = "Allow"
        Action   = "dynamodb:Query"
        Resource = "${local.arns.items}/index/${var.schema.index}"
      },
      {
        Sid      = "HoldConnectionLeases"
        Effect   = "Allow"
        Action   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
        Resource = local.arns.connections
      },
    ],
    [
      for arn in compact([local.arns.configurations]) :
      { Sid = "ReadConfigurations", Effect = "Allow", Action = "dynamodb:GetItem", Resource = arn }
    ],
    [
      for index, key in distinct(concat(var.kms_key_arn[*], local.table_keys)) :
      {
        Sid       = "ReadEncryptedTables${index + 1}"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = key
        Condition = { StringEquals = { "kms:ViaService" = "dynamodb.${var.place.region}.amazonaws.com" } }
      }
    ],
  )

  alarms = {
    refusals = {
      description = "Clients were told to come back later: no connection slot was free, or AWS was not available."
      metric      = "ConnectionsRefused"
      statistic   = "Sum"
      threshold   = var.alarm_thresholds.refusals
    }
    poll-errors = {
      description = "Polls of the items table fail: streams stay open and fall behind."
      metric      = "PollErrors"
      statistic   = "Sum"
      threshold   = var.alarm_thresholds.poll_errors
    }
    latency = {
      description = "Items reach clients late."
      metric      = "EventLatencyMs"
      statistic   = "p99"
      threshold   = var.alarm_thresholds.latency_ms
    }
  }
}

data "aws_ssm_parameter" "id_key" {
  for_each = { for name, parameter in var.id_key_parameters : name => parameter if parameter != null }

  name            = each.value
  with_decryption = true

  lifecycle {
    postcondition {
      # The function counts bytes of UTF-8, without blanks around them: base64 makes 4 of 3.
      condition = (
        floor(length(trim(base64encode(trimspace(self.value)), "=")) * 3 / 4) >= 16 &&
        floor(length(trim(base64encode(trimspace(self.value)), "=")) * 3 / 4) <= 64
      )
      error_message = "The value of the SSM parameter ${each.value}, named by id_key_parameter or id_key_previous_parameter, must have 16 to 64 bytes of UTF-8: the function refuses to start with another. Store one with: aws ssm put-parameter --type SecureString --name NAME --value \"$(openssl rand -hex 16)\""
    }
  }
}
