variable "name" {
  description = "Name of the service."
  type        = string
}

variable "place" {
  description = "Partition, region and account that it is made in."
  type        = object({ partition = string, region = string, account = string })
}

variable "function" {
  description = "The function's name, its alias and ARN, and the versions to go from and to."
  type        = object({ name = string, alias = string, arn = string, live_version = string, newest_version = string })
}

variable "configuration" {
  description = "How the traffic is shifted, such as CodeDeployDefault.LambdaCanary10Percent5Minutes."
  type        = string
}

variable "alarm_names" {
  description = "Names of this deployment's alarms by their short names."
  type        = map(string)
}

variable "stopped_by" {
  description = "Short names of the alarms that stop a deployment and take it back; null for those that tell a broken version."
  type        = list(string)

  validation {
    condition     = length(setsubtract(coalesce(var.stopped_by, []), keys(var.alarm_names))) == 0
    error_message = "deployment.codedeploy.alarms = ${jsonencode(var.stopped_by)} names no alarm of this deployment. There are ${join(", ", keys(var.alarm_names))}."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of CodeDeploy's role."
  type        = string
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}
