output "application" {
  description = "Name of the CodeDeploy application."
  value       = aws_codedeploy_app.this.name
}

output "deployment_group" {
  description = "Name of its deployment group."
  value       = aws_codedeploy_deployment_group.live.deployment_group_name
}

output "revision" {
  description = "What moves the alias from the live version to the newest, as aws deploy create-deployment --revision takes it."
  value = jsonencode({
    revisionType = "AppSpecContent"
    appSpecContent = {
      content = jsonencode({
        version = 0.0
        Resources = [{
          function = {
            Type = "AWS::Lambda::Function"
            Properties = {
              Name           = var.function.name
              Alias          = var.function.alias
              CurrentVersion = var.function.live_version
              TargetVersion  = var.function.newest_version
            }
          }
        }]
      })
    }
  })
}
