output "function_url" {
  description = "Where clients connect, unless there is another door; ends with a slash."
  value       = module.url.function_url
}

output "cdn_url" {
  description = "Where clients connect when cdn.enabled, by the first alias if there is one, else null; ends with a slash."
  value       = module.url.cdn_url
}

output "cdn_domain_name" {
  description = "CloudFront's own name: what the DNS records of cdn.aliases point to."
  value       = module.url.cdn_domain_name
}

output "cdn_hosted_zone_id" {
  description = "CloudFront's zone, for alias records of Route 53."
  value       = module.url.cdn_hosted_zone_id
}

output "cdn_distribution_id" {
  description = "Id of the distribution, null without."
  value       = module.url.cdn_distribution_id
}

output "rest_url" {
  description = "Where clients connect through the REST API, else null; ends with a slash."
  value       = one(module.rest[*].url)
}

output "rest_api_id" {
  description = "Id of the REST API, null without."
  value       = one(module.rest[*].api_id)
}

output "rest_stage_arn" {
  description = "ARN of the REST API's stage, to associate a web ACL with."
  value       = one(module.rest[*].stage_arn)
}

output "rest_execution_arn" {
  description = "ARN that policies of the REST API's callers name (execute-api:Invoke)."
  value       = one(module.rest[*].execution_arn)
}

output "rest_api_key_ids" {
  description = "Ids of the API keys by their callers: aws apigateway get-api-key --include-value --api-key ID."
  value       = one(module.rest[*].api_key_ids)
}

output "function_name" {
  description = "Name of the function, as `make verify-aws` takes it."
  value       = module.function.name
}

output "function_arn" {
  description = "ARN of the function, without a version."
  value       = module.function.arn
}

output "alias_arn" {
  description = "ARN of the alias behind the doors."
  value       = module.function.alias_arn
}

output "live_version" {
  description = "Published version that receives the traffic: note it before a change, to roll back to."
  value       = module.function.live_version
}

output "newest_version" {
  description = "Published version made by the last apply."
  value       = module.function.newest_version
}

output "package_sha256" {
  description = "Digest of the deployed zip, as package.sha256 takes it; null for an image."
  value       = module.function.code_sha256
}

output "role_name" {
  description = "Name of the function's role, for further policies; null with role_arn."
  value       = module.function.role_name
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = module.function.role_arn
}

output "policy_json" {
  description = "What the function has to be allowed, as the JSON of an IAM policy: for role_arn."
  value       = module.function.policy
}

output "callers_policy_arn" {
  description = "IAM policy that lets its holder open and close streams; null with url_authorization = NONE."
  value       = module.url.callers_policy_arn
}

output "table_names" {
  description = "Names of the tables: items, connections, configurations; null without a feed."
  value       = one(module.feed[*].table_names)
}

output "table_arns" {
  description = "ARNs of the tables, for the policies of those who write items and configurations; null without a feed."
  value       = one(module.feed[*].table_arns)
}

output "items_ttl_seconds" {
  description = "What writers add to the time of publication for expires_at, at least."
  value       = var.items_ttl_seconds
}

output "log_group_name" {
  description = "Log group of the function and its collector."
  value       = module.function.log_group_name
}

output "metrics_namespace" {
  description = "CloudWatch namespace of the function's own metrics."
  value       = local.metrics_namespace
}

output "alarm_arns" {
  description = "ARNs of the alarms by their short names."
  value       = module.watch.alarm_arns
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = module.watch.dashboard_name
}

output "xray_group_name" {
  description = "X-Ray group that holds this service's traces."
  value       = module.watch.xray_group_name
}

output "codedeploy" {
  description = "CodeDeploy's application, deployment group and the revision that makes the newest version live; null without."
  value = one([
    for deploy in module.codedeploy : { application = deploy.application, deployment_group = deploy.deployment_group, revision = deploy.revision }
  ])
}
