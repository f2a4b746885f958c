output "application" {
  description = "Name of the CodeDeploy application."
  value       = aws_codedeploy_app.this.name
}

output "deployment_group" {
  description = "Name of its deployment group."
  value       = aws_codedeploy_deployment_group.live.deployment_group_name
}
