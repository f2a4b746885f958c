output "alarm_arns" {
  description = "ARNs of the alarms by their short names."
  value = merge(
    { for name, alarm in aws_cloudwatch_metric_alarm.threshold : name => alarm.arn },
    { for alarm in aws_cloudwatch_metric_alarm.errors : "errors" => alarm.arn },
  )
}

output "alarm_names" {
  description = "Names of the alarms by their short names."
  value = merge(
    { for name, alarm in aws_cloudwatch_metric_alarm.threshold : name => alarm.alarm_name },
    { for alarm in aws_cloudwatch_metric_alarm.errors : "errors" => alarm.alarm_name },
  )
}

output "dashboard_name" {
  description = "Name of the dashboard, or null."
  value       = one(aws_cloudwatch_dashboard.service[*].dashboard_name)
}

output "xray_group_name" {
  description = "Name of the X-Ray group, or null."
  value       = one(aws_xray_group.service[*].group_name)
}
