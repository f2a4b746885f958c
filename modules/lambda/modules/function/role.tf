# The function's role: one statement per need, and nothing wider.
#
# The policies are plain values: the data source aws_iam_policy_document is read late where the
# module's caller writes depends_on, and a plan could not show them.

locals {
  # No aws:SourceAccount here: docs/decisions/0024.
  trust_policy = {
    Version = "2012-10-17"
    Statement = [{
      Sid       = "LambdaRunsTheFunction"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  }

  own_statements = concat(
    [
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:${var.place.partition}:logs:${var.place.region}:${var.place.account}:log-group:${local.log_group}:*"
      },
      # Also the collector's: an extension has the function's role. X-Ray's actions know no resources.
      {
        Sid      = "WriteTraces"
        Effect   = "Allow"
        Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
        Resource = "*"
      },
    ],
    [for key in var.kms_key_arn[*] : { Sid = "UseTheKey", Effect = "Allow", Action = "kms:Decrypt", Resource = key }],
  )

  policy   = jsonencode({ Version = "2012-10-17", Statement = concat(local.own_statements, var.policy_statements) })
  role_arn = var.role_arn == null ? aws_iam_role.this[0].arn : var.role_arn
}

resource "aws_iam_role" "this" {
  count = var.role_arn == null ? 1 : 0

  name                 = "${var.name}-${var.place.region}"
  description          = "What the function ${var.name} may do"
  assume_role_policy   = jsonencode(local.trust_policy)
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "this" {
  count = var.role_arn == null ? 1 : 0

  name   = "function"
  role   = aws_iam_role.this[0].id
  policy = local.policy
}
