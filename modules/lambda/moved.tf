# Where resources of 0.1's single module are now: an upgrade moves them in the state and leaves them on AWS.

moved {
  from = aws_cloudwatch_log_group.function
  to   = module.function.aws_cloudwatch_log_group.this[0]
}

moved {
  from = aws_lambda_function.sse_streaming
  to   = module.function.aws_lambda_function.this
}

moved {
  from = aws_lambda_alias.live
  to   = module.function.aws_lambda_alias.live
}

moved {
  from = aws_iam_role.function
  to   = module.function.aws_iam_role.this[0]
}

moved {
  from = aws_iam_role_policy.function
  to   = module.function.aws_iam_role_policy.this[0]
}

moved {
  from = aws_lambda_function_url.live
  to   = module.url.aws_lambda_function_url.live
}

moved {
  from = aws_lambda_permission.public_url
  to   = module.url.aws_lambda_permission.public_url
}

moved {
  from = aws_cloudformation_stack.public_invoke
  to   = module.url.aws_cloudformation_stack.public_invoke
}

moved {
  from = aws_iam_policy.callers
  to   = module.url.aws_iam_policy.callers
}

moved {
  from = aws_cloudfront_origin_access_control.function
  to   = module.url.aws_cloudfront_origin_access_control.function
}

moved {
  from = aws_cloudfront_distribution.function
  to   = module.url.aws_cloudfront_distribution.function
}

moved {
  from = aws_lambda_permission.cdn
  to   = module.url.aws_lambda_permission.cdn
}

moved {
  from = aws_dynamodb_table.items
  to   = module.feed[0].aws_dynamodb_table.items
}

moved {
  from = aws_dynamodb_table.connections
  to   = module.feed[0].aws_dynamodb_table.connections
}

moved {
  from = aws_dynamodb_table.configurations
  to   = module.feed[0].aws_dynamodb_table.configurations
}

moved {
  from = aws_cloudwatch_log_metric_filter.collector
  to   = module.watch.aws_cloudwatch_log_metric_filter.collector
}

moved {
  from = aws_cloudwatch_metric_alarm.threshold
  to   = module.watch.aws_cloudwatch_metric_alarm.threshold
}

moved {
  from = aws_cloudwatch_metric_alarm.errors
  to   = module.watch.aws_cloudwatch_metric_alarm.errors[0]
}

moved {
  from = aws_cloudwatch_dashboard.service
  to   = module.watch.aws_cloudwatch_dashboard.service[0]
}

moved {
  from = aws_xray_group.service
  to   = module.watch.aws_xray_group.service[0]
}

moved {
  from = aws_xray_sampling_rule.service
  to   = module.watch.aws_xray_sampling_rule.service
}

# It made a new URL for each change of url_authorization, which is made in place now.
removed {
  from = terraform_data.url_authorization

  lifecycle {
    destroy = false
  }
}
