variable "name" {
  description = "Name of the API and prefix of its keys."
  type        = string
}

variable "place" {
  description = "Partition, region and account that it is made in."
  type        = object({ partition = string, region = string, account = string })
}

variable "function" {
  description = "The function's name, its alias and the alias' ARN, twice: as its resource and as a plan can show it."
  type        = object({ name = string, alias = string, alias_arn = string, planned_alias_arn = string })
}

variable "door" {
  description = "How the API is set up: the root module's input rest."
  type = object({
    stage                = string
    stream               = bool
    endpoint             = string
    authorization        = string
    authorizer_arn       = string
    authorizer_header    = string
    authorizer_seconds   = number
    user_pool_arns       = list(string)
    api_keys             = list(string)
    requests_per_second  = number
    burst                = number
    requests_per_day     = number
    timeout_seconds      = number
    access_log_group_arn = string
  })

  validation {
    condition     = contains(["AWS_IAM", "NONE", "CUSTOM", "COGNITO_USER_POOLS"], var.door.authorization)
    error_message = "rest.authorization = \"${var.door.authorization}\" must be AWS_IAM, NONE, CUSTOM or COGNITO_USER_POOLS."
  }

  validation {
    condition     = var.door.authorization != "CUSTOM" || var.door.authorizer_arn != null
    error_message = "rest.authorization = \"CUSTOM\" needs rest.authorizer_arn, the ARN of the Lambda function that decides who may call."
  }

  validation {
    condition     = var.door.authorization != "COGNITO_USER_POOLS" || length(var.door.user_pool_arns) > 0
    error_message = "rest.authorization = \"COGNITO_USER_POOLS\" needs rest.user_pool_arns, whose members may call."
  }

  validation {
    condition     = contains(["REGIONAL", "EDGE"], var.door.endpoint)
    error_message = "rest.endpoint = \"${var.door.endpoint}\" must be REGIONAL or EDGE: a private API needs a VPC endpoint and a policy, which this module does not make."
  }

  validation {
    condition     = var.door.timeout_seconds >= 1 && var.door.timeout_seconds <= (var.door.stream ? 900 : 29)
    error_message = "rest.timeout_seconds = ${var.door.timeout_seconds} is not from 1 to ${var.door.stream ? 900 : 29}, API Gateway's limit ${var.door.stream ? "with" : "without"} response streaming. Set rest.timeout_seconds."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9_]{1,128}$", var.door.stage))
    error_message = "rest.stage = \"${var.door.stage}\" must be 1 to 128 of letters, digits and underscore."
  }

  validation {
    condition     = length(distinct(var.door.api_keys)) == length(var.door.api_keys)
    error_message = "rest.api_keys = ${jsonencode(var.door.api_keys)} names one caller twice. Each caller has a key of its own."
  }

  validation {
    condition     = var.door.requests_per_second > 0 && var.door.burst >= 1
    error_message = "rest.requests_per_second = ${var.door.requests_per_second} and rest.burst = ${var.door.burst} must be above 0: API Gateway would refuse every request."
  }
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}
