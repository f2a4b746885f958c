# API keys tell callers apart and bound what each may ask for. They are no authentication.

resource "aws_api_gateway_usage_plan" "this" {
  count = length(var.door.api_keys) == 0 ? 0 : 1

  name        = "${var.name}-${var.place.region}"
  description = "What one key of ${var.name} may ask for"
  tags        = var.tags

  api_stages {
    api_id = aws_api_gateway_rest_api.this.id
    stage  = aws_api_gateway_stage.this.stage_name
  }

  throttle_settings {
    rate_limit  = var.door.requests_per_second
    burst_limit = var.door.burst
  }

  dynamic "quota_settings" {
    for_each = var.door.requests_per_day[*]

    content {
      limit  = quota_settings.value
      period = "DAY"
    }
  }
}

resource "aws_api_gateway_api_key" "caller" {
  for_each = toset(var.door.api_keys)

  name        = "${var.name}-${each.key}"
  description = "Key of ${each.key} for ${var.name}"
  tags        = var.tags
}

resource "aws_api_gateway_usage_plan_key" "caller" {
  for_each = aws_api_gateway_api_key.caller

  key_id        = each.value.id
  key_type      = "API_KEY"
  usage_plan_id = aws_api_gateway_usage_plan.this[0].id
}
