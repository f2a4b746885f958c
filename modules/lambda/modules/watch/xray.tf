# Finding this service's traces.

locals {
  # X-Ray's names have 32 characters at most. Cut names get a digest, or those of two services could be one.
  xray_name = length(var.name) <= 32 ? var.name : "${substr(var.name, 0, 25)}-${substr(sha256(var.name), 0, 6)}"
}

resource "aws_xray_group" "service" {
  count = var.xray_group ? 1 : 0

  group_name        = local.xray_name
  filter_expression = "service(\"${var.name}\")"

  insights_configuration {
    insights_enabled      = var.insights_enabled
    notifications_enabled = false
  }

  tags = var.tags
}

resource "aws_xray_sampling_rule" "service" {
  count = var.sampling_rule == null ? 0 : 1

  # A rule is the whole account's and region's: it must never match more than this service.
  rule_name      = local.xray_name
  version        = 1
  priority       = var.sampling_rule.priority
  fixed_rate     = var.sampling_rule.fixed_rate
  reservoir_size = var.sampling_rule.reservoir_size
  service_name   = var.name
  service_type   = "*"
  host           = "*"
  http_method    = "*"
  url_path       = "*"
  resource_arn   = "*"
  tags           = var.tags
}
