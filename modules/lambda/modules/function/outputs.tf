output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "arn" {
  description = "ARN of the function, without a version."
  value       = aws_lambda_function.this.arn
}

output "alias_name" {
  description = "Name of the alias."
  value       = aws_lambda_alias.live.name
}

output "alias_arn" {
  description = "ARN of the alias as its resource gives it: whoever takes it comes after the alias."
  value       = aws_lambda_alias.live.arn
}

output "planned_alias_arn" {
  description = "The same put together from names, which a plan can show."
  value       = local.alias_arn
}

output "live_version" {
  description = "Version behind the alias."
  value       = aws_lambda_alias.live.function_version
}

output "newest_version" {
  description = "Version made last."
  value       = aws_lambda_function.this.version
}

output "qualified_arn" {
  description = "ARN of the version made last."
  value       = aws_lambda_function.this.qualified_arn
}

output "code_sha256" {
  description = "Digest of the deployed zip, in base64; null for an image."
  value       = local.is_image ? null : aws_lambda_function.this.code_sha256
}

output "role_name" {
  description = "Name of the role made here, else null."
  value       = one(aws_iam_role.this[*].name)
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = local.role_arn
}

output "policy" {
  description = "What the role may do, as JSON."
  value       = local.policy
}

output "log_group_name" {
  description = "Log group. Whoever takes it comes after the group made here."
  value       = var.log.group == null ? aws_cloudwatch_log_group.this[0].name : var.log.group
}
