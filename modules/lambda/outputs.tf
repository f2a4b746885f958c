output "function_url" {
  description = "Where clients connect, unless there is a CDN; ends with a slash."
  value       = aws_lambda_function_url.live.function_url
}

output "cdn_url" {
  description = "Where clients connect when cdn.enabled, else null; ends with a slash."
  value       = one([for cdn in aws_cloudfront_distribution.function : "https://${cdn.domain_name}/"])
}

output "function_name" {
  description = "Name of the function, as `make verify-aws` takes it."
  value       = aws_lambda_function.sse_streaming.function_name
}

output "function_arn" {
  description = "ARN of the function, without a version."
  value       = aws_lambda_function.sse_streaming.arn
}

output "alias_arn" {
  description = "ARN of the alias behind the URL."
  value       = aws_lambda_alias.live.arn
}

output "live_version" {
  description = "Published version that receives the traffic: note it before a change, to roll back to."
  value       = aws_lambda_alias.live.function_version
}

output "newest_version" {
  description = "Published version made by the last apply."
  value       = aws_lambda_function.sse_streaming.version
}

output "role_name" {
  description = "Name of the function's role, for further policies."
  value       = aws_iam_role.function.name
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = aws_iam_role.function.arn
}

output "callers_policy_arn" {
  description = "IAM policy that lets its holder open and close streams; null with url_authorization = NONE."
  value       = one(aws_iam_policy.callers[*].arn)
}

output "table_names" {
  description = "Names of the tables: items, connections, configurations."
  value = {
    items          = local.items_table_name
    connections    = local.connections_table_name
    configurations = local.configurations_table_name
  }
}

output "table_arns" {
  description = "ARNs of the tables, for the policies of those who write items and configurations."
  value       = local.table_arns
}

output "items_ttl_seconds" {
  description = "What writers add to the time of publication for expires_at, at least."
  value       = var.items_ttl_seconds
}

output "log_group_name" {
  description = "Log group of the function and its collector."
  value       = aws_cloudwatch_log_group.function.name
}

output "metrics_namespace" {
  description = "CloudWatch namespace of the function's own metrics."
  value       = local.metrics_namespace
}

output "alarm_arns" {
  description = "ARNs of the alarms by their short names."
  value = merge(
    { for name, alarm in aws_cloudwatch_metric_alarm.threshold : name => alarm.arn },
    { errors = aws_cloudwatch_metric_alarm.errors.arn },
  )
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.service.dashboard_name
}

output "xray_group_name" {
  description = "X-Ray group that holds this service's traces."
  value       = aws_xray_group.service.group_name
}
