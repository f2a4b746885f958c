# CodeDeploy moves the alias from one version to the next, a share of the traffic at a time, and takes it
# back when an alarm goes off. Terraform publishes versions and says which one is live.

locals {
  # The other alarms tell a busy day rather than a broken version.
  stopped_by = var.stopped_by == null ? ["errors", "url-5xx", "rest-5xx", "poll-errors"] : var.stopped_by

  role_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "MoveTheAlias"
        Effect   = "Allow"
        Action   = ["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"]
        Resource = [var.function.arn, "${var.function.arn}:${var.function.alias}"]
      },
      # CloudWatch's read actions know no resources.
      {
        Sid      = "WatchAlarms"
        Effect   = "Allow"
        Action   = "cloudwatch:DescribeAlarms"
        Resource = "*"
      },
    ]
  }
}

resource "aws_iam_role" "codedeploy" {
  name                 = "${var.name}-${var.place.region}-deploy"
  description          = "What CodeDeploy may do for ${var.name}"
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "CodeDeployMovesTheAlias"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "codedeploy.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = var.place.account } }
    }]
  })
}

resource "aws_iam_role_policy" "codedeploy" {
  name   = "codedeploy"
  role   = aws_iam_role.codedeploy.id
  policy = jsonencode(local.role_policy)
}

resource "aws_codedeploy_app" "this" {
  name             = var.name
  compute_platform = "Lambda"
  tags             = var.tags
}

resource "aws_codedeploy_deployment_group" "live" {
  app_name               = aws_codedeploy_app.this.name
  deployment_group_name  = var.function.alias
  deployment_config_name = var.configuration
  service_role_arn       = aws_iam_role.codedeploy.arn
  tags                   = var.tags

  deployment_style {
    deployment_type   = "BLUE_GREEN"
    deployment_option = "WITH_TRAFFIC_CONTROL"
  }

  alarm_configuration {
    enabled = true
    alarms  = [for name, alarm in var.alarm_names : alarm if contains(local.stopped_by, name)]
  }

  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]
  }

  depends_on = [aws_iam_role_policy.codedeploy]
}
