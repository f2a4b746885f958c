variable "name" {
  description = "Name of the function."
  type        = string
}

variable "description" {
  description = "What the function is for, as the console shows it."
  type        = string
}

variable "place" {
  description = "Partition, region and account that it is made in."
  type        = object({ partition = string, region = string, account = string })
}

variable "handler" {
  description = "A handler of the library: MODULE.NAME."
  type        = string
}

variable "package" {
  description = "Where the code is: one of path, s3, image_uri. With sha256 the file at path need not exist."
  type = object({
    path      = optional(string)
    sha256    = optional(string)
    s3        = optional(object({ bucket = string, key = string, version = optional(string), sha256 = string }))
    image_uri = optional(string)
  })
}

variable "architecture" {
  description = "CPU: arm64 or x86_64."
  type        = string
}

variable "python_version" {
  description = "Python of the managed runtime."
  type        = string
}

variable "memory_mb" {
  description = "Memory of an execution environment."
  type        = number
}

variable "timeout_seconds" {
  description = "When Lambda kills an invocation."
  type        = number
}

variable "reserved_concurrency" {
  description = "Execution environments set aside, 0 to stop the function, or null for the account's shared pool."
  type        = number
}

variable "environment" {
  description = "Environment variables."
  type        = map(string)
}

variable "layers" {
  description = "Layer versions; none with an image."
  type        = list(string)
}

variable "kms_key_arn" {
  description = "Key for environment variables and log group; null for AWS's own."
  type        = string
}

variable "role_arn" {
  description = "An existing role; null to make one."
  type        = string
}

variable "policy_statements" {
  description = "What the role may do beside writing logs and traces, as statements of an IAM policy."
  type        = any
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role made here."
  type        = string
}

variable "log" {
  description = "Log group and format. Without a format the function's lines are kept as they are."
  type = object({
    group             = optional(string)
    format            = optional(string)
    application_level = optional(string)
    system_level      = optional(string)
  })

  validation {
    condition     = var.log.format == null ? true : contains(["Text", "JSON"], var.log.format)
    error_message = "log.format = \"${coalesce(var.log.format, "-")}\" must be \"Text\" or \"JSON\"."
  }

  validation {
    condition     = var.log.format == "JSON" || (var.log.application_level == null && var.log.system_level == null)
    error_message = "log.application_level = ${jsonencode(var.log.application_level)} and log.system_level = ${jsonencode(var.log.system_level)} need log.format = \"JSON\": Lambda filters no plain text. Set POWERTOOLS_LOG_LEVEL in environment instead, or the format."
  }

  validation {
    condition     = alltrue([for level in compact([var.log.application_level, var.log.system_level]) : contains(["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"], level)])
    error_message = "log.application_level = ${jsonencode(var.log.application_level)} and log.system_level = ${jsonencode(var.log.system_level)} must be TRACE, DEBUG, INFO, WARN, ERROR or FATAL."
  }

  validation {
    condition     = var.log.group == null ? true : can(regex("^[A-Za-z0-9_./#-]{1,512}$", var.log.group))
    error_message = "log.group = \"${coalesce(var.log.group, "-")}\" must be the name of a log group, not its ARN."
  }
}

variable "log_retention_days" {
  description = "How long the log group made here keeps lines; 0 for ever."
  type        = number
}

variable "live_version" {
  description = "Version behind the alias; null for the newest."
  type        = string
}

variable "weights" {
  description = "Share of the traffic for one more version: { \"42\" = 0.1 }."
  type        = map(number)
}

variable "provisioned" {
  description = "Execution environments of the alias that are kept warm; null for none."
  type        = number
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}
