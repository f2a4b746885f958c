output "function_url" {
  description = "The Function URL; ends with a slash."
  value       = aws_lambda_function_url.live.function_url
}

output "function_url_id" {
  description = "The first label of the Function URL's name."
  value       = aws_lambda_function_url.live.url_id
}

output "cdn_url" {
  description = "CloudFront by its first alias, else by its own name; null without CloudFront."
  value       = var.cdn.enabled ? "https://${try(var.cdn.aliases[0], aws_cloudfront_distribution.function[0].domain_name)}/" : null
}

output "cdn_domain_name" {
  description = "CloudFront's own name, for the DNS records of aliases."
  value       = one(aws_cloudfront_distribution.function[*].domain_name)
}

output "cdn_hosted_zone_id" {
  description = "CloudFront's zone, for alias records of Route 53."
  value       = one(aws_cloudfront_distribution.function[*].hosted_zone_id)
}

output "cdn_distribution_id" {
  description = "Id of the distribution."
  value       = one(aws_cloudfront_distribution.function[*].id)
}

output "callers_policy_arn" {
  description = "Policy that lets its holder use the URL; null where everybody may."
  value       = one(aws_iam_policy.callers[*].arn)
}
